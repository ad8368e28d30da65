import { expect, test } from "vitest";
import { placeOf } from "../src/api/place";

test.each([
  ["https://a.example/#/query?q=up", "https://a.example/", "https://a.example/", ""],
  ["https://a.example/watch/index.html?x=1#/", "https://a.example/watch/", "https://a.example/watch/", ""],
  ["https://a.example/watch/backends/prod%20eu/#/probes", "https://a.example/watch/backends/prod%20eu/", "https://a.example/watch/", "prod eu"],
  ["https://a.example/backends/prod/", "https://a.example/backends/prod/", "https://a.example/", "prod"],
  ["https://a.example/backends/", "https://a.example/backends/", "https://a.example/backends/", ""],
])("%s is read", (address, here, root, backend) => {
  expect(placeOf(address)).toEqual({ here, root, backend });
});
