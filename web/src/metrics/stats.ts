import { signal } from "@preact/signals";
import { instant, type Meta } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import type { Series } from "../api/series";
import { describe, type Kind } from "../lens/kind";
import { idleTimeQuery, indexLabel, liveTimeQuery, statLabel, statsQuery } from "./queries";

/** What the list knows of one metric. */
export interface Stats {
  series: number;
  /** The last value; the sum if a counter has several series. */
  value?: number;
  /** The span of a gauge's last values over its series. */
  min?: number;
  max?: number;
  /** The newest sample's time, ms. */
  last?: number;
  error?: string;
  /** When this was asked for, by the browser's clock. */
  at: number;
}

/** Names in one request: a screenful. */
const batch = 25;
/** Answers older than this are asked for again when their row is seen. */
const maxAge = 9_000;

/** Loads the numbers of the rows that are seen, a batch at a time, and keeps them. */
export class StatsLoader {
  readonly rows = signal<ReadonlyMap<string, Stats>>(new Map());
  #wanted: readonly string[] = [];
  #meta: ReadonlyMap<string, Meta> = new Map();
  #running = false;
  readonly #abort = new AbortController();

  /** Says which rows are on the screen. */
  want(names: readonly string[], meta: ReadonlyMap<string, Meta>): void {
    this.#wanted = names;
    this.#meta = meta;
    void this.#run();
  }

  /** Ends all that is under way. */
  stop(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let todo = this.#due(); todo.length > 0 && !this.#abort.signal.aborted; todo = this.#due()) {
      await this.#load(todo);
    }
    this.#running = false;
  }

  #due(): string[] {
    const old = Date.now() - maxAge;
    return this.#wanted.filter((n) => (this.rows.peek().get(n)?.at ?? 0) < old).slice(0, batch);
  }

  async #load(names: string[]): Promise<void> {
    const got = new Map<string, Stats>(names.map((n) => [n, { series: 0, at: Date.now() }]));
    try {
      await Promise.all([this.#values(names, got), this.#times(names, got)]);
    } catch (e) {
      if (isAbort(e)) return;
      for (const s of got.values()) s.error = messageOf(e);
    }
    this.rows.value = new Map([...this.rows.peek(), ...got]);
  }

  async #values(names: string[], got: Map<string, Stats>): Promise<void> {
    const byKind = (k: Kind) => names.filter((n) => describe(n, this.#meta).kind === k);
    for (const kind of ["counter", "gauge"] as const) {
      const of = byKind(kind);
      if (of.length === 0) continue;
      for (const r of await instant(statsQuery(of, kind), undefined, this.#abort.signal)) put(got, r);
    }
  }

  async #times(names: string[], got: Map<string, Stats>): Promise<void> {
    const quiet = await this.#timesBy(liveTimeQuery(names), names, got);
    // The look back over a day is dearer: only for what is not live, in small bites.
    for (let i = 0; i < quiet.length; i += 5) {
      const some = quiet.slice(i, i + 5);
      await this.#timesBy(idleTimeQuery(some), some, got);
    }
  }

  async #timesBy(query: string, names: string[], got: Map<string, Stats>): Promise<string[]> {
    for (const r of await instant(query, undefined, this.#abort.signal)) {
      const stats = got.get(names[Number(r.labels[indexLabel])] ?? "");
      const v = r.samples[0]?.v;
      if (stats !== undefined && v !== undefined && Number.isFinite(v)) stats.last = Math.round(v * 1000);
    }
    return names.filter((n) => got.get(n)?.last === undefined);
  }
}

function put(got: Map<string, Stats>, r: Series): void {
  const stats = got.get(r.labels["__name__"] ?? "");
  const v = r.samples[0]?.v;
  if (stats === undefined || v === undefined) return;
  switch (r.labels[statLabel]) {
    case "count":
      stats.series = v;
      break;
    case "sum":
      stats.value = v;
      break;
    case "min":
      stats.min = v;
      break;
    case "max":
      stats.max = v;
      break;
  }
}
