import { describe, expect, test } from "vitest";
import prices from "../../cost/prices.json";
import { parseResult, parseValue } from "../src/api/series";
import { readServer } from "../src/api/server";
import { spanOf, spanOfLines, stepsOf, valuesOf } from "../src/chart/align";
import { barPath, linePath } from "../src/chart/spark";
import { describe as describeMetric } from "../src/lens/kind";
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
    const result = [{ metric: {}, values: [[3, "1"]], histograms: [[2, { count: "5", sum: "0.5", buckets: [[0, "0.1", "+Inf", "5"]] }]] }];
    expect(parseResult({ resultType: "matrix", result })[0]?.samples).toEqual([{ t: 2000, v: 5, sum: 0.5, buckets: [[0.1, Infinity, 5]] }, { t: 3000, v: 1 }]);
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
    ["http_seconds", "histogram", "native"],
    ["hello_total", "counter", "counter"],
    ["depth", "gauge", "gauge"],
    ["depth_count", "unknown", "counter"],
    ["odd_total", "gauge", "gauge"],
    ["nobody_total", "unknown", "counter"],
    ["nobody", "unknown", "gauge"],
  ])("%s is a %s read as a %s", (name, type, kind) => expect(describeMetric(name, meta)).toMatchObject({ type, kind }));
});

describe("the server", () => {
  test("is read, and a bare Prometheus has defaults", () => {
    const got = readServer({ version: "1", identity: { name: "token:a", scopes: ["query"] }, signIn: true, price: { perMillionSamples: 2, perBillionQuerySamples: 0, currency: "CHF" }, intervalSeconds: 15, idleSeconds: 3600, has: { push: true }, destinations: ["amp"] });
    expect(got).toMatchObject({ identity: { name: "token:a", scopes: ["query"] }, signIn: true, price: { samples: 2, queried: 0, currency: "CHF" }, interval: 15_000, idle: 3_600_000, has: { push: true, logs: false }, destinations: ["amp"] });
    const { amp_samples: taken, amp_query: queried } = prices.prices; // what narthex cost reckons with
    const per = (x: { per: number; tiers: { price: number }[] }, n: number) => expect.closeTo(((x.tiers[0]?.price ?? NaN) / x.per) * n, 9) as number;
    const price = { samples: per(taken, 1e6), queried: per(queried, 1e9), currency: prices.currency };
    for (const odd of [null, 3, "x", [], {}]) expect(readServer(odd)).toMatchObject({ identity: undefined, signIn: false, price, has: { push: false } });
  });
});

describe("chart data", () => {
  const grid = { start: 0, end: 60_000, step: 15_000 };
  test("steps that are not drawn are gaps", () => {
    expect([...stepsOf(grid)]).toEqual([0, 15, 30, 45, 60]);
    expect([...valuesOf([{ t: 15_000, v: 1 }, { t: 30_000, v: NaN }, { t: 60_000, v: 2 }], grid)]).toEqual([NaN, 1, NaN, NaN, 2]);
  });
  test("the axis has room and takes in a zero nearby", () => {
    expect(spanOf([1, 3])[0]).toBe(0);
    expect(spanOf([1000, 1001])[0]).toBeGreaterThan(999);
    expect(spanOf([])).toEqual([0, 1]);
    expect(spanOf([5, 5])).toEqual([4.75, 5.25]);
    expect(spanOf([NaN, Infinity, 0])).toEqual([0, 1]);
    expect(spanOfLines([{ values: [NaN, 2] }, { values: [4] }], [0])).toEqual([0, 4.32]);
  });
});

describe("small charts", () => {
  test("bars stand on the floor, and nothing is a hairline", () => {
    expect(barPath([undefined, 0, 4])).toBe("M32 22v-1h31.2v1zM64 22v-22h31.2v22z");
  });
  test("a line breaks where there is nothing", () => {
    expect(linePath([1, undefined, 3, 3])).toBe("M0 20H24M48 2H72L72 2H96");
    expect(linePath([])).toBe("");
  });
});

describe("list", () => {
  test("only rows near the viewport are drawn", () => {
    const w = windowOf(37 * 20_000, 900, 37, 50_000);
    expect(w.first).toBeLessThanOrEqual(20_000);
    expect(w.end).toBeGreaterThanOrEqual(20_025);
    expect(w.end - w.first).toBeLessThan(50);
    expect(windowOf(0, 900, 37, 3)).toEqual({ first: 0, end: 3 });
    expect(windowOf(1e9, 900, 37, 3)).toEqual({ first: 2, end: 3 });
  });
});
