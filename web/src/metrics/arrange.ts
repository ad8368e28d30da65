import { lookback } from "../lens/lens";
import type { Family } from "./family";
import type { Depth, Stats } from "./stats";

/** What the list can be sorted by. */
export type Column = "name" | "type" | "series" | "value" | "age" | "samples" | "cost";

/** Sorted by a column; reverse is from large to small, or from Z to A. */
export interface Order {
  column: Column;
  reverse: boolean;
}

const columns: readonly Column[] = ["name", "type", "series", "value", "age", "samples", "cost"];

/** Reads an order as the address has it: "series", or "-series" for reverse. */
export function parseOrder(s: string): Order {
  const column = columns.find((c) => c === s.replace(/^-/, ""));
  return column === undefined ? { column: "name", reverse: false } : { column, reverse: s.startsWith("-") };
}

/** Writes an order for the address; the default is "". */
export function formatOrder(o: Order): string {
  return o.column === "name" && !o.reverse ? "" : (o.reverse ? "-" : "") + o.column;
}

/** What has to be known of all rows before they can be sorted or picked so. */
export function depthOf(o: Order, state: string): Depth | undefined {
  if (o.column === "samples" || o.column === "cost" || state === "new") return "day";
  return o.column === "name" || o.column === "type" ? (state === "silent" ? "live" : undefined) : "live";
}

/** A family's state at a time: new since an hour, silent for longer than the lookback, or neither. */
export function stateOf(s: Stats | undefined, now: number): "new" | "silent" | undefined {
  if (s?.last !== undefined && now - s.last > lookback.value) return "silent";
  return s?.day?.fresh === true ? "new" : undefined;
}

/** The families that contain every word of the filter in name or help, upper and lower case alike. */
export function filterFamilies(families: readonly Family[], filter: string): readonly Family[] {
  const words = filter.toLowerCase().split(/\s+/).filter((w) => w !== "");
  if (words.length === 0) return families;
  return families.filter((f) => {
    const name = f.name.toLowerCase();
    const text = f.help === "" ? name : `${name} ${f.help.toLowerCase()}`;
    return words.every((w) => text.includes(w));
  });
}

/** The families in order. What is not known comes last, either way round. */
export function sorted(families: readonly Family[], stats: ReadonlyMap<string, Stats>, o: Order): readonly Family[] {
  if (o.column === "name") return o.reverse ? [...families].reverse() : families;
  const key = (f: Family) => keyOf(f, stats.get(f.name), o.column);
  const keyed = families.map((f) => ({ f, k: key(f) }));
  keyed.sort((a, b) => {
    if (a.k === undefined || b.k === undefined) return Number(a.k === undefined) - Number(b.k === undefined);
    const d = a.k < b.k ? -1 : a.k > b.k ? 1 : 0;
    return o.reverse ? -d : d;
  });
  return keyed.map((x) => x.f);
}

function keyOf(f: Family, s: Stats | undefined, c: Column): number | string | undefined {
  switch (c) {
    case "name":
      return f.name;
    case "type":
      return f.type;
    case "series":
      return s?.day?.series ?? s?.live?.series;
    case "value":
      return valueOf(f, s)?.sort;
    case "age":
      return s?.last === undefined ? undefined : -s.last;
    case "samples":
    case "cost":
      return s?.day === undefined || Number.isNaN(s.day.samples) ? undefined : s.day.samples;
  }
}

/** The last value: of what adds up the sum, of gauges the span. */
export interface LastValue {
  sum?: number;
  min?: number;
  max?: number;
  series: number;
  sort: number;
}

/** The last value over all series of the day; of the live ones as long as no others are known. */
export function valueOf(f: Family, s: Stats | undefined): LastValue | undefined {
  const live = s?.live;
  const day = s?.day;
  const v = day !== undefined && day.series > (live?.series ?? 0) ? day : (live ?? day);
  if (v === undefined) return undefined;
  if (f.kind !== "gauge") return v.sum === undefined ? undefined : { sum: v.sum, series: v.series, sort: v.sum };
  return v.min === undefined || v.max === undefined ? undefined : { min: v.min, max: v.max, series: v.series, sort: v.max };
}

/** A line of the list. */
export type Line = { kind: "group"; name: string; count: number; open: boolean } | { kind: "family"; family: Family };

/** The list's lines: groups in order of name, each with its families unless it is closed. */
export function linesOf(families: readonly Family[], groupOf: ((f: Family) => string) | undefined, closed: ReadonlySet<string>): readonly Line[] {
  if (groupOf === undefined) return families.map((family) => ({ kind: "family", family }));
  const groups = new Map<string, Family[]>();
  for (const f of families) {
    const g = groupOf(f);
    const list = groups.get(g);
    if (list === undefined) groups.set(g, [f]);
    else list.push(f);
  }
  const names = [...groups.keys()].sort((a, b) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  return names.flatMap((name): Line[] => {
    const list = groups.get(name) ?? [];
    const open = !closed.has(name);
    const head: Line = { kind: "group", name, count: list.length, open };
    return open ? [head, ...list.map((family): Line => ({ kind: "family", family }))] : [head];
  });
}

/** Groups by the first word of the name; words that only one family has are one group, "". */
export function prefixes(families: readonly Family[]): (f: Family) => string {
  const word = (f: Family) => /^[^_:.]+[_:.]/.exec(f.name)?.[0] ?? f.name;
  const counts = new Map<string, number>();
  for (const f of families) counts.set(word(f), (counts.get(word(f)) ?? 0) + 1);
  return (f) => ((counts.get(word(f)) ?? 0) > 1 ? word(f) : "");
}
