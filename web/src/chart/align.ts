import type { Sample } from "../api/series";
import type { Grid } from "../lens/lens";

/** How many steps the grid has. */
export function lengthOfGrid(grid: Grid): number {
  return Math.round((grid.end - grid.start) / grid.step) + 1;
}

/** The steps of the grid, in seconds: the x axis that all series share. */
export function stepsOf(grid: Grid): Float64Array {
  return Float64Array.from({ length: lengthOfGrid(grid) }, (_, i) => (grid.start + i * grid.step) / 1000);
}

/** A series' values at the steps; NaN where nothing is drawn, which breaks the line. */
export function valuesOf(points: readonly Sample[], grid: Grid): Float64Array {
  const out = new Float64Array(lengthOfGrid(grid)).fill(NaN);
  for (const p of points) {
    const i = Math.round((p.t - grid.start) / grid.step);
    if (i >= 0 && i < out.length && Number.isFinite(p.v)) out[i] = p.v;
  }
  return out;
}

/**
 * The y axis over all finite values. It takes in zero if that is near, so that
 * small changes of a large value stay visible and a rate still stands on its floor.
 */
export function spanOf(values: Iterable<number>): [number, number] {
  let min = Infinity;
  let max = -Infinity;
  for (const v of values) {
    if (!Number.isFinite(v)) continue;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return spanBetween(min, max);
}

/** The same over the values of several lines, and others. */
export function spanOfLines(lines: readonly { values: ArrayLike<number> }[], others: Iterable<number> = []): [number, number] {
  let [min, max] = [Infinity, -Infinity];
  const take = (v: number) => {
    if (v - v !== 0) return;
    if (v < min) min = v;
    if (v > max) max = v;
  };
  for (const l of lines) {
    for (let i = 0; i < l.values.length; i++) take(l.values[i] ?? NaN);
  }
  for (const v of others) take(v);
  return spanBetween(min, max);
}

function spanBetween(min: number, max: number): [number, number] {
  if (min > max) return [0, 1];
  if (min >= 0 && min <= (max - min) * 1.5) min = 0;
  if (max <= 0 && -max <= (max - min) * 1.5) max = 0;
  if (min === max) {
    if (min === 0) return [0, 1];
    const pad = Math.abs(min) * 0.05;
    return [min - pad, max + pad];
  }
  const pad = (max - min) * 0.08;
  return [min === 0 ? 0 : min - pad, max === 0 ? 0 : max + pad];
}
