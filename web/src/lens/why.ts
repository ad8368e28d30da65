import { count, exactNumber, formatNumber } from "../format/number";
import { formatAge, formatStep, span, utc } from "../format/time";
import { duration, selector, type Matcher } from "../promql";
import type { Patch } from "../router";
import { cumulative, type Kind } from "./kind";
import type { Increase } from "./increase";
import { lookback, sumLens, type Ended, type Grid, type Lens, type Stamp } from "./lens";

/** What is asked about: one metric as its screen shows it. */
export interface Question {
  /** The name whose samples are seen, and how they are to be read. */
  name: string;
  kind: Kind;
  where: readonly Matcher[];
  grid: Grid;
  now: number;
  rateWindow: number;
  totalSeries: number;
  series: readonly {
    key: string;
    stored: readonly { t: number; v: number }[];
    stamps: readonly Stamp[];
    lens: Lens;
    ended: Ended | undefined;
    exact: Increase | undefined;
    extrapolated: number | undefined;
    rate: readonly unknown[];
  }[];
  /** If there is nothing: the last sample of the day (null: none), and which values the labels have. */
  absence: { last: number | null; values: ReadonlyMap<string, readonly string[]> } | undefined;
  /** Whether not all stored samples are here. */
  partial: boolean;
  /** narthex's rules of writing counters, ms; 0 where a bare Prometheus is looked at. */
  idle: number;
}

/** One click that mends or shows it: another address of this screen, or a query. */
export type Fix = { label: string; patch: Patch } | { label: string; query: string };

/** One answer, with what it rests on. */
export interface Finding {
  id: string;
  title: string;
  evidence: string;
  fixes: readonly Fix[];
}

/** Why a chart is flat, empty or jagged: what the stored samples and the drawn points say together. */
export function why(q: Question): Finding[] {
  if (q.totalSeries === 0) return empty(q);
  const rules = [hidden, carried, gaps, flat, jagged, extrapolated, resets, ended];
  const found = rules.flatMap((rule) => rule(q) ?? []);
  if (found.length > 0) return found;
  const l = sumLens(q.series.map((s) => s.lens));
  return [{ id: "fine", title: "Nothing odd here", evidence: `All ${count(l.stored, "stored sample")} can be seen, and each of the ${count(l.drawn, "drawn point")} is at most a step away from its sample.`, fixes: [] }];
}

function empty(q: Question): Finding[] {
  const out: Finding[] = [];
  const long = q.grid.end - q.grid.start;
  for (const m of q.where) {
    const values = q.absence?.values.get(m.label) ?? [];
    if (m.not || values.includes(m.value)) continue;
    const near = nearest(m.value, values).slice(0, 3);
    const others = q.where.filter((w) => w !== m);
    const evidence = values.length === 0 ? `No series of the last day has the label ${m.label}.` : `${m.label} has ${count(values.length, "value")} in the last day, “${m.value}” is not one of them.`;
    const fixes: Fix[] = near.map((value) => ({ label: `${m.label} = ${value}`, patch: { where: [...others, { ...m, value }].map(written) } }));
    out.push({ id: "no-match", title: `No series has ${m.label} = “${m.value}”`, evidence, fixes: [...fixes, { label: "Without this filter", patch: { where: others.map(written) } }] });
  }
  const last = q.absence?.last;
  if (typeof last === "number" && last < q.grid.start) {
    out.push({ id: "older", title: "The last sample is older than the range", evidence: `It is from ${utc(last)} UTC, ${formatAge(last, q.now)}; the range begins ${span(q.now - q.grid.start)} ago.`, fixes: [{ label: "Show a range that has it", patch: { range: duration(wider(q.now - last)), from: undefined, to: undefined } }] });
  } else if (typeof last === "number" && out.length === 0) {
    out.push({ id: "elsewhere", title: "Nothing in this stretch", evidence: `No sample is stored within these ${span(long)}. The last one of the day is from ${utc(last)} UTC.`, fixes: [{ label: "Show the last 24 h", patch: { range: "24h", from: undefined, to: undefined } }] });
  } else if (last === null && out.length === 0) {
    out.push({ id: "never", title: "Nothing was stored in the last 24 hours", evidence: "No series of this name had a sample. It may be spelled otherwise, have been refused, or be older.", fixes: [{ label: "Show the last 30 days", patch: { range: "30d", from: undefined, to: undefined } }] });
  }
  return out;
}

function hidden(q: Question): Finding | undefined {
  const l = sumLens(q.series.map((s) => s.lens));
  if (l.hidden === 0) return undefined;
  const step = showing(q);
  const shorter = step < q.grid.step;
  const why = q.grid.step > lookback.value ? `The step, ${formatStep(q.grid.step)}, is longer than the ${formatStep(lookback.value)} that PromQL looks back: what is stored early between two steps is on neither.` : `Several samples lie between two steps, and a step shows only the newest.`;
  const fixes: Fix[] = shorter ? [{ label: `Step ${formatStep(step)} shows all`, patch: { step: duration(step) } }] : [];
  if (q.grid.step > lookback.value) fixes.push({ label: `Query the last of each ${formatStep(q.grid.step)}`, query: `last_over_time(${sel(q)}[${duration(q.grid.step)}])` });
  return { id: "hidden", title: l.drawn === 0 ? `All ${count(l.hidden, "stored sample")} are hidden` : `${formatNumber(l.hidden)} of ${count(l.stored, "stored sample")} are hidden`, evidence: why, fixes };
}

function carried(q: Question): Finding | undefined {
  const l = sumLens(q.series.map((s) => s.lens));
  if (l.drawn === 0 || l.carried / l.drawn < 0.3) return undefined;
  const gap = spacing(q);
  const often = gap === undefined ? "" : ` Samples came every ${about(gap)}; the step is ${formatStep(q.grid.step)}.`;
  return {
    id: "carried",
    title: `${formatNumber(l.carried)} of ${count(l.drawn, "point")} repeat a stored sample`,
    evidence: `PromQL shows a sample again at each step for up to ${formatStep(lookback.value)}, until a newer one comes. Nobody sent these points.${often}`,
    fixes: [
      { label: "Draw stored samples only", patch: { carried: "off" } },
      { label: "Query without carrying", query: `last_over_time(${sel(q)}[${duration(q.grid.step)}])` },
    ],
  };
}

function gaps(q: Question): Finding | undefined {
  let n = 0;
  let longest = 0;
  for (const s of q.series) {
    for (let i = 1; i < s.stored.length; i++) {
      const d = (s.stored[i]?.t ?? 0) - (s.stored[i - 1]?.t ?? 0);
      if (d > lookback.value + q.grid.step) {
        n++;
        longest = Math.max(longest, d);
      }
    }
  }
  if (n === 0) return undefined;
  const window = Math.min(wider(longest), 86_400_000);
  return { id: "gaps", title: `${count(n, "gap")} in the line`, evidence: `Between samples were up to ${about(longest)}, and PromQL forgets one after ${formatStep(lookback.value)}. The samples are there; the line between them is not.`, fixes: [{ label: "Query across the gaps", query: `last_over_time(${sel(q)}[${duration(window)}])` }] };
}

function flat(q: Question): Finding | undefined {
  const many = q.series.filter((s) => s.stored.length > 1);
  if (many.length === 0 || many.length < q.series.length || q.partial) return undefined;
  const moved = many.some((s) => s.stored.some((x) => x.v !== s.stored[0]?.v));
  if (moved) return undefined;
  const n = many.reduce((a, s) => a + s.stored.length, 0);
  const grew = many.some((s) => (s.exact?.value ?? 0) > 0);
  const value = many.length === 1 ? `: ${exactNumber(many[0]?.stored[0]?.v ?? NaN)}` : "";
  const evidence = cumulative(q.kind)
    ? `${count(n, "sample is", "samples are")} stored, all equal${value}. The total was repeated, so that it stays alive; nothing was counted in this range${grew ? " after the first sample" : ""}.`
    : `${count(n, "sample is", "samples are")} stored, all equal${value}. It is the data that is flat, not the chart.`;
  return { id: "flat", title: "It really is flat", evidence, fixes: [{ label: "Show the last 24 h", patch: { range: "24h", from: undefined, to: undefined } }] };
}

function jagged(q: Question): Finding | undefined {
  const gap = spacing(q);
  if (!cumulative(q.kind) || gap === undefined || gap * 2 <= q.rateWindow) return undefined;
  const window = Math.min(Math.ceil((4 * gap) / 60_000) * 60_000, 86_400_000);
  return {
    id: "jagged",
    title: "The rate is jagged, or missing",
    evidence: `rate(…[${duration(q.rateWindow)}]) needs two samples within ${formatStep(q.rateWindow)}, and they came every ${about(gap)}. With one there is no rate; with two, little says how steep it was.`,
    fixes: [{ label: `Query rate over ${formatStep(window)}`, query: `rate(${sel(q)}[${duration(window)}])` }],
  };
}

function extrapolated(q: Question): Finding | undefined {
  if (!cumulative(q.kind)) return undefined;
  const exact = q.series.reduce((n, s) => n + (s.exact?.value ?? NaN), 0);
  const told = q.series.reduce((n, s) => n + (s.extrapolated ?? 0), 0);
  if (Number.isNaN(exact) || Math.abs(told - exact) <= Math.max(Math.abs(exact) * 0.01, 1e-9)) return undefined;
  const long = duration(Math.max(1000, Math.round((q.grid.end - q.grid.start) / 1000) * 1000));
  return {
    id: "extrapolated",
    title: `increase() says ${formatNumber(told)}, the samples say ${formatNumber(exact)}`,
    evidence: "PromQL takes what grew between the first and the last sample and stretches it to the edges of the range; the exact figure is the sum of the differences of stored neighbours.",
    fixes: q.idle > 0 ? [{ label: "Query the exact increase", query: `increase(${sel(q)}[${long}] anchored)` }] : [],
  };
}

function resets(q: Question): Finding | undefined {
  const n = q.series.reduce((a, s) => a + (s.exact?.resets ?? 0), 0);
  if (n === 0 || !cumulative(q.kind)) return undefined;
  return { id: "resets", title: `${count(n, "reset")}: the total fell`, evidence: "A total falls when what counts starts again from zero, or when two writers share the series. rate() and increase() take the new value as growth since zero.", fixes: [{ label: "Query where", query: `resets(${sel(q)}[${duration(q.rateWindow)}]) > 0` }] };
}

function ended(q: Question): Finding | undefined {
  const all = q.series.filter((s) => s.ended !== undefined);
  const [one] = all;
  if (one?.ended === undefined) return undefined;
  const idle = q.idle > 0 ? ` narthex ends a counter that has not changed for ${formatStep(q.idle)}; the next increment goes on from the old total.` : "";
  return { id: "ended", title: all.length === 1 ? `The series ended at ${utc(one.ended.by).slice(11, 19)} UTC` : `${formatNumber(all.length)} series have ended`, evidence: `No step shows ${all.length === 1 ? "it" : "them"} any more, although the lookback would reach the last sample: a stale marker was written.${idle}`, fixes: [] };
}

// The longest usual step at which each stored sample has a step of its own.
function showing(q: Question): number {
  let least = lookback.value;
  for (const s of q.series) {
    for (let i = 1; i < s.stored.length; i++) least = Math.min(least, (s.stored[i]?.t ?? 0) - (s.stored[i - 1]?.t ?? 0));
  }
  return [300, 120, 60, 30, 15, 10, 5, 2, 1].map((s) => s * 1000).find((s) => s <= least) ?? 1000;
}

// The usual distance of two samples: the median.
function spacing(q: Question): number | undefined {
  const all = q.series.flatMap((s) => s.stored.slice(1).map((x, i) => x.t - (s.stored[i]?.t ?? 0)));
  all.sort((a, b) => a - b);
  return all[Math.floor(all.length / 2)];
}

function wider(ms: number): number {
  return [900, 3600, 21_600, 86_400, 604_800, 2_592_000].map((s) => s * 1000).find((r) => r > ms * 1.05) ?? 31_536_000_000;
}

function about(ms: number): string {
  if (ms < 120_000) return `${formatNumber(Math.round(ms / 100) / 10)} s`;
  return ms < 7_200_000 ? `${formatNumber(Math.round(ms / 6000) / 10)} min` : `${formatNumber(Math.round(ms / 360_000) / 10)} h`;
}

function sel(q: Question): string {
  return selector(q.name, q.where);
}

function written(m: Matcher): string {
  return `${m.label}${m.not ? "!=" : "="}${m.value}`;
}

/** The values, those first that are most alike: by common beginning, then by edit distance. */
export function nearest(value: string, values: readonly string[]): string[] {
  const v = value.toLowerCase();
  const score = (s: string) => {
    const t = s.toLowerCase();
    return t.includes(v) || v.includes(t) ? 0 : distance(v.slice(0, 60), t.slice(0, 60));
  };
  return values
    .slice(0, 2000)
    .map((s) => ({ s, d: score(s) }))
    .sort((a, b) => a.d - b.d || (a.s < b.s ? -1 : 1))
    .map((x) => x.s);
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

