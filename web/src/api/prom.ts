import { observe } from "../clock";
import { call } from "./client";
import { parseResult, type Series } from "./series";

/** A metric's type and help, as senders described them. */
export interface Meta {
  type: string;
  help: string;
}

/** Most names that are asked for: a browser should not be given millions. */
export const maxNames = 50_000;

/** All metric names with a sample since the time (ms), sorted. */
export async function metricNames(since: number, signal: AbortSignal): Promise<string[]> {
  return labelValues("__name__", undefined, since, signal);
}

/** The values of a label since the time (ms), of all series or of those that a selector matches. */
export async function labelValues(label: string, match: string | undefined, since: number, signal: AbortSignal): Promise<string[]> {
  const data = await call(`label/${encodeURIComponent(label)}/values`, { "match[]": match, start: seconds(since), limit: maxNames }, signal);
  return strings(data);
}

/** The names of labels since the time (ms). */
export async function labelNames(since: number, signal: AbortSignal, match?: string): Promise<string[]> {
  return strings(await call("labels", { "match[]": match, start: seconds(since) }, signal));
}

/** Types and helps, of one metric or of all. A backend without the call has none. */
export async function metadata(metric: string | undefined, signal: AbortSignal): Promise<Map<string, Meta>> {
  const data = await call("metadata", { metric, limit_per_metric: 1 }, signal);
  const out = new Map<string, Meta>();
  if (typeof data !== "object" || data === null) return out;
  for (const [name, list] of Object.entries(data as Record<string, unknown>)) {
    const first: unknown = Array.isArray(list) ? list[0] : undefined;
    if (typeof first !== "object" || first === null) continue;
    const { type, help } = first as { type?: unknown; help?: unknown };
    out.set(name, { type: typeof type === "string" && type !== "" ? type : "unknown", help: typeof help === "string" ? help : "" });
  }
  return out;
}

/** An instant query, at a time in ms or at the server's present. */
export async function instant(query: string, time: number | undefined, signal: AbortSignal): Promise<Series[]> {
  const out = parseResult(await call("query", { query, time: time === undefined ? undefined : seconds(time) }, signal));
  const t = out[0]?.samples[0]?.t;
  if (time === undefined && t !== undefined) observe(t);
  return out;
}

/** A range query; times and step in ms. */
export async function range(query: string, start: number, end: number, step: number, signal: AbortSignal): Promise<Series[]> {
  return parseResult(await call("query_range", { query, start: seconds(start), end: seconds(end), step: seconds(step) }, signal));
}

/** A time in ms as the API takes it. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function strings(data: unknown): string[] {
  return Array.isArray(data) ? data.filter((n): n is string => typeof n === "string").slice(0, maxNames) : [];
}
