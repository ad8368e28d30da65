import { expect, test, vi } from "vitest";

vi.stubGlobal("location", { hash: "" });
const { formatRoute, hashOf, param, paramList, parseRoute, patched } = await import("../src/router");

test.each([
  ["", "metrics", "", {}],
  ["#/?q=a+b", "metrics", "", { q: ["a b"] }],
  ["#/metric/up", "metric", "up", {}],
  ["#/metric/a%2Fb%3F?range=6h&where=a=1&where=b!=2", "metric", "a/b?", { range: ["6h"], where: ["a=1", "b!=2"] }],
  ["#/metric/100%?x", "metric", "100%", { x: [""] }],
  ["#/query?q=up", "query", "", { q: ["up"] }],
  ["#/probes/shop", "probes", "shop", {}],
  ["#/metric", "lost", "/metric", {}],
  ["#/nowhere", "lost", "/nowhere", {}],
])("%s is read", (hash, screen, name, params) => {
  const r = parseRoute(hash);
  expect([r.screen, r.name, Object.fromEntries(r.params)]).toEqual([screen, name, params]);
});

test("what is written is read back", () => {
  const r = patched({ screen: "metric", name: "ä/ <b>#?&", params: new Map() }, { range: "24h", where: ["x=<img src=x>&%", 'q="\\"'], series: "" });
  expect(parseRoute(formatRoute(r))).toEqual(r);
  expect(hashOf("metric", "up")).toBe("#/metric/up");
  expect([param(r, "range"), param(r, "none"), paramList(r, "where").length]).toEqual(["24h", "", 2]);
});
