import { signal } from "@preact/signals";
import type { Sample } from "../api/series";

/** How long the backend goes on showing a sample, in ms: Prometheus's default until it is known better. */
export const lookback = signal(300_000);

/** The least window of a rate, ms: two samples of a counter that is repeated every two minutes are in it. */
export const leastRate = 300_000;

/** The steps of a range query, ms; every step is a multiple of step. */
export interface Grid {
  start: number;
  end: number;
  step: number;
}

/** What the samples lens says of one series, or summed over several. */
export interface Lens {
  /** Samples that are stored in the range. */
  stored: number;
  /** Points that the range query draws. */
  drawn: number;
  /** Drawn points that only repeat a sample drawn before, or one older than a step. */
  carried: number;
  /** Stored samples up to the last step that no step shows. */
  hidden: number;
  /** Stored samples after the last step: the next one will show them. */
  waiting: number;
}

/**
 * The grid that ends with the last multiple of step not after now. Aligned
 * steps make a refresh draw the same points again, moved by whole steps.
 */
export function gridFor(now: number, range: number, step: number): Grid {
  const end = Math.floor(now / step) * step;
  return { start: end - Math.floor(range / step) * step, end, step };
}

/**
 * The lens on one series. Stamps is the answer to timestamp(series): at each
 * drawn step the time of the sample that it shows, in ms. Stored are the times
 * of the samples in [grid.start, now], sorted.
 *
 * A point is fresh if its sample is younger than a step, that is, no earlier
 * step could show it. All others are carried by the lookback.
 */
export function lensOf(stored: readonly number[], stamps: readonly Stamp[], grid: Grid): Lens {
  const shown = new Set(stamps.map((s) => s.sample));
  let carried = 0;
  for (const s of stamps) {
    if (s.sample <= s.t - grid.step) carried++;
  }
  let hidden = 0;
  let waiting = 0;
  for (const t of stored) {
    if (t > grid.end) waiting++;
    else if (!shown.has(t)) hidden++;
  }
  return { stored: stored.length, drawn: stamps.length, carried, hidden, waiting };
}

/** A drawn step and the time of the sample that it shows, both ms. */
export interface Stamp {
  t: number;
  sample: number;
}

/** Reads the answer to timestamp(x), whose values are seconds. */
export function stampsOf(points: readonly Sample[]): Stamp[] {
  return points.map((p) => ({ t: p.t, sample: Math.round(p.v * 1000) }));
}

/** Adds lenses up. */
export function sumLens(all: readonly Lens[]): Lens {
  const sum: Lens = { stored: 0, drawn: 0, carried: 0, hidden: 0, waiting: 0 };
  for (const l of all) {
    sum.stored += l.stored;
    sum.drawn += l.drawn;
    sum.carried += l.carried;
    sum.hidden += l.hidden;
    sum.waiting += l.waiting;
  }
  return sum;
}

/** When a series was marked stale: after the one time, not after the other; ms. */
export interface Ended {
  after: number;
  by: number;
}

/**
 * Infers that a series was ended by a stale marker, which no query returns: a
 * step within the lookback of the last sample shows nothing. Undefined means
 * that it goes on, or just faded out, or that no step can tell.
 */
export function endedOf(lastSample: number | undefined, stamps: readonly Stamp[], grid: Grid): Ended | undefined {
  if (lastSample === undefined) return undefined;
  const lastDrawn = stamps.findLast((s) => s.sample === lastSample)?.t ?? lastSample;
  const silent = Math.floor(lastDrawn / grid.step) * grid.step + grid.step;
  if (silent > grid.end || silent - lastSample >= lookback.value) return undefined;
  return { after: lastDrawn, by: silent };
}
