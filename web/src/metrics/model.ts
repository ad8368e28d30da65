import { computed, signal } from "@preact/signals";
import { metadata, metricNames, type Meta } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { pollEvery } from "../api/server";
import { present } from "../clock";
import type { Depth } from "./stats";
import { familiesOf, type Family } from "./family";
import { dayMs } from "./queries";
import { Services } from "./services";
import { StatsLoader } from "./stats";

/** The names that have samples of the last day; undefined before the first answer. */
export type Names = readonly string[] | undefined;

const pollEmpty = 2000;
/** Up to this many names the metadata is fetched in one go, beyond it row by row. */
const metaAtOnce = 2000;

/** The data behind the list of metrics: it keeps itself fresh from start to stop. */
export class ListModel {
  readonly names = signal<Names>(undefined);
  readonly meta = signal<ReadonlyMap<string, Meta>>(new Map());
  readonly error = signal<string | undefined>(undefined);
  readonly stats = new StatsLoader();
  readonly services = new Services();
  /** When names that were not there at first were seen, ms. */
  readonly arrived = signal<ReadonlyMap<string, number>>(new Map());
  readonly families = computed<readonly Family[]>(() => familiesOf(this.names.value ?? [], this.meta.value));
  #visible: readonly Family[] = [];
  readonly #asked = new Set<string>();
  #timer: number | undefined;
  readonly #abort = new AbortController();

  /** Loads, and loads again as time goes by. */
  start(): void {
    void this.#poll();
    void this.services.offer(present() - dayMs, this.#abort.signal);
  }

  /** Ends all that is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.stats.stop();
  }

  /** Loads at once. */
  refresh(): void {
    clearTimeout(this.#timer);
    void this.#poll();
  }

  /** Says which rows are seen, so that only their numbers are loaded. */
  show(families: readonly Family[]): void {
    this.#visible = families;
    void this.#fill();
  }

  /** Asks for the numbers of all rows, down to a depth; for none without one. */
  showAll(families: readonly Family[], depth: Depth | undefined): void {
    this.stats.wantAll(families, depth);
  }

  /** Finds out which service has which metrics. */
  group(label: string): void {
    void this.services.load(label, present() - dayMs, this.#abort.signal);
  }

  async #poll(): Promise<void> {
    if (!document.hidden) {
      try {
        const names = await metricNames(present() - dayMs, this.#abort.signal);
        this.error.value = undefined;
        this.#take(names);
        await this.#fill();
      } catch (e) {
        if (isAbort(e)) return;
        this.error.value = messageOf(e);
      }
    }
    if (this.#abort.signal.aborted) return;
    const empty = (this.names.peek()?.length ?? 0) === 0;
    this.#timer = window.setTimeout(() => void this.#poll(), empty || document.hidden ? pollEmpty : pollEvery());
  }

  #take(names: readonly string[]): void {
    const old = this.names.peek();
    if (same(old, names)) return;
    if (old !== undefined) {
      const known = new Set(old);
      const fresh = names.filter((n) => !known.has(n));
      this.arrived.value = new Map([...this.arrived.peek(), ...fresh.map((n) => [n, Date.now()] as const)]);
    }
    this.names.value = names;
  }

  async #fill(): Promise<void> {
    const names = this.names.peek();
    if (names === undefined) return;
    const all = names.length <= metaAtOnce;
    await this.#describe(all ? names : this.#visible.flatMap((f) => [f.name, ...f.members]), all);
    this.stats.want(this.#visible);
  }

  async #describe(names: readonly string[], all: boolean): Promise<void> {
    const fresh = names.filter((n) => !this.#asked.has(n));
    if (fresh.length === 0) return;
    for (const n of fresh) this.#asked.add(n);
    try {
      const got = await Promise.all((all ? [undefined] : fresh).map((n) => metadata(n, this.#abort.signal)));
      this.meta.value = new Map([...this.meta.peek(), ...got.flatMap((m) => [...m])]);
    } catch {
      // A backend may lack the call: types are then unknown, which the list says.
    }
  }
}

function same(a: Names, b: readonly string[]): boolean {
  return a?.length === b.length && a.every((n, i) => n === b[i]);
}
