import { signal } from "@preact/signals";

/** The screens, by the first part of the address after #. */
export type Screen = "metrics" | "metric" | "query" | "probes" | "arrivals" | "lost";

/** What stands after the ? of a route. A name may stand there several times. */
export type Params = ReadonlyMap<string, readonly string[]>;

/** What the address after # says. All state that is worth sharing is in it. */
export interface Route {
  screen: Screen;
  /** The metric, the target or the push that the screen is about; "" for none. */
  name: string;
  params: Params;
}

/** Changes of parameters. Undefined, "" and the empty list take one away. */
export type Patch = Readonly<Record<string, string | readonly string[] | undefined>>;

const none: Params = new Map();
const plain: readonly Screen[] = ["query", "probes", "arrivals"];

/** Reads a hash such as "#/metric/hello_total?range=6h". */
export function parseRoute(hash: string): Route {
  const raw = hash.replace(/^#/, "");
  const cut = raw.indexOf("?");
  const path = cut < 0 ? raw : raw.slice(0, cut);
  const params = cut < 0 ? none : parseParams(raw.slice(cut + 1));
  if (path === "" || path === "/") return { screen: "metrics", name: "", params };
  const parts = /^\/([a-z]+)(?:\/(.+))?$/.exec(path);
  const screen = parts?.[1];
  const name = decode(parts?.[2] ?? "");
  if (screen === "metric" && name !== "") return { screen, name, params };
  const known = plain.find((s) => s === screen);
  return known === undefined ? { screen: "lost", name: path, params } : { screen: known, name, params };
}

/** Writes a route as a hash; parseRoute reads it back. */
export function formatRoute(r: Route): string {
  if (r.screen === "lost") return "#" + r.name;
  const q = new URLSearchParams();
  for (const [k, vs] of r.params) {
    for (const v of vs) q.append(k, v);
  }
  const query = q.toString();
  const path = r.screen === "metrics" ? "/" : `/${r.screen}${r.name === "" ? "" : "/" + encodeURIComponent(r.name)}`;
  return `#${path}${query === "" ? "" : "?" + query}`;
}

/** The hash of a screen. */
export function hashOf(screen: Screen, name = "", patch: Patch = {}): string {
  return formatRoute(patched({ screen, name, params: none }, patch));
}

/** The route with some parameters changed. */
export function patched(r: Route, patch: Patch): Route {
  const params = new Map(r.params);
  for (const [k, v] of Object.entries(patch)) {
    const list = v === undefined || v === "" ? [] : typeof v === "string" ? [v] : v;
    if (list.length === 0) params.delete(k);
    else params.set(k, list);
  }
  return { ...r, params };
}

/** The first value of a parameter, "" if it is not there. */
export function param(r: Route, name: string): string {
  return r.params.get(name)?.[0] ?? "";
}

/** All values of a parameter. */
export function paramList(r: Route, name: string): readonly string[] {
  return r.params.get(name) ?? [];
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

/** Goes to an address; back leads here again. */
export function pushRoute(r: Route): void {
  history.pushState(null, "", formatRoute(r));
  route.value = r;
}

function parseParams(s: string): Params {
  const out = new Map<string, string[]>();
  for (const [k, v] of new URLSearchParams(s)) {
    const list = out.get(k);
    if (list === undefined) out.set(k, [v]);
    else list.push(v);
  }
  return out;
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s; // a stray % typed by hand
  }
}
