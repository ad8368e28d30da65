import { describe, expect, test, vi } from "vitest";

vi.stubGlobal("location", { hash: "" });
vi.stubGlobal("document", { baseURI: "http://localhost/" });
const { labelsOf, samplesOf } = await import("../src/arrivals/link");
const { intervalOf, matrixOf, slotsOf } = await import("../src/probes/matrix");
const { parseRoute } = await import("../src/router");

describe("from a push to its samples", () => {
  test("labels are read as the server writes them", () => {
    expect(labelsOf('orders_total{country="ch",q="a\\"b\\\\c\\n\\u00e4\\x07"}')).toEqual([["country", "ch"], ["q", 'a"b\\c\nä\u0007']]);
    expect(labelsOf('{"bad name",service="bad"}')).toEqual([["service", "bad"]]);
    for (const s of ["orders_total", 'cut{a="b', "x{nonsense}y}", ""]) expect(labelsOf(s)).toEqual([]);
  });
  test("the address has the labels and the time", () => {
    const a = { id: "1", door: "push", identity: "", source: "s", received: 1_795_946_400_000, times: 1, status: "written", error: "", code: 0, written: 1_795_946_415_000, accepted: 1, duplicate: 0, rejected: [], warnings: [], series: 1, examples: [] };
    const r = parseRoute(samplesOf(a, { series: 'lat_bucket{a="<b>"}', metric: "lat_bucket", type: "histogram" }));
    expect([r.name, r.params.get("where"), r.params.get("from")]).toEqual(["lat", ["a=<b>"], ["2026-11-29T09:55:00.000Z"]]);
  });
});

describe("probes", () => {
  const now = 1_795_946_400_000;
  const min = 60_000;
  const series = (labels: Record<string, string>, ...samples: [number, number][]) => ({ labels, samples: samples.map(([ago, v]) => ({ t: now - ago * min, v })) });
  const eu = { name: "shop", region: "eu", instance: "https://shop", module: "http_2xx" };
  const us = { ...eu, region: "us" };
  const late = { name: "old", region: "eu", instance: "h:1", module: "tcp_connect" };
  const rows = matrixOf({
    runs: [series(eu, [3, 1], [2, 1], [1, 1]), series(us, [3, 1], [2, 0], [1, 0]), series(late, [40, 1], [39, 1])],
    seen: [series(eu, [0, 1]), series(us, [0, 0]), series(late, [0, 1])],
    why: [series({ ...us, phase: "dns", reason: "timeout" }, [2, 1]), series({ ...us, phase: "tls", reason: "cert_expired" }, [1, 1])],
    took: [series(eu, [0, 0.084])],
    ends: [series(eu, [0, now / 1000 + 100]), series(us, [0, now / 1000 + 50])],
    uptime: [{ window: "1d", series: [series(eu, [0, 1]), series(us, [0, 0.5])] }],
    configured: [{ name: "new", target: "https://new", module: "http_2xx", hostname: "", region: "eu" }],
    now,
  });
  test("what is down comes first, what has not run has no cells yet", () => {
    expect(rows.map((r) => [r.name, r.cells.map((c) => `${c.region} ${c.state} ${c.phase} ${c.reason}`.trim())])).toEqual([
      ["shop", ["eu up", "us down tls cert_expired"]],
      ["old", ["eu late"]],
      ["new", []],
    ]);
  });
  test("uptime is over regions, the certificate the earliest, and it differs", () => {
    expect([rows[0]?.uptime.get("1d"), rows[0]?.expires, rows[0]?.differ, rows[0]?.cells[0]?.seconds]).toEqual([0.75, now + 50_000, true, 0.084]);
  });
  test("a missing run is a gap", () => {
    const [eu] = matrixOf({ runs: [series({ name: "g" }, [5, 1], [4, 1], [2, 1], [1, 0])], seen: [series({ name: "g" }, [0, 0])], why: [], took: [], ends: [], uptime: [], configured: [], now });
    const cell = eu?.cells[0];
    expect(cell === undefined ? [] : slotsOf(cell, 5, now).map((s) => s?.v)).toEqual([1, 1, undefined, 1, 0]);
    expect(intervalOf([])).toBeUndefined();
  });
});
