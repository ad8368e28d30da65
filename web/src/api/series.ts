import type { Labels } from "../promql";

/** A bucket of a native histogram: from, to and how many. */
export type Bucket = readonly [lower: number, upper: number, count: number];

/** A value at a time in ms. A native histogram's value is its count; its sum and its buckets are kept. */
export interface Sample {
  t: number;
  v: number;
  sum?: number;
  buckets?: readonly Bucket[];
}

/** A series of an answer, samples in order of time. */
export interface Series {
  labels: Labels;
  samples: Sample[];
}

/** Reads the data of query or query_range, whatever its result type; throws if it is neither. */
export function parseResult(data: unknown): Series[] {
  if (!isRecord(data) || !Array.isArray(data["result"])) throw new Error("The answer has no result.");
  const result: unknown[] = data["result"];
  if (data["resultType"] === "scalar") return [{ labels: {}, samples: pairs([result]) }];
  return result.filter(isRecord).map((r) => ({
    labels: isRecord(r["metric"]) ? (r["metric"] as Labels) : {},
    samples: merge(
      pairs(Array.isArray(r["values"]) ? r["values"] : r["value"] === undefined ? [] : [r["value"]]),
      histograms(Array.isArray(r["histograms"]) ? r["histograms"] : r["histogram"] === undefined ? [] : [r["histogram"]]),
    ),
  }));
}

/** Reads a sample's value as the API writes it. */
export function parseValue(s: unknown): number {
  if (s === "+Inf" || s === "Inf") return Infinity;
  if (s === "-Inf") return -Infinity;
  return typeof s === "string" && s !== "" ? Number(s) : NaN;
}

function pairs(vs: unknown[]): Sample[] {
  return vs.filter(isPair).map(([t, v]) => ({ t: Math.round(t * 1000), v: parseValue(v) }));
}

function histograms(hs: unknown[]): Sample[] {
  return hs.filter(isPair).map(([t, h]) => {
    const r = isRecord(h) ? h : {};
    const buckets = Array.isArray(r["buckets"]) ? r["buckets"].filter(Array.isArray).map((b: unknown[]): Bucket => [parseValue(b[1]), parseValue(b[2]), parseValue(b[3])]) : [];
    return { t: Math.round(t * 1000), v: parseValue(r["count"]), sum: parseValue(r["sum"]), buckets };
  });
}

function merge(a: Sample[], b: Sample[]): Sample[] {
  if (b.length === 0) return a;
  return a.length === 0 ? b : [...a, ...b].sort((x, y) => x.t - y.t);
}

function isPair(v: unknown): v is [number, unknown] {
  return Array.isArray(v) && v.length === 2 && typeof v[0] === "number";
}

function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}
