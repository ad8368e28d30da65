import type { Labels } from "../promql";
import { lengthOfGrid } from "../chart/align";
import type { Grid } from "../lens/lens";
import { ask } from "./client";
import { seconds } from "./prom";
import { list, number, record, text } from "./read";
import { parseResult, parseValue, type Series } from "./series";

/** What an expression came to. */
export interface Result {
  /** Stored samples that it read, if the server says. */
  read: number | undefined;
  notes: readonly string[];
}

/** A line of a range query: values at the steps, NaN where there is none. */
export interface Drawn {
  labels: Labels;
  values: Float64Array;
}

/** A range query for drawing. Histograms are kept as they are, for heatmaps. */
export interface RangeResult extends Result {
  series: readonly Drawn[];
  histograms: readonly Series[];
  points: number;
}

/** Evaluates at each step of a grid. Plain values go into arrays at once, since there may be millions. */
export async function evaluateRange(query: string, grid: Grid, signal: AbortSignal): Promise<RangeResult> {
  const { data, notes } = await ask("query_range", { query, start: seconds(grid.start), end: seconds(grid.end), step: seconds(grid.step), stats: "all" }, signal);
  const n = lengthOfGrid(grid);
  const series: Drawn[] = [];
  let points = 0;
  for (const r of list(record(data)["result"]).map(record)) {
    const values = new Float64Array(n).fill(NaN);
    for (const p of list(r["values"])) {
      const [t, v] = list(p);
      const i = Math.round((number(t) * 1000 - grid.start) / grid.step);
      if (i < 0 || i >= n) continue;
      values[i] = parseValue(v);
      points++;
    }
    if (r["values"] !== undefined) series.push({ labels: record(r["metric"]) as Labels, values });
  }
  const withHistograms = list(record(data)["result"]).some((r) => record(r)["histograms"] !== undefined);
  const histograms = withHistograms ? parseResult(data).filter((s) => s.samples.some((x) => x.buckets !== undefined)) : [];
  points += histograms.reduce((a, s) => a + s.samples.length, 0);
  return { series, histograms, points, read: readOf(data), notes };
}

/** Evaluates at one moment: numbers, histograms, or with a range selector the stored samples. */
export interface InstantResult extends Result {
  type: string;
  series: readonly Series[];
  /** Of a string. */
  text: string;
}

/** Evaluates at one moment. */
export async function evaluateInstant(query: string, at: number, signal: AbortSignal): Promise<InstantResult> {
  const { data, notes } = await ask("query", { query, time: seconds(at), stats: "all" }, signal);
  const type = text(record(data)["resultType"]);
  const string = type === "string" ? text(list(record(data)["result"])[1]) : "";
  return { type, series: type === "string" ? [] : parseResult(data), text: string, read: readOf(data), notes };
}

/** The tree of an expression, as Prometheus's own page reads it; it throws the parser's error. */
export async function parseExpression(query: string, signal: AbortSignal): Promise<unknown> {
  return (await ask("parse_query", { query }, signal)).data;
}

/** The expression laid out over lines. */
export async function formatExpression(query: string, signal: AbortSignal): Promise<string> {
  return text((await ask("format_query", { query }, signal)).data);
}

function readOf(data: unknown): number | undefined {
  const n = record(record(record(data)["stats"])["samples"])["totalQueryableSamples"];
  return typeof n === "number" ? n : undefined;
}
