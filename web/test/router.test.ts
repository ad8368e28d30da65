import { expect, test, vi } from "vitest";

vi.stubGlobal("location", { hash: "" });
const { formatRoute, metricHash, parseRoute } = await import("../src/router");

test.each([
  ["", { screen: "metrics", filter: "" }],
  ["#/?q=a+b", { screen: "metrics", filter: "a b" }],
  ["#/metric/up", { screen: "metric", name: "up", range: "1h", step: "auto", series: "" }],
  ["#/metric/a%2Fb%3F?range=6h&step=15s", { screen: "metric", name: "a/b?", range: "6h", step: "15s", series: "" }],
  ["#/metric/100%?x", { screen: "metric", name: "100%", range: "1h", step: "auto", series: "" }],
  ["#/nowhere", { screen: "lost", path: "/nowhere" }],
])("%s is read", (hash, want) => expect(parseRoute(hash)).toEqual(want));

test("what is written is read back", () => {
  const r = { screen: "metric", name: "ä/ <b>#?&", range: "24h", step: "10m", series: '{a="<img src=x>&%", b="\\"q\\""}' } as const;
  expect(parseRoute(formatRoute(r))).toEqual(r);
  expect(metricHash("up")).toBe("#/metric/up");
});
