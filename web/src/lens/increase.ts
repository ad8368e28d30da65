import type { Sample } from "../api/series";

/** By how much a counter grew, from its stored samples alone. */
export interface Increase {
  /** The sum of the differences of neighbours; after a reset the new value counts whole. */
  value: number;
  /** How often the value fell. */
  resets: number;
  /** Whether a sample from before the range was there to count from. */
  anchored: boolean;
  /** Whether the first sample is zero, so that nothing before it is left out. */
  fromZero: boolean;
}

/**
 * The exact increase over stored samples: nothing is extrapolated, unlike in
 * PromQL's increase(). Before is the value just before the first sample, if
 * the series was alive then. Undefined if there is nothing to compare.
 */
export function exactIncrease(samples: readonly Sample[], before: number | undefined): Increase | undefined {
  if (samples.length === 0) return undefined;
  let prev = before;
  let value = 0;
  let resets = 0;
  for (const { v } of samples) {
    if (prev !== undefined) {
      if (v < prev) {
        resets++;
        value += v;
      } else {
        value += v - prev;
      }
    }
    prev = v;
  }
  return { value, resets, anchored: before !== undefined, fromZero: samples[0]?.v === 0 };
}

/** The difference of each sample to the one before it; undefined for the first. */
export function differences(samples: readonly Sample[]): (number | undefined)[] {
  return samples.map((s, i) => {
    const prev = samples[i - 1];
    return prev === undefined ? undefined : s.v - prev.v;
  });
}
