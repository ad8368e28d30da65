import type { Arrival, Stored } from "../api/arrivals";
import { hashOf } from "../router";
import { spanPatch } from "../time/span";

const before = 300_000;
const after = 600_000;

/** The address of the very samples that a series of a push became. */
export function samplesOf(a: Arrival, s: Stored): string {
  const name = s.type === "histogram" ? s.metric.replace(/_bucket$/, "") : s.metric;
  const where = labelsOf(s.series).map(([n, v]) => `${n}=${v}`);
  return hashOf("metric", name, { where, ...spanPatch({ kind: "fixed", from: a.received - before, to: (a.written ?? a.received) + after }) });
}

/** The labels of a series as the server writes it; none if it is cut off or can't be read. */
export function labelsOf(series: string): (readonly [string, string])[] {
  const open = series.indexOf("{");
  if (open < 0 || !series.endsWith("}")) return [];
  const out: (readonly [string, string])[] = [];
  let rest = series.slice(open + 1, -1);
  while (rest !== "") {
    const m = /^\s*(?:([a-zA-Z_][\w.]*)|("(?:[^"\\]|\\.)*"))\s*(?:=\s*("(?:[^"\\]|\\.)*"))?\s*(?:,|$)/.exec(rest);
    if (m === null) return [];
    const name = m[1] ?? unquote(m[2] ?? "");
    if (m[3] !== undefined && name !== "__name__" && name !== "le") out.push([name, unquote(m[3])]);
    rest = rest.slice(m[0].length);
  }
  return out;
}

// Go's and PromQL's quotes; \x and \u are what other strings are written with.
function unquote(s: string): string {
  return s.slice(1, -1).replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([^]))/g, (_, x: string | undefined, u: string | undefined, c: string | undefined) => {
    if (x !== undefined || u !== undefined) return String.fromCharCode(parseInt(x ?? u ?? "", 16));
    return { n: "\n", t: "\t", r: "\r", a: "\u0007", b: "\b", f: "\f", v: "\v" }[c ?? ""] ?? c ?? "";
  });
}
