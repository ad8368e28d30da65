import { describe, expect, test } from "vitest";
import { hints, leaves, readCost, stepsSentence } from "../src/query/explain";
import { placeAt } from "../src/query/complete";
import { errorPlace } from "../src/query/place";
import { formatSeries } from "../src/promql";

describe("errors at their place", () => {
  test.each([
    ["sum(rate(x[5m)", 'invalid parameter "query": 1:14: parse error: unexpected ")" in range', [13, 14], 'unexpected ")" in range'],
    ["a\n+ foo bar", "2:7: parse error: unexpected identifier", [8, 11], "unexpected identifier"],
    ["up", "the store is being moved", undefined, "the store is being moved"],
    ["up", "9:9: parse error: nonsense", undefined, "9:9: parse error: nonsense"],
  ])("%s", (query, message, at, text) => expect(errorPlace(query, message)).toEqual({ at, text }));
});

describe("what can be written", () => {
  test.each([
    ["", "expression"],
    ["sum(ra", "expression"],
    ["x[", "duration"],
    ["rate(x[5", "duration"],
    ["x{", "label"],
    ['x{a="1",b', "label"],
    ['x{a="', "value"],
    ['x{a="1",b=~"v', "value"],
    ['x{a="1"', "nothing"],
    ["sum by (", "label"],
    ["sum without(a, b", "label"],
    ['label_replace(x, "', "nothing"],
    ["3", "nothing"],
  ])("%s: %s", (before, kind) => expect(placeAt(before).kind).toBe(kind));
  test("the metric before the brace, the label before the quote", () => {
    expect(placeAt('sum(up{job="x", instance="y')).toEqual({ kind: "value", label: "instance", metric: "up" });
    expect(placeAt("a{b")).toEqual({ kind: "label", metric: "a", grouping: false });
  });
});

describe("explanations", () => {
  const grid = { start: 0, end: 60_000, step: 15_000 };
  const matcher = (name: string, value: string, type = "=") => ({ name, value, type });
  const rate = (name: string) => ({ type: "call", func: { name: "rate" }, args: [{ type: "matrixSelector", name, range: 300_000, matchers: [matcher("__name__", name), matcher("a", 'x"')] }] });
  test("the selectors of a tree, each once", () => {
    const tree = { type: "binaryExpr", lhs: { type: "aggregation", expr: rate("a_total") }, rhs: { type: "parenExpr", expr: rate("a_total") } };
    expect(leaves(tree)).toEqual([{ selector: 'a_total{a="x\\""}', name: "a_total", range: 300_000, within: "rate" }]);
    expect(leaves({ type: "vectorSelector", name: "", matchers: [matcher("__name__", "up.x"), matcher("b", "c", "=~")] })).toEqual([{ selector: '{__name__="up.x",b=~"c"}', name: "up.x", range: undefined, within: "" }]);
    for (const odd of [null, 3, "x", {}]) expect(leaves(odd)).toEqual([]);
  });
  test("a gauge under rate, a bare counter, a window shorter than the step", () => {
    const leaf = { selector: "q", name: "q", range: 300_000, within: "rate" };
    expect(hints("rate(q[5m])", [leaf], () => "gauge", grid)[0]?.fix).toEqual({ label: "Use deriv", query: "deriv(q[5m])" });
    expect(hints("q", [{ ...leaf, range: undefined, within: "" }], () => "counter", grid)[0]?.fix).toEqual({ label: "Show the rate", query: "rate(q[5m])" });
    expect(hints("rate(q[5m])", [leaf], () => "counter", { ...grid, step: 600_000 })[0]?.fix).toEqual({ label: "Look at 10 min", query: "rate(q[10m])" });
    expect(hints("rate(q[5m])", [leaf], () => "counter", grid)).toEqual([]);
  });
  test("steps and costs", () => {
    expect(stepsSentence(grid)).toBe("5 steps, one each 15 s; each shows the newest sample that is not older than 5 min");
    expect(readCost(1e6, 30_000, 0.1)).toBeCloseTo(8.64);
  });
});

test("series are written as PromQL writes them", () => {
  const all: Record<string, string>[] = [{ __name__: "up" }, { __name__: "up", a: "1" }, { a: "1" }, { __name__: "a.b" }, { __name__: "a.b", c: "<i>" }, {}];
  expect(all.map((l) => formatSeries(l))).toEqual(["up", 'up{a="1"}', '{a="1"}', '{"a.b"}', '{"a.b", c="<i>"}', "{}"]);
});
