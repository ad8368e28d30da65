import type uPlot from "uplot";
import type { Series } from "../api/series";
import { parseValue } from "../api/series";
import { formatNumber } from "../format/number";
import type { Grid } from "../lens/lens";
import { lengthOfGrid } from "./align";
import type { Theme } from "./theme";

/** A histogram over time: how many observations a second fell between two bounds. */
export interface Heat {
  /** From below to above. Bounds of classic histograms are as far apart as they look; native ones are on a log scale. */
  rows: readonly Row[];
  max: number;
  log: boolean;
  /** Observations that are not drawn: below zero in a native histogram. */
  below: number;
}

interface Row {
  lower: number;
  upper: number;
  values: Float64Array;
}

/** Reads the rate of cumulative buckets by le; several of one bound add up. Undefined if there are none. */
export function classicHeat(series: readonly Series[], grid: Grid): Heat | undefined {
  const n = lengthOfGrid(grid);
  const bounds = new Map<number, Series[]>();
  for (const s of series) {
    const le = parseValue(s.labels["le"]);
    if (!Number.isNaN(le)) bounds.set(le, [...(bounds.get(le) ?? []), s]);
  }
  const by = [...bounds].map(([le, all]) => ({ le, all })).sort((a, b) => a.le - b.le);
  if (by.length === 0) return undefined;
  let below = new Float64Array(n);
  let lower = (by[0]?.le ?? 0) > 0 ? 0 : -Infinity;
  let max = 0;
  const rows = by.map(({ le, all }): Row => {
    const upTo = new Float64Array(n);
    for (const p of all.flatMap((s) => s.samples)) {
      const i = Math.round((p.t - grid.start) / grid.step);
      if (i >= 0 && i < n && Number.isFinite(p.v)) upTo[i] = (upTo[i] ?? 0) + p.v;
    }
    const values = upTo.map((v, i) => Math.max(0, v - (below[i] ?? 0)));
    for (const v of values) max = Math.max(max, v);
    const row = { lower, upper: le, values };
    below = upTo;
    lower = le;
    return row;
  });
  return { rows: trimmed(rows), max, log: false, below: 0 };
}

/** Reads the rate of one native histogram. Undefined if there is none. */
export function nativeHeat(series: readonly Series[], grid: Grid): Heat | undefined {
  const n = lengthOfGrid(grid);
  const rows = new Map<string, Row>();
  let below = 0;
  let max = 0;
  let some = false;
  for (const p of series.flatMap((s) => s.samples)) {
    if (p.buckets === undefined) continue;
    some = true;
    const i = Math.round((p.t - grid.start) / grid.step);
    for (const [lower, upper, count] of p.buckets) {
      if (upper <= 0 && lower < 0) below += count;
      if (upper <= 0 || i < 0 || i >= n) continue;
      const key = `${lower} ${upper}`;
      let row = rows.get(key);
      if (row === undefined) rows.set(key, (row = { lower, upper, values: new Float64Array(n) }));
      const v = (row.values[i] = (row.values[i] ?? 0) + count);
      max = Math.max(max, v);
    }
  }
  if (!some) return undefined;
  return { rows: [...rows.values()].sort((a, b) => a.upper - b.upper), max, log: true, below };
}

// Empty buckets above and below all that was observed only take room; one stays.
function trimmed(rows: readonly Row[]): readonly Row[] {
  const used = rows.map((r) => r.values.some((v) => v > 0));
  const first = Math.max(0, used.indexOf(true) - 1);
  const last = used.lastIndexOf(true);
  return last < 0 ? rows.slice(0, 1) : rows.slice(first, Math.min(rows.length, last + 2));
}

/** Where things are on the y axis of a heatmap: rows of one height, or the log of the bounds. */
export interface HeatAxis {
  span: readonly [number, number];
  place: (row: number) => readonly [number, number];
  ticks: { at: readonly number[]; text: readonly string[] };
  rowAt: (v: number) => number;
}

/** The y axis of a heatmap. */
export function heatAxis(h: Heat): HeatAxis {
  const log = (v: number) => Math.log2(v);
  const least = h.rows.reduce((m, r) => (r.lower > 0 ? Math.min(m, r.lower) : Math.min(m, r.upper / 2)), Infinity);
  const most = h.rows.reduce((m, r) => (Number.isFinite(r.upper) ? Math.max(m, r.upper) : m), 0);
  const place = (i: number): readonly [number, number] => {
    const r = h.rows[i];
    if (r === undefined || !h.log) return [i, i + 1];
    return [r.lower > 0 ? log(r.lower) : log(least), Number.isFinite(r.upper) ? log(r.upper) : log(most) + 1];
  };
  const span: readonly [number, number] = !h.log ? [0, h.rows.length] : Number.isFinite(least) && most > 0 ? [log(least), log(most) + 0.01] : [0, 1];
  const rowAt = (v: number) => (h.log ? h.rows.findIndex((_, i) => v >= place(i)[0] && v < place(i)[1]) : v < 0 || v >= h.rows.length ? -1 : Math.floor(v));
  return { span, place, ticks: h.log ? logTicks(span) : rowTicks(h.rows), rowAt };
}

function rowTicks(rows: readonly Row[]): HeatAxis["ticks"] {
  const every = Math.max(1, Math.ceil(rows.length / 9));
  const at = rows.map((_, i) => i + 1).filter((i) => (i % every === 0 && rows.length - i > every / 2) || i === rows.length);
  return { at, text: at.map((i) => bound(rows[i - 1]?.upper ?? NaN)) };
}

function logTicks([from, to]: readonly [number, number]): HeatAxis["ticks"] {
  const at: number[] = [];
  const decades = (to - from) / Math.log2(10);
  for (let e = Math.floor(from / Math.log2(10)) - 1; e <= to / Math.log2(10) + 1; e++) {
    for (const m of decades > 4 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7]) {
      const v = Math.log2(m * 10 ** e);
      if (v >= from && v <= to) at.push(v);
    }
  }
  return { at, text: at.map((v) => bound(Number((2 ** v).toPrecision(3)))) };
}

/** A bound of a bucket for reading. */
export function bound(v: number): string {
  return v === Infinity ? "+Inf" : formatNumber(v);
}

/** Draws the cells: the more, the stronger. */
export function drawHeat(u: uPlot, h: Heat, axis: HeatAxis, grid: Grid, theme: Theme): void {
  const { ctx } = u;
  const n = lengthOfGrid(grid);
  const x0 = u.valToPos(grid.start / 1000, "x", true);
  const dx = (u.valToPos(grid.end / 1000, "x", true) - x0) / Math.max(1, n - 1);
  const gap = dx > 6 * devicePixelRatio ? devicePixelRatio : 0;
  for (const [row, r] of h.rows.entries()) {
    const [lower, upper] = axis.place(row);
    const top = Math.round(u.valToPos(upper, "y", true));
    const height = Math.max(1, Math.round(u.valToPos(lower, "y", true)) - top - (gap > 0 ? 1 : 0));
    for (let i = 0; i < n; i++) {
      const v = r.values[i] ?? 0;
      if (v <= 0) continue;
      ctx.fillStyle = theme.heat[shade(v, h.max, theme.heat.length)] ?? theme.ink;
      ctx.fillRect(x0 + (i - 1) * dx, top, Math.max(1, dx - gap), height);
    }
  }
}

/** Which of n shades a value has: by the root, so that rare ones are seen beside frequent ones. */
export function shade(v: number, max: number, n: number): number {
  return max <= 0 ? 0 : Math.min(n - 1, Math.floor(Math.sqrt(v / max) * n));
}
