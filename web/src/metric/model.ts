import { signal } from "@preact/signals";
import { backendKnown } from "../api/backend";
import { instant, labelValues, metadata, type Meta } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { pollEvery } from "../api/server";
import { present } from "../clock";
import { familyName } from "../lens/kind";
import { familyOf, type Family } from "../metrics/family";
import { dayMs, idleTimeQuery, indexLabel, samplesQuery, statLabel } from "../metrics/queries";
import { paceOf, type Day } from "../metrics/stats";
import { escapeRegexp, quote, type Matcher } from "../promql";
import type { MetricData } from "./data";
import { lensName, load, type Ask } from "./load";

const costAge = 60_000;

/** What an empty range has to say for itself. */
export interface Absence {
  /** The last sample of the last day, of any series; null if there is none. */
  last: number | null;
  /** For labels that were asked for: the values that there are. */
  values: ReadonlyMap<string, readonly string[]>;
}

/** The data behind one metric's screen. */
export class MetricModel {
  readonly data = signal<MetricData | undefined>(undefined);
  readonly error = signal<string | undefined>(undefined);
  readonly busy = signal(false);
  readonly family = signal<Family | undefined>(undefined);
  /** Samples a day over all names of the family. */
  readonly cost = signal<Pick<Day, "samples" | "estimated"> | undefined>(undefined);
  /** Whether it loads again by itself. */
  readonly live = signal(true);
  readonly absence = signal<Absence | undefined>(undefined);
  readonly #name: string;
  #ask: Omit<Ask, "family"> | undefined;
  #timer: number | undefined;
  #costAt = 0;
  #abort = new AbortController();

  constructor(name: string) {
    this.#name = name;
  }

  /** Loads what the address asks for now. */
  ask(ask: Omit<Ask, "family">): void {
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
      await backendKnown(); // the lens rests on its lookback
      let family = await this.#describe(signal);
      let data = await load({ ...this.#ask, family }, signal);
      if (family.type === "unknown" && data.series.some((s) => s.stored.some((x) => x.buckets !== undefined))) {
        // A backend that knows no types: the samples say themselves that they are histograms.
        this.family.value = family = { ...family, type: "histogram", kind: "native" };
        data = await load({ ...this.#ask, family }, signal);
      }
      this.absence.value = data.totalSeries > 0 ? undefined : await this.#absent(family, this.#ask.where, signal);
      this.data.value = data;
      this.error.value = undefined;
      await this.#price(family, signal);
    } catch (e) {
      if (isAbort(e)) return;
      this.error.value = messageOf(e);
    }
    if (signal.aborted) return;
    this.busy.value = false;
    if (this.live.peek() && this.#ask.span.kind === "last") this.#timer = window.setTimeout(() => this.#again(), pollEvery());
  }

  #again(): void {
    if (document.hidden) this.#timer = window.setTimeout(() => this.#again(), pollEvery());
    else this.refresh();
  }

  // What is stored under the name, and beside it: a histogram has three names.
  async #describe(signal: AbortSignal): Promise<Family> {
    const known = this.family.peek();
    if (known !== undefined && known.type !== "unknown") return known;
    const base = familyName(this.#name);
    const beside = `{__name__=~${quote(`${escapeRegexp(this.#name)}(_bucket|_count|_sum|_created)?`)}}`;
    const names = await labelValues("__name__", beside, present() - dayMs, signal);
    let meta = new Map<string, Meta>();
    try {
      const all = base === this.#name ? [base] : [this.#name, base];
      meta = new Map((await Promise.all(all.map((n) => metadata(n, signal)))).flatMap((m) => [...m]));
    } catch (e) {
      if (isAbort(e)) throw e; // otherwise: a backend may lack the call
    }
    const f = familyOf(this.#name, names, meta);
    this.family.value = f;
    return f;
  }

  async #absent(f: Family, where: readonly Matcher[], signal: AbortSignal): Promise<Absence> {
    const v = (await instant(idleTimeQuery([lensName(f)]), undefined, signal))[0]?.samples[0]?.v;
    const values = new Map<string, readonly string[]>();
    const match = `{__name__=${quote(lensName(f))}}`;
    for (const m of where) values.set(m.label, await labelValues(m.label, match, present() - dayMs, signal));
    return { last: v === undefined || !Number.isFinite(v) ? null : Math.round(v * 1000), values };
  }

  async #price(f: Family, signal: AbortSignal): Promise<void> {
    if (Date.now() - this.#costAt < costAge) return;
    try {
      const counts = await instant(samplesQuery(f.members, ["1h", "1d"]), undefined, signal);
      const sum = (stat: string) => counts.reduce((n, s) => n + (s.labels[statLabel] === stat && s.labels[indexLabel] !== undefined ? (s.samples[0]?.v ?? 0) : 0), 0);
      this.cost.value = paceOf(sum, true);
      this.#costAt = Date.now();
    } catch (e) {
      if (isAbort(e)) throw e; // otherwise: it costs too much to find out what it costs
    }
  }
}
