import type { Meta } from "../api/prom";

/**
 * How a metric's values are to be read: a total that grows, a value of its own,
 * a histogram in several series (classic) or in one (native), or quantiles that
 * the sender computed.
 */
export type Kind = "counter" | "gauge" | "classic" | "native" | "summary";

/** A metric's type for a person, and how to read it. */
export interface Described extends Meta {
  kind: Kind;
}

/**
 * The type of a metric from the metadata, which for histograms and summaries,
 * and for OpenMetrics counters, is filed under the family's name.
 */
export function describe(name: string, meta: ReadonlyMap<string, Meta>): Described {
  const own = meta.get(name);
  if (own !== undefined && own.type !== "unknown") return { ...own, kind: own.type === "histogram" ? "native" : kindOf(name, own.type) };
  const family = familyName(name);
  const of = family === name ? undefined : meta.get(family);
  if (of !== undefined && fits(name, of.type)) return { ...of, kind: kindOf(name, of.type) };
  return { type: "unknown", help: own?.help ?? "", kind: kindOf(name, "unknown") };
}

/** The name under which a series' metadata may be filed. */
export function familyName(name: string): string {
  return name.replace(/_(total|bucket|count|sum|created)$/, "");
}

/** Whether the values are totals, of which only differences say something. */
export function cumulative(kind: Kind): boolean {
  return kind === "counter" || kind === "classic" || kind === "native";
}

function fits(name: string, type: string): boolean {
  if (name.endsWith("_total")) return type === "counter";
  if (name.endsWith("_bucket")) return type === "histogram" || type === "gaugehistogram";
  return type === "histogram" || type === "summary" || type === "gaugehistogram" || (type === "counter" && name.endsWith("_created"));
}

// Where nothing is known the name's ending decides; what counts is cumulative.
function kindOf(name: string, type: string): Kind {
  if (name.endsWith("_created") || type === "gauge" || type === "gaugehistogram") return "gauge";
  if (type === "counter" || type === "histogram") return "counter";
  if (type === "summary") return /_(count|sum)$/.test(name) ? "counter" : "summary";
  return type === "unknown" && /_(total|bucket|count|sum)$/.test(name) ? "counter" : "gauge";
}
