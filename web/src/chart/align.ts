import type { Sample } from "../api/series";
import type { Grid } from "../lens/lens";

/** The steps of the grid, in seconds: the x axis that all series share. */
export function stepsOf(grid: Grid): number[] {
  const n = Math.round((grid.end - grid.start) / grid.step) + 1;
  return Array.from({ length: n }, (_, i) => (grid.start + i * grid.step) / 1000);
}

/** A series' values at the steps; null where nothing is drawn, which breaks the line. */
export function valuesOf(points: readonly Sample[], grid: Grid): (number | null)[] {
  const n = Math.round((grid.end - grid.start) / grid.step) + 1;
  const out = new Array<number | null>(n).fill(null);
  for (const p of points) {
    const i = Math.round((p.t - grid.start) / grid.step);
    if (i >= 0 && i < n && Number.isFinite(p.v)) out[i] = p.v;
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
