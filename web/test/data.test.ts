import { describe, expect, test } from "vitest";
import { parseResult, parseValue } from "../src/api/series";
import { spanOf, stepsOf, valuesOf } from "../src/chart/align";
import { describe as describeMetric } from "../src/lens/kind";
import { resolve } from "../src/metric/ranges";
import { filterNames } from "../src/metrics/model";
import { windowOf } from "../src/metrics/window";

describe("answers", () => {
  test("vector, matrix, scalar", () => {
    expect(parseResult({ resultType: "vector", result: [{ metric: { a: "1" }, value: [1.5, "2"] }] })).toEqual([{ labels: { a: "1" }, samples: [{ t: 1500, v: 2 }] }]);
    expect(parseResult({ resultType: "matrix", result: [{ metric: {}, values: [[1, "2"], [2, "+Inf"]] }] })[0]?.samples).toEqual([
      { t: 1000, v: 2 },
      { t: 2000, v: Infinity },
    ]);
    expect(parseResult({ resultType: "scalar", result: [3, "4"] })).toEqual([{ labels: {}, samples: [{ t: 3000, v: 4 }] }]);
  });
  test("native histograms stand for their count, in order with plain samples", () => {
    const result = [{ metric: {}, values: [[3, "1"]], histograms: [[2, { count: "5", sum: "0.5" }]] }];
    expect(parseResult({ resultType: "matrix", result })[0]?.samples).toEqual([{ t: 2000, v: 5, sum: 0.5 }, { t: 3000, v: 1 }]);
  });
  test("what is no result is an error", () => {
    for (const bad of [null, 3, {}, { result: "x" }]) expect(() => parseResult(bad)).toThrow();
  });
  test("odd values", () => expect([parseValue("-Inf"), parseValue("NaN"), parseValue(""), parseValue(3)]).toEqual([-Infinity, NaN, NaN, NaN]));
});

describe("types", () => {
  const meta = new Map([
    ["http_seconds", { type: "histogram", help: "h" }],
    ["hello", { type: "counter", help: "" }],
    ["depth", { type: "gauge", help: "" }],
    ["odd_total", { type: "gauge", help: "" }],
  ]);
  test.each([
    ["http_seconds_bucket", "histogram", "counter"],
    ["http_seconds", "histogram", "counter"],
    ["hello_total", "counter", "counter"],
    ["depth", "gauge", "gauge"],
    ["depth_count", "unknown", "counter"],
    ["odd_total", "gauge", "gauge"],
    ["nobody_total", "unknown", "counter"],
    ["nobody", "unknown", "gauge"],
  ])("%s is a %s read as a %s", (name, type, kind) => expect(describeMetric(name, meta)).toMatchObject({ type, kind }));
});

describe("ranges", () => {
  test("no automatic step is longer than the lookback", () => {
    for (const r of ["15m", "1h", "6h", "24h", "7d", "30m", "30d"]) expect(resolve(r, "auto").step).toBeLessThanOrEqual(300_000);
  });
  test("a step that makes too many points is made longer", () => {
    const r = resolve("7d", "1s");
    expect(r.clamped).toBe(true);
    expect(r.ms / r.step + 1).toBeLessThanOrEqual(11_000);
  });
  test("nonsense becomes the default", () => expect(resolve("x", "y")).toMatchObject({ ms: 3_600_000, step: 15_000 }));
});

describe("chart data", () => {
  const grid = { start: 0, end: 60_000, step: 15_000 };
  test("steps that are not drawn are gaps", () => {
    expect(stepsOf(grid)).toEqual([0, 15, 30, 45, 60]);
    expect(valuesOf([{ t: 15_000, v: 1 }, { t: 30_000, v: NaN }, { t: 60_000, v: 2 }], grid)).toEqual([null, 1, null, null, 2]);
  });
  test("the axis has room and takes in a zero nearby", () => {
    expect(spanOf([1, 3])[0]).toBe(0);
    expect(spanOf([1000, 1001])[0]).toBeGreaterThan(999);
    expect(spanOf([])).toEqual([0, 1]);
    expect(spanOf([5, 5])).toEqual([4.75, 5.25]);
    expect(spanOf([NaN, Infinity, 0])).toEqual([0, 1]);
  });
});

describe("list", () => {
  test("all words of the filter must be in the name", () => {
    expect(filterNames(["go_gc_count", "go_info", "up"], "GO c")).toEqual(["go_gc_count"]);
    expect(filterNames(["up"], "  ")).toEqual(["up"]);
  });
  test("only rows near the viewport are drawn", () => {
    const w = windowOf(37 * 20_000, 900, 37, 50_000);
    expect(w.first).toBeLessThanOrEqual(20_000);
    expect(w.end).toBeGreaterThanOrEqual(20_025);
    expect(w.end - w.first).toBeLessThan(50);
    expect(windowOf(0, 900, 37, 3)).toEqual({ first: 0, end: 3 });
    expect(windowOf(1e9, 900, 37, 3)).toEqual({ first: 2, end: 3 });
  });
});
