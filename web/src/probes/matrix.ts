import type { Target } from "../api/probes";
import type { Sample, Series } from "../api/series";
import { formatLabels, type Labels } from "../promql";

/** How a target stands, seen from one region. "late": it should have run again, and has not. */
export type State = "up" | "down" | "late";

/** One target in one region. */
export interface Cell {
  region: string;
  labels: Labels;
  state: State;
  /** The last run. */
  last: number;
  seconds: number | undefined;
  phase: string;
  reason: string;
  /** How often it runs, ms; undefined if it ran once. */
  every: number | undefined;
  /** The last runs, oldest first. */
  runs: readonly Sample[];
  expires: number | undefined;
}

/** One target over all regions. */
export interface Row {
  /** What it is called: its name, or else what is probed. */
  name: string;
  target: string;
  module: string;
  hostname: string;
  cells: readonly Cell[];
  /** The share of probes that succeeded, by window. */
  uptime: ReadonlyMap<string, number>;
  /** The earliest end of a certificate, ms; and whether regions are shown different ones. */
  expires: number | undefined;
  differ: boolean;
}

/** Answers of the store. */
export interface Answers {
  /** probe_success as stored, of the last hours. */
  runs: readonly Series[];
  /** Its last value within a day. */
  seen: readonly Series[];
  why: readonly Series[];
  took: readonly Series[];
  ends: readonly Series[];
  uptime: readonly { window: string; series: readonly Series[] }[];
  configured: readonly Target[];
  now: number;
}

/** Puts them together: a row for each target, a cell for each region that it was probed from. */
export function matrixOf(a: Answers): Row[] {
  const rows = new Map<string, { target: string; module: string; hostname: string; cells: Cell[] }>();
  const row = (name: string, target: string, module: string, hostname: string) => {
    let r = rows.get(name);
    if (r === undefined) rows.set(name, (r = { target, module, hostname, cells: [] }));
    return r;
  };
  for (const t of a.configured) row(t.name || t.target, t.target, t.module, t.hostname);
  const runs = new Map(a.runs.map((s) => [keyOf(s.labels), s.samples]));
  const took = byKey(a.took);
  const ends = byKey(a.ends);
  for (const s of a.seen) {
    const key = keyOf(s.labels);
    const list = runs.get(key) ?? [];
    const why = latest(a.why.filter((w) => keyOf(without(w.labels, ["phase", "reason"])) === key));
    row(nameOf(s.labels), s.labels["instance"] ?? "", s.labels["module"] ?? "", "").cells.push(cellOf(s, list, why, took.get(key), ends.get(key), a.now));
  }
  return [...rows]
    .map(([name, r]): Row => {
      const expiries = r.cells.flatMap((c) => c.expires ?? []);
      return {
        name, ...r,
        cells: r.cells.sort((x, y) => (x.region < y.region ? -1 : 1)),
        uptime: new Map(a.uptime.flatMap(({ window, series }) => share(series, name, window))),
        expires: expiries.length === 0 ? undefined : Math.min(...expiries),
        differ: new Set(expiries).size > 1,
      };
    })
    .sort((x, y) => worst(x) - worst(y) || (x.name < y.name ? -1 : 1));
}

/** What a series of a probe is called. */
export function nameOf(labels: Labels): string {
  return labels["name"] ?? labels["instance"] ?? labels["target"] ?? "";
}

function cellOf(seen: Series, runs: readonly Sample[], why: Series | undefined, took: number | undefined, ends: number | undefined, now: number): Cell {
  const value = runs.at(-1)?.v ?? seen.samples[0]?.v ?? NaN;
  const last = runs.at(-1)?.t ?? 0;
  const every = intervalOf(runs);
  const late = last === 0 || (every !== undefined && now - last > 2.5 * every + 5000);
  const down = value === 0;
  return {
    region: seen.labels["region"] ?? "", labels: seen.labels, state: late ? "late" : down ? "down" : "up", last, seconds: took,
    phase: down ? (why?.labels["phase"] ?? "") : "", reason: down ? (why?.labels["reason"] ?? "") : "",
    every, runs, expires: ends === undefined ? undefined : ends * 1000,
  };
}

/** How often it runs: the median distance of its runs. */
export function intervalOf(runs: readonly Sample[]): number | undefined {
  const gaps = runs.slice(1).map((r, i) => r.t - (runs[i]?.t ?? 0)).sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)];
}

/** The last slots of a cell for drawing: a run in each, or undefined where one is missing. */
export function slotsOf(c: Cell, n: number, now: number): (Sample | undefined)[] {
  const every = c.every;
  if (every === undefined || every <= 0) return c.runs.slice(-n);
  const out: (Sample | undefined)[] = [];
  let end = Math.max(c.last, now - every);
  for (let i = 0; i < n; i++, end -= every) {
    out.unshift(c.runs.findLast((r) => r.t <= end + every / 2 && r.t > end - every / 2));
  }
  const first = out.findIndex((s) => s !== undefined);
  return first < 0 ? [] : out.slice(first);
}

function share(series: readonly Series[], name: string, window: string): (readonly [string, number])[] {
  const of = series.filter((s) => nameOf(s.labels) === name).flatMap((s) => s.samples[0]?.v ?? []);
  return of.length === 0 ? [] : [[window, of.reduce((a, b) => a + b, 0) / of.length]];
}

function worst(r: Row): number {
  return Math.min(3, ...r.cells.map((c) => ({ down: 0, late: 1, up: 2 })[c.state]));
}

function latest(all: readonly Series[]): Series | undefined {
  return [...all].sort((a, b) => (b.samples.at(-1)?.t ?? 0) - (a.samples.at(-1)?.t ?? 0))[0];
}

function byKey(all: readonly Series[]): Map<string, number> {
  return new Map(all.flatMap((s) => (s.samples[0] === undefined ? [] : [[keyOf(s.labels), s.samples[0].v] as const])));
}

function keyOf(labels: Labels): string {
  return formatLabels(labels);
}

function without(labels: Labels, names: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([n]) => !names.includes(n)));
}
