import { signal } from "@preact/signals";
import { metadata, metricNames, type Meta } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { present } from "../clock";
import { dayMs } from "./queries";
import { StatsLoader } from "./stats";

/** The names that have samples of the last day; undefined before the first answer. */
export type Names = readonly string[] | undefined;

const pollFull = 10_000;
const pollEmpty = 2000;
/** Up to this many names the metadata is fetched in one go, beyond it row by row. */
const metaAtOnce = 2000;

/** The data behind the list of metrics: it keeps itself fresh from start to stop. */
export class ListModel {
  readonly names = signal<Names>(undefined);
  readonly meta = signal<ReadonlyMap<string, Meta>>(new Map());
  readonly error = signal<string | undefined>(undefined);
  readonly stats = new StatsLoader();
  #visible: readonly string[] = [];
  readonly #asked = new Set<string>();
  #timer: number | undefined;
  readonly #abort = new AbortController();

  /** Loads, and loads again as time goes by. */
  start(): void {
    void this.#poll();
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
  show(names: readonly string[]): void {
    this.#visible = names;
    void this.#fill();
  }

  async #poll(): Promise<void> {
    if (!document.hidden) {
      try {
        const names = await metricNames(present() - dayMs, this.#abort.signal);
        this.error.value = undefined;
        if (!same(this.names.peek(), names)) this.names.value = names;
        await this.#fill();
      } catch (e) {
        if (isAbort(e)) return;
        this.error.value = messageOf(e);
      }
    }
    if (this.#abort.signal.aborted) return;
    const empty = (this.names.peek()?.length ?? 0) === 0;
    this.#timer = window.setTimeout(() => void this.#poll(), empty || document.hidden ? pollEmpty : pollFull);
  }

  async #fill(): Promise<void> {
    const names = this.names.peek();
    if (names === undefined) return;
    await this.#describe(names.length <= metaAtOnce ? names : this.#visible, names.length <= metaAtOnce);
    this.stats.want(this.#visible, this.meta.peek());
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

/** The names that contain every word of the filter, upper and lower case alike. */
export function filterNames(names: readonly string[], filter: string): readonly string[] {
  const words = filter.toLowerCase().split(/\s+/).filter((w) => w !== "");
  if (words.length === 0) return names;
  return names.filter((n) => words.every((w) => n.toLowerCase().includes(w)));
}
