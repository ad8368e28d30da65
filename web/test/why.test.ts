import { describe, expect, test } from "vitest";
import { exactIncrease } from "../src/lens/increase";
import { endedOf, lensOf, lookback, type Grid, type Stamp } from "../src/lens/lens";
import { nearest, why, type Finding, type Question } from "../src/lens/why";

const t0 = 1_795_320_000_000; // a multiple of ten minutes
const s = 1000;
const min = 60 * s;

function stampsFor(samples: readonly { t: number }[], grid: Grid, staleAt = Infinity): Stamp[] {
  const out: Stamp[] = [];
  for (let t = grid.start; t <= grid.end; t += grid.step) {
    const sample = samples.findLast((x) => x.t <= t)?.t;
    if (sample !== undefined && sample > t - lookback.value && t < staleAt) out.push({ t, sample });
  }
  return out;
}

// A metric of one series with these samples, as [seconds after t0, value].
function question(samples: readonly (readonly [number, number])[], over: Partial<Question> = {}, extrapolated?: number, staleAt?: number): Question {
  const grid = over.grid ?? { start: t0, end: t0 + 60 * min, step: 15 * s };
  const stored = samples.map(([at, v]) => ({ t: t0 + at * s, v }));
  const stamps = stampsFor(stored, grid, staleAt);
  const exact = exactIncrease(stored, undefined);
  const lens = lensOf(stored.map((x) => x.t), stamps, grid);
  const one = { key: "{}", stored, stamps, lens, ended: endedOf(stored.at(-1)?.t, stamps, grid), exact, extrapolated: extrapolated ?? exact?.value, rate: [] };
  return {
    name: "x_total", kind: "counter", where: [], grid, now: grid.end, rateWindow: 5 * min, totalSeries: stored.length > 0 ? 1 : 0,
    series: stored.length > 0 ? [one] : [], absence: undefined, partial: false, idle: 3600 * s, ...over,
  };
}

const ids = (f: readonly Finding[]) => f.map((x) => x.id);
const of = (f: readonly Finding[], id: string) => f.find((x) => x.id === id);

const three = [[7, 1], [95, 2], [1203, 3]] as const;
const every = (seconds: number, n: number, value: (i: number) => number) => Array.from({ length: n }, (_, i) => [i * seconds + 1, value(i)] as const);

describe("why", () => {
  test("three updates at step 15 s: carried, with a gap, jagged, extrapolated", () => {
    const f = why(question(three, {}, 3.01));
    expect(ids(f)).toEqual(["carried", "gaps", "jagged", "extrapolated"]);
    expect(of(f, "carried")?.title).toBe("43 of 46 points repeat a stored sample");
    expect(of(f, "carried")?.fixes[0]).toEqual({ label: "Draw stored samples only", patch: { carried: "off" } });
    expect(of(f, "extrapolated")?.title).toBe("increase() says 3.01, the samples say 2");
    expect(of(f, "extrapolated")?.fixes[0]).toMatchObject({ query: "increase(x_total[1h] anchored)" });
  });

  test("three updates at step 10 min: all hidden, and a step that shows them", () => {
    const f = why(question(three, { grid: { start: t0, end: t0 + 60 * min, step: 10 * min } }));
    expect(of(f, "hidden")?.title).toBe("All 3 stored samples are hidden");
    expect(of(f, "hidden")?.fixes).toEqual([
      { label: "Step 1 min shows all", patch: { step: "1m" } },
      { label: "Query the last of each 10 min", query: "last_over_time(x_total[10m])" },
    ]);
  });

  test("samples closer than the step", () => {
    const f = why(question(every(5, 700, (i) => i)));
    expect(of(f, "hidden")?.evidence).toContain("a step shows only the newest");
    expect(of(f, "hidden")?.fixes).toEqual([{ label: "Step 5 s shows all", patch: { step: "5s" } }]);
  });

  test("equal samples are flat, not carried", () => {
    const f = why(question(every(15, 240, () => 7)));
    expect(ids(f)).toEqual(["flat"]);
    expect(f[0]?.evidence).toContain("240 samples are stored, all equal: 7.");
    expect(why(question(every(15, 240, () => 7), { kind: "gauge" }))[0]?.evidence).toContain("It is the data that is flat");
  });

  test("samples farther apart than the lookback", () => {
    const f = why(question(every(600, 6, (i) => i), { kind: "gauge" }));
    expect(of(f, "gaps")?.title).toBe("5 gaps in the line");
    expect(of(f, "gaps")?.fixes).toEqual([{ label: "Query across the gaps", query: "last_over_time(x_total[15m])" }]);
    expect(of(f, "jagged")).toBeUndefined();
  });

  test("a reset, and a series that ended", () => {
    expect(ids(why(question(every(15, 240, (i) => i % 200))))).toContain("resets");
    const f = why(question(every(15, 40, (i) => i), {}, undefined, t0 + 10 * min + 5 * s));
    expect(of(f, "ended")?.evidence).toContain("has not changed for 1 h");
  });

  test("nothing odd is said, too", () => {
    const f = why(question(every(15, 240, (i) => i)));
    expect(ids(f)).toEqual(["fine"]);
    expect(f[0]?.evidence).toContain("All 240 stored samples can be seen");
  });

  test("a native histogram's samples are told apart by their count", () => {
    expect(ids(why(question(every(15, 240, (i) => i), { kind: "native" })))).toEqual(["fine"]);
  });
});

describe("why it is empty", () => {
  const absence = (last: number | null, values: Record<string, string[]> = {}) => ({ last, values: new Map(Object.entries(values)) });
  test("a filter that nothing fits, with the nearest values", () => {
    const f = why(question([], { where: [{ label: "shop", not: false, value: "basle" }, { label: "a", not: true, value: "b" }], absence: absence(t0 + min, { shop: ["zurich", "basel", "bern"] }) }));
    expect(ids(f)).toEqual(["no-match"]);
    expect(f[0]?.fixes[0]).toEqual({ label: "shop = basel", patch: { where: ["a!=b", "shop=basel"] } });
    expect(f[0]?.fixes.at(-1)).toEqual({ label: "Without this filter", patch: { where: ["a!=b"] } });
  });
  test("an old sample, and the range that has it", () => {
    const f = why(question([], { absence: absence(t0 - 120 * min) }));
    expect(f[0]).toMatchObject({ id: "older", fixes: [{ patch: { range: "6h" } }] });
  });
  test("nothing at all", () => expect(ids(why(question([], { absence: absence(null) })))).toEqual(["never"]));
  test("nothing between two times", () => expect(ids(why(question([], { absence: absence(t0 + 90 * min) })))).toEqual(["elsewhere"]));
});

test("the nearest values come first", () => {
  expect(nearest("GET", ["POST", "get", "PUT"])[0]).toBe("get");
  expect(nearest("chekout", ["cart", "checkout", "items"])[0]).toBe("checkout");
});
