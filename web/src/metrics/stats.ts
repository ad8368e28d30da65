import { signal } from "@preact/signals";
import { instant, range } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { pollEvery } from "../api/server";
import type { Series } from "../api/series";
import { present } from "../clock";
import type { Family } from "./family";
import { idleTimeQuery, indexLabel, liveQuery, liveTimeQuery, samplesQuery, sparkMs, sparkQuery, sparkStep, statLabel, windowQuery } from "./queries";

/** Numbers over the series of one family. */
export interface Values {
  series: number;
  /** Of the first member's series: the sum, and the span. */
  sum?: number;
  min?: number;
  max?: number;
}

/** What the last day says of a family. */
export interface Day extends Values {
  /** Stored samples a day: counted, or what the last hour comes to. */
  samples: number;
  estimated: boolean;
  /** Nothing of it was stored before the last hour. */
  fresh: boolean;
  at: number;
}

/** What the list knows of one family; what is not loaded yet is undefined. */
export interface Stats {
  live?: Values & { at: number };
  day?: Day;
  /** The newest sample's time, ms. */
  last?: number;
  spark?: { values: readonly (number | undefined)[]; at: number };
  error?: string;
}

/** How much is to be known. */
export type Depth = "live" | "day" | "spark";

/** Families in one request: a screenful if they are looked at closely. */
const batch: Record<Depth, number> = { live: 25, day: 12, spark: 25 };
/** Answers older than this are asked for again when their row is seen. */
const maxAge = { day: 45_000, spark: 60_000 };
/** For sorting, all rows are asked; that costs more and may be older. */
const maxAgeAll = 300_000;
/** Metrics of more series are judged by their last hour. */
const manySeries = 400;

/** Loads the numbers of the rows that are seen, a batch at a time, and keeps them. */
export class StatsLoader {
  readonly rows = signal<ReadonlyMap<string, Stats>>(new Map());
  /** Families still to be asked about before all can be sorted. */
  readonly missing = signal(0);
  #seen: readonly Family[] = [];
  #all: readonly Family[] = [];
  #depth: Depth | undefined;
  #running = false;
  readonly #abort = new AbortController();

  /** Says which rows are on the screen. */
  want(families: readonly Family[]): void {
    this.#seen = families;
    void this.#run();
  }

  /** Asks for all rows, so that they can be sorted; no depth for none. */
  wantAll(families: readonly Family[], depth: Depth | undefined): void {
    this.#all = families;
    this.#depth = depth;
    void this.#run();
  }

  /** Ends all that is under way. */
  stop(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let job = this.#next(); job !== undefined && !this.#abort.signal.aborted; job = this.#next()) {
      await this.#load(job.depth, job.families);
    }
    this.#running = false;
  }

  // What is seen comes first, and the plain numbers before the dear ones.
  #next(): { depth: Depth; families: Family[] } | undefined {
    for (const depth of ["live", "day", "spark"] as const) {
      const due = this.#due(this.#seen, depth, depth === "live" ? pollEvery() - 1000 : maxAge[depth]);
      if (due.length > 0) return { depth, families: due.slice(0, batch[depth]) };
    }
    const last = this.#depth;
    if (last === undefined) {
      this.missing.value = 0;
      return undefined;
    }
    const due = this.#due(this.#all, last, maxAgeAll);
    this.missing.value = due.length;
    const without = due.filter((f) => this.rows.peek().get(f.name)?.live === undefined).slice(0, 4 * batch.live);
    if (without.length > 0) return { depth: "live", families: without };
    return due.length === 0 ? undefined : { depth: last, families: due.slice(0, 2 * batch[last]) };
  }

  #due(families: readonly Family[], depth: Depth, age: number): Family[] {
    const old = Date.now() - age;
    return families.filter((f) => (this.rows.peek().get(f.name)?.[depth]?.at ?? 0) < old);
  }

  async #load(depth: Depth, families: Family[]): Promise<void> {
    const old = this.rows.peek();
    const got = new Map<string, Stats>(families.map((f) => [f.name, { ...old.get(f.name) }]));
    try {
      if (depth === "live") await this.#live(families, got);
      else if (depth === "day") await this.#day(families, got);
      else await this.#spark(families, got);
      for (const s of got.values()) delete s.error;
    } catch (e) {
      if (isAbort(e)) return;
      // As if it had been answered, so that it is not asked for at once again.
      const at = Date.now();
      for (const s of got.values()) {
        s.error = messageOf(e);
        if (depth === "live") s.live = { series: 0, ...s.live, at };
        else if (depth === "day") s.day = { series: 0, samples: NaN, estimated: false, fresh: false, ...s.day, at };
        else s.spark = { values: [], ...s.spark, at };
      }
    }
    this.rows.value = new Map([...this.rows.peek(), ...got]);
  }

  async #live(families: Family[], got: Map<string, Stats>): Promise<void> {
    const values = await this.#values(liveQuery(families.flatMap((f) => f.members)), families);
    const at = Date.now();
    for (const f of families) at_(got, f).live = { ...values.get(f.name), series: values.get(f.name)?.series ?? 0, at };
    const quiet = await this.#times(liveTimeQuery, families, got);
    // The look back over a day is dearer: only for what is not live, in small bites, and once.
    const unknown = quiet.filter((f) => at_(got, f).last === undefined);
    for (let i = 0; i < unknown.length; i += 5) await this.#times(idleTimeQuery, unknown.slice(i, i + 5), got);
  }

  async #times(query: (names: readonly string[]) => string, families: readonly Family[], got: Map<string, Stats>): Promise<Family[]> {
    const found = new Set<Family>();
    for (const r of await instant(query(families.map(first)), undefined, this.#abort.signal)) {
      const f = families[Number(r.labels[indexLabel])];
      const v = r.samples[0]?.v;
      if (f === undefined || v === undefined || !Number.isFinite(v)) continue;
      at_(got, f).last = Math.round(v * 1000);
      found.add(f);
    }
    return families.filter((f) => !found.has(f));
  }

  async #day(families: Family[], got: Map<string, Stats>): Promise<void> {
    const large = families.filter((f) => (at_(got, f).live?.series ?? 0) > manySeries);
    const small = families.filter((f) => !large.includes(f));
    for (const [some, window, windows] of [[small, "1d", ["1h", "1d"]], [large, "1h", ["1h"]]] as const) {
      if (some.length === 0) continue;
      const members = some.flatMap((f) => f.members);
      const owner = some.flatMap((f) => f.members.map(() => f));
      const [values, counts] = await Promise.all([
        this.#values(windowQuery(members, window), some),
        instant(samplesQuery(members, windows), undefined, this.#abort.signal),
      ]);
      const at = Date.now();
      for (const f of some) {
        const of = (stat: string) => counts.reduce((n, r) => n + (r.labels[statLabel] === stat && owner[Number(r.labels[indexLabel])] === f ? (r.samples[0]?.v ?? 0) : 0), 0);
        at_(got, f).day = { series: 0, ...values.get(f.name), ...paceOf(of, windows.length > 1), at };
      }
    }
  }

  async #values(query: string, families: readonly Family[]): Promise<Map<string, Values>> {
    const of = new Map(families.flatMap((f) => f.members.map((m) => [m, f] as const)));
    const out = new Map<string, Values>();
    for (const r of await instant(query, undefined, this.#abort.signal)) {
      const name = r.labels["__name__"] ?? "";
      const f = of.get(name);
      if (f === undefined) continue;
      let v = out.get(f.name);
      if (v === undefined) out.set(f.name, (v = { series: 0 }));
      put(v, r, name === first(f));
    }
    return out;
  }

  async #spark(families: Family[], got: Map<string, Stats>): Promise<void> {
    const end = Math.floor(present() / 15_000) * 15_000;
    const n = sparkMs / sparkStep;
    const answer = await range(sparkQuery(families), end - (n - 1) * sparkStep, end, sparkStep, this.#abort.signal);
    const at = Date.now();
    for (const [i, f] of families.entries()) {
      const points = answer.find((r) => r.labels[indexLabel] === String(i))?.samples ?? [];
      const values = new Array<number | undefined>(n).fill(undefined);
      for (const p of points) values[n - 1 - Math.round((end - p.t) / sparkStep)] = p.v;
      at_(got, f).spark = { values, at };
    }
  }
}

/** Samples of the last minute, hour and day, and whether there were any an hour and a day ago. */
export interface Counts {
  minute: number;
  hour: number;
  /** Undefined if it was not asked for. */
  day: number | undefined;
  earlier: boolean;
  before: boolean;
}

/** Samples a day: those of the last one, if it was whole; else at the pace of the hour, or of the minute if not even that was. */
export function pace({ minute, hour, day, earlier, before }: Counts): Pick<Day, "samples" | "estimated" | "fresh"> {
  const fresh = day !== undefined && hour > 0 && hour === day;
  if (day !== undefined && (before || hour === 0)) return { samples: day, estimated: false, fresh };
  const young = !earlier && (fresh || day === undefined);
  return { samples: Math.max(hour * 24, young ? minute * 1440 : 0), estimated: true, fresh };
}

/** The same from the answers to samplesQuery, by their stat. */
export function paceOf(of: (stat: string) => number, day: boolean): Pick<Day, "samples" | "estimated" | "fresh"> {
  return pace({ minute: of("1m"), hour: of("1h"), day: day ? of("1d") : undefined, earlier: of("earlier") > 0, before: of("before") > 0 });
}

function put(v: Values, r: Series, main: boolean): void {
  const x = r.samples[0]?.v;
  if (x === undefined) return;
  const stat = r.labels[statLabel];
  if (stat === "count") v.series += x;
  else if (main && (stat === "sum" || stat === "min" || stat === "max")) v[stat] = x;
}

function first(f: Family): string {
  return f.members[0] ?? f.name;
}

function at_(got: Map<string, Stats>, f: Family): Stats {
  let s = got.get(f.name);
  if (s === undefined) got.set(f.name, (s = {}));
  return s;
}
