import { describe, expect, test } from "vitest";
import { depthOf, filterFamilies, formatOrder, linesOf, parseOrder, prefixes, sorted, stateOf, valueOf } from "../src/metrics/arrange";
import { familiesOf, familyOf, type Family } from "../src/metrics/family";
import { pace, type Stats } from "../src/metrics/stats";

const meta = new Map([
  ["lat_seconds", { type: "histogram", help: "How long" }],
  ["rpc_seconds", { type: "summary", help: "" }],
  ["render_seconds", { type: "histogram", help: "" }],
]);

describe("families", () => {
  const names = ["lat_seconds_bucket", "lat_seconds_count", "lat_seconds_sum", "orders_total", "render_seconds", "rpc_seconds", "rpc_seconds_count", "rpc_seconds_sum", "up_count"];
  test("a classic histogram is one, a summary is one, a native histogram is itself", () => {
    expect(familiesOf(names, meta).map((f) => [f.name, f.kind, f.members.length])).toEqual([
      ["lat_seconds", "classic", 3],
      ["orders_total", "counter", 1],
      ["render_seconds", "native", 1],
      ["rpc_seconds", "summary", 3],
      ["up_count", "counter", 1],
    ]);
  });
  test("without metadata the buckets tell", () => expect(familiesOf(names, new Map()).find((f) => f.name === "lat_seconds")).toMatchObject({ kind: "classic", type: "histogram" }));
  test("buckets alone are no histogram", () => expect(familiesOf(["x_bucket"], new Map()).map((f) => f.name)).toEqual(["x_bucket"]));
  test("a part of a family can be looked at", () => expect(familyOf("lat_seconds_bucket", names, meta)).toMatchObject({ members: ["lat_seconds_bucket"], kind: "counter" }));
});

const family = (name: string, kind: Family["kind"] = "counter", help = ""): Family => ({ name, members: [name], type: kind, help, kind });
const all = [family("http_a_total"), family("http_b_total"), family("queue", "gauge", "Orders that wait"), family("up", "gauge")];
const live = (series: number, sum: number, last: number): Stats => ({ live: { series, sum, min: sum, max: sum, at: 1 }, last });

describe("the list", () => {
  test("all words of the filter must be in the name or the help", () => {
    expect(filterFamilies(all, "HTTP b").map((f) => f.name)).toEqual(["http_b_total"]);
    expect(filterFamilies(all, "wait").map((f) => f.name)).toEqual(["queue"]);
    expect(filterFamilies(all, "  ")).toBe(all);
  });
  test("orders are read and written", () => {
    expect([parseOrder("-series"), parseOrder("age"), parseOrder("x"), parseOrder("")]).toEqual([
      { column: "series", reverse: true },
      { column: "age", reverse: false },
      { column: "name", reverse: false },
      { column: "name", reverse: false },
    ]);
    expect([formatOrder({ column: "name", reverse: false }), formatOrder({ column: "cost", reverse: true })]).toEqual(["", "-cost"]);
  });
  test("what is not known comes last, either way round", () => {
    const stats = new Map([["http_a_total", live(1, 5, 1000)], ["up", live(3, 1, 9000)]]);
    const by = (s: string) => sorted(all, stats, parseOrder(s)).map((f) => f.name);
    expect(by("series")).toEqual(["http_a_total", "up", "http_b_total", "queue"]);
    expect(by("-series")).toEqual(["up", "http_a_total", "http_b_total", "queue"]);
    expect(by("age")).toEqual(["up", "http_a_total", "http_b_total", "queue"]);
    expect(by("-name")[0]).toBe("up");
  });
  test("numbers of all are asked for only if they are needed", () => {
    expect([depthOf(parseOrder(""), ""), depthOf(parseOrder("-value"), ""), depthOf(parseOrder("cost"), ""), depthOf(parseOrder(""), "silent"), depthOf(parseOrder(""), "new")]).toEqual([undefined, "live", "day", "live", "day"]);
  });
  test("groups by the first word; single ones are others", () => {
    const lines = linesOf(all, prefixes(all), new Set());
    expect(lines.map((l) => (l.kind === "group" ? `[${l.name}] ${l.count}` : l.family.name))).toEqual(["[http_] 2", "http_a_total", "http_b_total", "[] 2", "queue", "up"]);
    expect(linesOf(all, prefixes(all), new Set(["http_"])).length).toBe(4);
  });
});

describe("states and values", () => {
  const now = 1_000_000_000;
  const day = (over: object) => ({ series: 1, sum: 1, samples: 10, estimated: false, fresh: false, at: 1, ...over });
  test("silent, new, neither", () => {
    expect(stateOf(live(1, 1, now - 400_000), now)).toBe("silent");
    expect(stateOf({ ...live(1, 1, now - 1000), day: day({ fresh: true }) }, now)).toBe("new");
    expect(stateOf(live(1, 1, now - 1000), now)).toBeUndefined();
    expect(stateOf(undefined, now)).toBeUndefined();
  });
  test("series that have ended still count", () => {
    expect(valueOf(family("a_total"), { ...live(1, 5, now), day: day({ series: 3, sum: 12 }) })).toMatchObject({ sum: 12, series: 3 });
    expect(valueOf(family("a_total"), { ...live(3, 15, now), day: day({ series: 3, sum: 12 }) })).toMatchObject({ sum: 15 });
  });
  test("samples a day: counted, or what the last hour comes to", () => {
    const counts = { minute: 1, hour: 10, day: 200, earlier: true, before: false };
    expect(pace({ ...counts, before: true })).toEqual({ samples: 200, estimated: false, fresh: false });
    expect(pace({ ...counts, day: 10 })).toEqual({ samples: 240, estimated: true, fresh: true });
    expect(pace({ ...counts, hour: 0, day: 30 })).toEqual({ samples: 30, estimated: false, fresh: false });
    expect(pace({ ...counts, hour: 5, day: undefined })).toEqual({ samples: 120, estimated: true, fresh: false });
  });
  test("samples a day of what has only begun: what the last minute comes to", () => {
    const counts = { minute: 12, hour: 24, day: 24, earlier: false, before: false };
    expect(pace(counts)).toEqual({ samples: 17_280, estimated: true, fresh: true });
    expect(pace({ ...counts, day: undefined })).toEqual({ samples: 17_280, estimated: true, fresh: false });
    expect(pace({ ...counts, minute: 0 })).toEqual({ samples: 576, estimated: true, fresh: true });
    expect(pace({ ...counts, day: 30 })).toEqual({ samples: 576, estimated: true, fresh: false });
  });
});
