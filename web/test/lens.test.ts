import { describe, expect, test } from "vitest";
import { caption } from "../src/lens/caption";
import { differences, exactIncrease } from "../src/lens/increase";
import { endedOf, gridFor, lensOf, lookback, stampsOf, sumLens, type Grid, type Stamp } from "../src/lens/lens";

const t0 = 1_795_320_000_000; // a multiple of ten minutes
const s = 1000;
const min = 60 * s;

// What Prometheus answers to timestamp(x): at each step the newest sample that
// is younger than the lookback and that no stale marker follows.
function answer(samples: readonly number[], grid: Grid, staleAt = Infinity): Stamp[] {
  const out: Stamp[] = [];
  for (let t = grid.start; t <= grid.end; t += grid.step) {
    const sample = samples.findLast((x) => x <= t);
    if (sample !== undefined && sample > t - lookback.value && t < staleAt) out.push({ t, sample });
  }
  return out;
}

describe("three updates", () => {
  const samples = [t0 + 7 * s, t0 + 95 * s, t0 + 20 * min + 3 * s];

  test("at step 15 s three samples become 46 points", () => {
    const grid = { start: t0, end: t0 + 30 * min, step: 15 * s };
    const lens = lensOf(samples, answer(samples, grid), grid);
    expect(lens).toEqual({ stored: 3, drawn: 46, carried: 43, hidden: 0, waiting: 0 });
    expect(caption(lens, grid.step)).toBe("3 samples stored · 46 points drawn at step 15 s · 43 carried by the 5 min lookback");
  });

  test("at step 10 min none is drawn", () => {
    const grid = { start: t0, end: t0 + 30 * min, step: 10 * min };
    const lens = lensOf(samples, answer(samples, grid), grid);
    expect(lens).toEqual({ stored: 3, drawn: 0, carried: 0, hidden: 3, waiting: 0 });
    expect(caption(lens, grid.step)).toBe("3 samples stored · 0 points drawn at step 10 min · 3 hidden: no step fell on them");
  });
});

describe("lensOf", () => {
  const grid = { start: t0, end: t0 + 2 * min, step: min };

  test("samples closer than a step are hidden by the next", () => {
    const stored = [t0 + 10 * s, t0 + 20 * s, t0 + 80 * s];
    expect(lensOf(stored, answer(stored, grid), grid)).toEqual({ stored: 3, drawn: 2, carried: 0, hidden: 1, waiting: 0 });
  });

  test("a sample after the last step waits, it is not hidden", () => {
    const stored = [t0 + 2 * min + 5 * s];
    expect(lensOf(stored, [], grid)).toEqual({ stored: 1, drawn: 0, carried: 0, hidden: 0, waiting: 1 });
  });

  test("the first point is fresh if its sample is younger than a step, though it was stored before the range", () => {
    expect(lensOf([], [{ t: t0, sample: t0 - 10 * s }], grid).carried).toBe(0);
    expect(lensOf([], [{ t: t0, sample: t0 - min }], grid).carried).toBe(1);
  });

  test("no data is all zeros", () => {
    expect(lensOf([], [], grid)).toEqual({ stored: 0, drawn: 0, carried: 0, hidden: 0, waiting: 0 });
  });

  test("several series add up", () => {
    const one = { stored: 1, drawn: 2, carried: 3, hidden: 4, waiting: 5 };
    expect(sumLens([one, one])).toEqual({ stored: 2, drawn: 4, carried: 6, hidden: 8, waiting: 10 });
  });

  test("timestamp() answers in seconds, to the millisecond", () => {
    expect(stampsOf([{ t: t0, v: 1795319999.123 }])).toEqual([{ t: t0, sample: 1795319999123 }]);
  });
});

describe("gridFor", () => {
  test("ends with the last step and has the range's length", () => {
    expect(gridFor(t0 + 7 * s, 15 * min, 15 * s)).toEqual({ start: t0 - 15 * min, end: t0, step: 15 * s });
  });
});

describe("endedOf", () => {
  const grid = { start: t0, end: t0 + 10 * min, step: 15 * s };
  const last = t0 + 2 * min + 1 * s;

  test("a series that stops within the lookback was marked stale", () => {
    const marker = t0 + 3 * min + 5 * s;
    expect(endedOf(last, answer([last], grid, marker), grid)).toEqual({ after: t0 + 3 * min, by: t0 + 3 * min + 15 * s });
  });

  test("a marker before the next step is found too", () => {
    expect(endedOf(last, answer([last], grid, last + 2 * s), grid)).toEqual({ after: last, by: t0 + 2 * min + 15 * s });
  });

  test("a series that fades out with the lookback was not", () => {
    expect(endedOf(last, answer([last], grid), grid)).toBeUndefined();
  });

  test("one that goes on was not", () => {
    const live = t0 + 9 * min + 50 * s;
    expect(endedOf(live, answer([live], grid), grid)).toBeUndefined();
  });

  test("a sample that waits for its step tells nothing", () => {
    expect(endedOf(t0 + 10 * min + 3 * s, [], grid)).toBeUndefined();
    expect(endedOf(undefined, [], grid)).toBeUndefined();
  });
});

describe("exactIncrease", () => {
  const of = (...vs: number[]) => vs.map((v, i) => ({ t: t0 + i * min, v }));

  test("adds differences up, without extrapolation", () => {
    expect(exactIncrease(of(1, 2, 3), undefined)).toEqual({ value: 2, resets: 0, anchored: false, fromZero: false });
  });

  test("counts from the value before the range", () => {
    expect(exactIncrease(of(5, 9), 4)).toEqual({ value: 5, resets: 0, anchored: true, fromZero: false });
  });

  test("a birth at zero leaves nothing out", () => {
    expect(exactIncrease(of(0, 42), undefined)).toMatchObject({ value: 42, fromZero: true });
  });

  test("after a reset the new value counts whole", () => {
    expect(exactIncrease(of(10, 12, 3, 4), undefined)).toMatchObject({ value: 6, resets: 1 });
  });

  test("nothing is no increase", () => {
    expect(exactIncrease([], 3)).toBeUndefined();
  });

  test("the first sample has no difference", () => {
    expect(differences(of(4, 6, 5))).toEqual([undefined, 2, -1]);
  });
});
