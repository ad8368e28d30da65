import { signal } from "@preact/signals";
import { instant, metadata, type Meta } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { describe, type Described } from "../lens/kind";
import { idleTimeQuery } from "../metrics/queries";
import type { Ask } from "./load";
import { load } from "./load";
import type { MetricData } from "./data";

const poll = 10_000;

/** The data behind one metric's screen. */
export class MetricModel {
  readonly data = signal<MetricData | undefined>(undefined);
  readonly error = signal<string | undefined>(undefined);
  readonly busy = signal(false);
  readonly described = signal<Described | undefined>(undefined);
  /** Whether it loads again by itself. */
  readonly live = signal(true);
  /** If the range is empty: the last sample of the last day, null if there is none. */
  readonly lastSeen = signal<number | null | undefined>(undefined);
  readonly #name: string;
  #ask: Omit<Ask, "name" | "kind"> | undefined;
  #timer: number | undefined;
  #abort = new AbortController();

  constructor(name: string) {
    this.#name = name;
  }

  /** Loads what the address asks for now. */
  ask(ask: Omit<Ask, "name" | "kind">): void {
    this.#ask = ask;
    this.refresh();
  }

  /** Loads again; what is under way is dropped. */
  refresh(): void {
    this.stop();
    this.#abort = new AbortController();
    void this.#load(this.#abort.signal);
  }

  /** Ends all that is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  /** Switches the loading by itself on or off. */
  setLive(on: boolean): void {
    this.live.value = on;
    if (on) this.refresh();
    else clearTimeout(this.#timer);
  }

  async #load(signal: AbortSignal): Promise<void> {
    if (this.#ask === undefined) return;
    this.busy.value = true;
    try {
      const described = await this.#describe(signal);
      const data = await load({ ...this.#ask, name: this.#name, kind: described.kind }, signal);
      this.data.value = data;
      this.error.value = undefined;
      this.lastSeen.value = data.totalSeries > 0 ? undefined : await this.#last(signal);
    } catch (e) {
      if (isAbort(e)) return;
      this.error.value = messageOf(e);
    }
    if (signal.aborted) return;
    this.busy.value = false;
    if (this.live.peek()) this.#timer = window.setTimeout(() => this.#again(), poll);
  }

  #again(): void {
    if (document.hidden) this.#timer = window.setTimeout(() => this.#again(), poll);
    else this.refresh();
  }

  async #describe(signal: AbortSignal): Promise<Described> {
    const known = this.described.peek();
    if (known !== undefined && known.type !== "unknown") return known;
    let meta = new Map<string, Meta>();
    try {
      const family = this.#name.replace(/_(total|bucket|count|sum|created)$/, "");
      const names = family === this.#name ? [family] : [this.#name, family];
      meta = new Map((await Promise.all(names.map((n) => metadata(n, signal)))).flatMap((m) => [...m]));
    } catch (e) {
      if (isAbort(e)) throw e; // otherwise: a backend may lack the call
    }
    const d = describe(this.#name, meta);
    this.described.value = d;
    return d;
  }

  async #last(signal: AbortSignal): Promise<number | null> {
    const v = (await instant(idleTimeQuery([this.#name]), undefined, signal))[0]?.samples[0]?.v;
    return v === undefined || !Number.isFinite(v) ? null : Math.round(v * 1000);
  }
}
