import { signal } from "@preact/signals";

/** What the address after # says. All state that is worth sharing is in it. */
export type Route =
  | { screen: "metrics"; filter: string }
  | { screen: "metric"; name: string; range: string; step: string; series: string }
  | { screen: "lost"; path: string };

/** Reads a hash such as "#/metric/hello_total?range=6h". */
export function parseRoute(hash: string): Route {
  const raw = hash.replace(/^#/, "");
  const cut = raw.indexOf("?");
  const path = cut < 0 ? raw : raw.slice(0, cut);
  const query = new URLSearchParams(cut < 0 ? "" : raw.slice(cut + 1));
  if (path === "" || path === "/") return { screen: "metrics", filter: query.get("q") ?? "" };
  const name = /^\/metric\/(.+)$/.exec(path)?.[1];
  if (name === undefined) return { screen: "lost", path };
  return {
    screen: "metric",
    name: decode(name),
    range: query.get("range") ?? "1h",
    step: query.get("step") ?? "auto",
    series: query.get("series") ?? "",
  };
}

/** Writes a route as a hash; parseRoute reads it back. What has its default is left out. */
export function formatRoute(r: Route): string {
  const q = new URLSearchParams();
  switch (r.screen) {
    case "lost":
      return "#" + r.path;
    case "metrics":
      if (r.filter !== "") q.set("q", r.filter);
      return "#/" + query(q);
    case "metric":
      if (r.range !== "1h") q.set("range", r.range);
      if (r.step !== "auto") q.set("step", r.step);
      if (r.series !== "") q.set("series", r.series);
      return `#/metric/${encodeURIComponent(r.name)}${query(q)}`;
  }
}

/** The hash of one metric's screen, as it first opens. */
export function metricHash(name: string): string {
  return formatRoute({ screen: "metric", name, range: "1h", step: "auto", series: "" });
}

/** The present route. */
export const route = signal<Route>(parseRoute(location.hash));

/** Follows the browser's back and forward. */
export function startRouter(): void {
  window.addEventListener("hashchange", () => (route.value = parseRoute(location.hash)));
}

/** Changes the present address without a step in the history. */
export function replaceRoute(r: Route): void {
  history.replaceState(null, "", formatRoute(r));
  route.value = r;
}

function query(q: URLSearchParams): string {
  const s = q.toString();
  return s === "" ? "" : "?" + s;
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s; // a stray % typed by hand
  }
}
