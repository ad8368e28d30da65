import { describe, expect, test, vi } from "vitest";

vi.stubGlobal("location", { hash: "" });
const { parseRoute, patched, formatRoute } = await import("../src/router");
const { gridOf, moved, shortDuration, spanOf, spanPatch, stepFor } = await import("../src/time/span");
const { parseMatcher, viewOf, wherePatch, withMatcher } = await import("../src/metric/view");
const { csv, curl, promtoolTest } = await import("../src/metric/export");
const { labelStats, looksLikeIds } = await import("../src/metric/labels");
const { bound, classicHeat, heatAxis, nativeHeat, shade } = await import("../src/chart/heat");
const { bandsOf } = await import("../src/chart/marks");

const hour = 3_600_000;

describe("stretches of time", () => {
  test.each([
    ["#/", { kind: "last", ms: hour }],
    ["#/?range=90m", { kind: "last", ms: 90 * 60_000 }],
    ["#/?range=nonsense", { kind: "last", ms: hour }],
    ["#/?from=2026-11-29T10:00:00Z&to=2026-11-29T11:00:00Z", { kind: "fixed", from: 1_795_946_400_000, to: 1_795_950_000_000 }],
    ["#/?from=1795946400&to=1795950000000", { kind: "fixed", from: 1_795_946_400_000, to: 1_795_950_000_000 }],
    ["#/?from=2026-11-29T11:00:00Z&to=2026-11-29T10:00:00Z", { kind: "last", ms: hour }],
  ])("%s", (hash, want) => expect(spanOf(parseRoute(hash))).toEqual(want));
  test("are written and read back", () => {
    for (const s of [{ kind: "last", ms: 7 * 24 * hour }, { kind: "last", ms: hour }, { kind: "fixed", from: 1_795_946_400_123, to: 1_795_950_000_456 }] as const) {
      expect(spanOf(parseRoute(formatRoute(patched(parseRoute("#/query?range=6h"), spanPatch(s)))))).toEqual(s);
    }
  });
  test("have names", () => expect([900_000, hour, 24 * hour, 168 * hour].map(shortDuration)).toEqual(["15m", "1h", "24h", "7d"]));
  test("no automatic step is longer than the lookback", () => {
    for (const h of [0.25, 0.5, 1, 6, 24, 168, 720]) expect(stepFor(h * hour, "auto").step).toBeLessThanOrEqual(300_000);
    expect([0.25, 1, 6, 24].map((h) => stepFor(h * hour, "auto").step)).toEqual([15_000, 15_000, 60_000, 300_000]);
  });
  test("a step that makes too many points is made longer", () => {
    const r = stepFor(168 * hour, "1s");
    expect(r.clamped).toBe(true);
    expect((168 * hour) / r.step + 1).toBeLessThanOrEqual(11_000);
  });
  test("a fixed stretch ends at its end, on a step", () => {
    expect(gridOf({ kind: "fixed", from: 0, to: 100_000 }, 15_000, 1e12)).toEqual({ grid: { start: 0, end: 90_000, step: 15_000 }, end: 100_000 });
  });
  test("moving and widening", () => {
    const s = { kind: "fixed", from: 0, to: hour } as const;
    expect(moved(s, 1e12, -0.5)).toEqual({ kind: "fixed", from: -hour / 2, to: hour / 2 });
    expect(moved(s, 1e12, 0, 2)).toEqual({ kind: "fixed", from: -hour / 2, to: 1.5 * hour });
    expect(moved({ kind: "last", ms: hour }, 1e12, 0, 2)).toEqual({ kind: "last", ms: 2 * hour });
  });
});

describe("the view", () => {
  test("matchers are read and written", () => {
    expect([parseMatcher("a=b=c"), parseMatcher("a!=b"), parseMatcher("a="), parseMatcher("=x"), parseMatcher("x")]).toEqual([
      { label: "a", not: false, value: "b=c" },
      { label: "a", not: true, value: "b" },
      { label: "a", not: false, value: "" },
      undefined,
      undefined,
    ]);
    const r = patched(parseRoute("#/metric/x?series=y"), wherePatch([{ label: "a", not: true, value: "<b>" }]));
    expect(viewOf(r)).toMatchObject({ where: [{ label: "a", not: true, value: "<b>" }], chosen: "", step: "auto", aggregation: "avg", storedOnly: false });
  });
  test("a label has one value, or lacks several", () => {
    const a = { label: "a", not: false, value: "1" };
    expect(withMatcher([a], { ...a, value: "2" })).toEqual([{ ...a, value: "2" }]);
    const no = [{ ...a, not: true }, { ...a, not: true, value: "2" }];
    expect(withMatcher(no.slice(0, 1), { ...a, not: true, value: "2" })).toEqual(no);
    expect(withMatcher(no, a)).toEqual([a]);
  });
});

const t = 1_795_946_400_000;
const series = (labels: Record<string, string>, stored: { t: number; v: number }[], index = 0) =>
  ({ key: "", labels, index, count: stored.length, stored, drawn: [], stamps: [], lens: { stored: 0, drawn: 0, carried: 0, hidden: 0, waiting: 0 }, ended: undefined, exact: undefined, extrapolated: undefined, rate: [] }) as const;

describe("taking it along", () => {
  test("curl quotes what the shell would read", () => {
    expect(curl("http://h/below/", `m{a="it's"}`, t, t + 1999)).toBe(
      ["curl -G 'http://h/below/api/v1/query' \\", `  --data-urlencode 'query=m{a="it'\\''s"}[2s]' \\`, "  --data-urlencode 'time=1795946401.999'"].join("\n"),
    );
  });
  test("CSV keeps quotes, and no spreadsheet runs it", () => {
    expect(csv([series({ a: 'x,"y"' }, [{ t, v: 1.5 }]), series({ a: "=1+1" }, [{ t, v: -2 }], 1)], ["a"])).toBe(
      'time,timestamp_ms,value,a\r\n2026-11-29T10:00:00.000Z,1795946400000,1.5,"x,""y"""\r\n2026-11-29T10:00:00.000Z,1795946400000,-2,\'=1+1\r\n',
    );
  });
  test("a promtool test has the samples at their seconds", () => {
    const text = promtoolTest("m", [series({ a: "1" }, [{ t: t + 7123, v: 1 }, { t: t + 9_456, v: 2 }])]);
    expect(text).toContain(`- series: "{__name__=\\"m\\", a=\\"1\\"}"\n        values: "1 _x1 2"`);
    expect(text).toContain("eval_time: 1m");
    expect(text).toContain("value: 2");
    expect(promtoolTest("m", [])).toBeUndefined();
  });
});

describe("labels", () => {
  const of = (...all: Record<string, string>[]) => all.map((labels) => ({ key: "", labels, count: 1 }));
  test("what each one does", () => {
    const [a, b] = labelStats(of({ a: "1", b: "x" }, { a: "2", b: "x" }, { a: "2", b: "y" }, { b: "y" }), ["a", "b"]);
    expect(a).toMatchObject({ values: [["2", 2], ["", 1], ["1", 1]], without: 2, idLike: false });
    expect(b?.without).toBe(3);
  });
  test("ids are seen", () => {
    const uuid = (i: number) => `0000000${i}-1111-4222-8333-444444444444`;
    expect(looksLikeIds([0, 1, 2, 3, 4].map(uuid))).toBe(true);
    expect(looksLikeIds(["a@b.ch", "c@d.ch", "e@f.ch", "g@h.ch", "i@j.ch"])).toBe(true);
    expect(looksLikeIds(["200", "301", "404", "500", "503"])).toBe(false);
    expect(looksLikeIds([uuid(1)])).toBe(false);
  });
});

describe("heatmaps", () => {
  const grid = { start: 0, end: 15_000, step: 15_000 };
  const le = (le: string, a: number, b: number) => ({ labels: { le }, samples: [{ t: 0, v: a }, { t: 15_000, v: b }] });
  test("cumulative buckets become rows, empty ones at the ends go", () => {
    const h = classicHeat([le("+Inf", 6, 6), le("0.1", 0, 0), le("0.2", 0, 0), le("0.5", 1, 4), le("1", 6, 6), le("2", 6, 6)], grid);
    expect(h?.rows.map((r) => [r.lower, r.upper, ...r.values])).toEqual([
      [0.1, 0.2, 0, 0],
      [0.2, 0.5, 1, 4],
      [0.5, 1, 5, 2],
      [1, 2, 0, 0],
    ]);
    expect(h?.max).toBe(5);
    expect(classicHeat([{ labels: { le: "<script>" }, samples: [] }], grid)).toBeUndefined();
  });
  test("native buckets are on a logarithmic axis", () => {
    const h = nativeHeat([{ labels: {}, samples: [{ t: 0, v: 3, buckets: [[-2, -1, 1], [0.5, 1, 2], [1, 2, 1]] }] }], grid);
    expect(h?.rows.map((r) => [r.lower, r.upper, ...r.values])).toEqual([[0.5, 1, 2, 0], [1, 2, 1, 0]]);
    expect(h?.below).toBe(1);
    if (h === undefined) return;
    const axis = heatAxis(h);
    expect([axis.place(0), axis.rowAt(0.5), axis.rowAt(-5)]).toEqual([[-1, 0], 1, -1]);
    expect(nativeHeat([{ labels: {}, samples: [{ t: 0, v: 1 }] }], grid)).toBeUndefined();
  });
  test("shades and bounds", () => expect([shade(0.01, 1, 5), shade(1, 1, 5), shade(1, 0, 5), bound(Infinity)]).toEqual([0, 4, 0, "+Inf"]));
});

test("bands begin a step before the first carried point and end with the last", () => {
  const stamps = [0, 15, 30, 45, 300].map((s) => ({ t: s * 1000, sample: s === 300 ? 299_000 : 0 }));
  expect(bandsOf({ drawn: stamps.map((s) => ({ t: s.t, v: 2 })), stamps }, 15_000)).toEqual([{ from: 0, to: 45_000, v: 2 }]);
});
