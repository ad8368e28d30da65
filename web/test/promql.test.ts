import { describe, expect, test } from "vitest";
import { duration, escapeRegexp, formatLabels, grouping, nameSelector, namesSelector, parseDuration, quote, selector, seriesSelector } from "../src/promql";
import { idleTimeQuery, liveQuery, liveTimeQuery, samplesQuery, sparkQuery, windowQuery } from "../src/metrics/queries";

describe("selectors", () => {
  test("strings from outside can't leave their quotes", () => {
    expect(quote('a"b\\c\nd')).toBe('"a\\"b\\\\c\\nd"');
    expect(nameSelector('x"} or vector(1)')).toBe('{__name__="x\\"} or vector(1)"}');
  });
  test("legacy names are plain", () => expect(nameSelector("a:b_total")).toBe("a:b_total"));
  test("names are matched literally", () => {
    expect(escapeRegexp("a.b|c")).toBe("a\\.b\\|c");
    expect(namesSelector(["a.b", "c"])).toBe('{__name__=~"a\\\\.b|c"}');
  });
  test("one series: labels that others have must be empty", () => {
    expect(seriesSelector("m", { a: "1" }, ["__name__", "a", "b"])).toBe('m{a="1",b=""}');
    expect(seriesSelector("m", {}, [])).toBe("m");
    expect(seriesSelector("m.x", { "a.b": "1" }, ["a.b"])).toBe('{__name__="m.x","a.b"="1"}');
  });
  test("labels that are asked for, and against", () => {
    expect(selector("m", [{ label: "a", not: false, value: '"' }, { label: "b.c", not: true, value: "" }])).toBe('m{a="\\"","b.c"!=""}');
    expect(grouping(["a", "b-c"])).toBe('a, "b-c"');
  });
  test("labels are sorted, without the name", () => expect(formatLabels({ __name__: "m", b: "<i>", a: "" })).toBe('{a="", b="<i>"}'));
});

describe("durations", () => {
  test.each([
    [1, "1ms"],
    [90_000, "1m30s"],
    [3_600_001, "1h1ms"],
    [604_800_000, "1w"],
    [0, "0s"],
  ])("%d ms is %s", (ms, want) => expect(duration(ms)).toBe(want));
  test.each([
    ["15s", 15_000],
    ["1h30m", 5_400_000],
    ["100ms", 100],
    ["", undefined],
    ["0s", undefined],
    ["5", undefined],
    ["1h; drop", undefined],
  ])("%s is %s ms", (s, want) => expect(parseDuration(s)).toBe(want));
});

describe("queries of the list", () => {
  const counter = { name: "a_total", members: ["a_total"], type: "counter", help: "", kind: "counter" } as const;
  test("series are counted, values have a sum and a span", () => {
    expect(liveQuery(["a"])).toContain('label_replace(sum by (__name__) ({__name__=~"a"}), "viewer_stat", "sum", "", "")');
    expect(windowQuery(["a"], "1d")).toContain('count by (__name__) (last_over_time({__name__=~"a"}[1d]))');
  });
  test("each name has its place", () => {
    expect(liveTimeQuery(["a", "b"])).toBe(
      'label_replace(max(timestamp(a)), "viewer_index", "0", "", "") or label_replace(max(timestamp(b)), "viewer_index", "1", "", "")',
    );
    expect(idleTimeQuery(["a"])).toContain("max(max_over_time(timestamp(a)[1d:1m]))");
    expect(samplesQuery(["a"], ["1h"])).toContain('label_replace(label_replace(sum(count_over_time(a[1h])), "viewer_index", "0", "", ""), "viewer_stat", "1h", "", "")');
  });
  test("small charts: what grows by its increase, all else by its mean", () => {
    expect(sparkQuery([counter])).toContain("sum(increase(a_total[5m]))");
    expect(sparkQuery([{ ...counter, name: "g", members: ["g"], kind: "gauge" }])).toContain("avg(g)");
    expect(sparkQuery([{ ...counter, name: "n", members: ["n"], kind: "native" }])).toContain("histogram_count(sum(increase(n[5m])))");
    expect(sparkQuery([{ ...counter, name: "c", members: ["c_count", "c_sum", "c_bucket"], kind: "classic" }])).toContain("sum(increase(c_count[5m]))");
  });
});
