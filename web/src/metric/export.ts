import { utc } from "../format/time";
import { duration, formatLabels, quote } from "../promql";
import type { SeriesData } from "./data";

/** A shell word in single quotes. */
function word(s: string): string {
  return `'${s.replaceAll("'", `'\\''`)}'`;
}

/** A curl command that asks for the stored samples of a selector up to a time. */
export function curl(base: string, selector: string, from: number, end: number): string {
  const range = duration(Math.max(1000, Math.ceil((end - from + 1) / 1000) * 1000));
  return [
    `curl -G ${word(base.replace(/\/$/, "") + "/api/v1/query")}`,
    `  --data-urlencode ${word(`query=${selector}[${range}]`)}`,
    `  --data-urlencode ${word(`time=${(end / 1000).toFixed(3)}`)}`,
  ].join(" \\\n");
}

/** The stored samples as CSV (RFC 4180), oldest first: time, milliseconds, value, labels. */
export function csv(series: readonly SeriesData[], labelNames: readonly string[]): string {
  const rows = series.flatMap((s) => s.stored.map((x) => ({ ...x, s })));
  rows.sort((a, b) => a.t - b.t || a.s.index - b.s.index);
  const lines = rows.map((r) => [utc(r.t).replace(" ", "T") + "Z", String(r.t), number(r.v), ...labelNames.map((n) => r.s.labels[n] ?? "")]);
  return [["time", "timestamp_ms", "value", ...labelNames], ...lines].map((l) => l.map(field).join(",") + "\r\n").join("");
}

// A field that a spreadsheet would take for a formula gets an apostrophe.
function field(s: string): string {
  const safe = /^[=+\-@\t\r]/.test(s) && !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(s) && s !== "+Inf" && s !== "-Inf" ? "'" + s : s;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The most steps of a promtool test: each one is kept in memory. */
const maxTestSteps = 100_000;

/**
 * A file for promtool test rules that has the stored samples, and expects the
 * last ones. Its series have even steps, so times are rounded to one: a second,
 * or more if the samples are far apart. Undefined without samples, and for
 * native histograms, which its notation can't say exactly.
 */
export function promtoolTest(name: string, series: readonly SeriesData[]): string | undefined {
  const all = series.flatMap((s) => s.stored);
  if (all.length === 0 || all.some((x) => x.buckets !== undefined)) return undefined;
  const start = Math.floor(Math.min(...all.map((x) => x.t)) / 1000) * 1000;
  const end = Math.max(...all.map((x) => x.t));
  const step = Math.max(1000, Math.ceil((end - start) / maxTestSteps / 1000) * 1000);
  const inputs = series.filter((s) => s.stored.length > 0).map((s) => {
    return `      - series: ${yaml(`{__name__=${quote(name)}${inner(s)}}`)}\n        values: ${yaml(values(s, start, step))}`;
  });
  // promtool loads samples up to the last whole minute, its evaluation interval.
  const at = Math.ceil(((Math.round((end - start) / step) * step) || 1) / 60_000) * 60_000;
  const lasts = series.flatMap((s) => {
    const last = s.stored.at(-1);
    if (last === undefined || at - Math.round((last.t - start) / step) * step >= 300_000) return [];
    return [`          - labels: ${yaml(`{__name__=${quote(name)}${inner(s)}}`)}\n            value: ${number(last.v)}`];
  });
  return [
    `# Samples of ${name.replace(/[^\x20-\x7e]/g, "?")} from ${utc(start)} UTC on, times rounded to ${step / 1000} s. Run: promtool test rules FILE`,
    "rule_files: []",
    "tests:",
    `  - interval: ${step / 1000}s`,
    "    input_series:",
    ...inputs,
    "    promql_expr_test:",
    `      - expr: ${yaml(`{__name__=${quote(name)}}`)}`,
    `        eval_time: ${duration(at)}`,
    "        exp_samples:" + (lasts.length === 0 ? " []" : ""),
    ...lasts,
    "",
  ].join("\n");
}

function inner(s: SeriesData): string {
  const labels = formatLabels(s.labels).slice(1, -1);
  return labels === "" ? "" : ", " + labels;
}

// promtool's notation: values of successive steps, _xN for N steps without one.
function values(s: SeriesData, start: number, step: number): string {
  const out: string[] = [];
  let next = 0;
  for (const x of s.stored) {
    const at = Math.round((x.t - start) / step);
    if (at < next) {
      out.pop(); // two samples in one step: the newer one stays
      next--;
    }
    if (at > next) out.push(`_x${at - next}`);
    out.push(number(x.v));
    next = at + 1;
  }
  return out.join(" ");
}

function number(v: number): string {
  return v === Infinity ? "+Inf" : v === -Infinity ? "-Inf" : String(v);
}

// A YAML string: JSON's strings are a part of YAML's.
function yaml(s: string): string {
  return JSON.stringify(s);
}
