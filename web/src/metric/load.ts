import { instant, range as rangeQuery } from "../api/prom";
import type { Sample, Series } from "../api/series";
import { present } from "../clock";
import { exactIncrease } from "../lens/increase";
import { endedOf, leastRate, lensOf, stampsOf, type Grid } from "../lens/lens";
import { cumulative } from "../lens/kind";
import type { Family } from "../metrics/family";
import { duration, formatLabels, grouping, selector, seriesSelector, type Matcher } from "../promql";
import { gridOf, type Span } from "../time/span";
import type { GroupData, Listed, MetricData, SeriesData } from "./data";
import { distribution } from "./distribution";
import type { Aggregation } from "./view";

/** Series that are drawn together, samples that are fetched, series that the table lists. */
export const maxDrawn = 40;
const maxRaw = 40_000;
const maxListed = 500;

/** What to load. */
export interface Ask {
  family: Family;
  span: Span;
  step: number;
  where: readonly Matcher[];
  by: readonly string[];
  aggregation: Aggregation;
  /** The series chosen, by its key, or "". It narrows the load only if there are too many. */
  chosen: string;
}

/** The name whose samples the lens shows: of a classic histogram the count of observations. */
export function lensName(f: Family): string {
  return f.kind === "classic" || (f.kind === "summary" && !f.members.includes(f.name)) ? `${f.name}_count` : f.name;
}

/** Loads a metric by standard queries alone, so that any Prometheus will do. */
export async function load(ask: Ask, signal: AbortSignal): Promise<MetricData> {
  const { grid, end } = gridOf(ask.span, ask.step, present());
  const name = lensName(ask.family);
  const all = selector(name, ask.where);
  const rateWindow = Math.max(leastRate, 4 * ask.step);
  const grouped = ask.by.length > 0;
  const [listed, shape, groups] = await Promise.all([
    list(all, grid, end, signal),
    distribution(ask.family, ask.where, ask.by, grid, rateWindow, signal),
    grouped ? loadGroups(ask, all, grid, rateWindow, signal) : undefined,
  ]);
  const common = {
    grid,
    end,
    totalSeries: listed.totalSeries,
    totalSamples: listed.totalSamples,
    groups,
    listed: listed.series,
    labelNames: [...new Set(listed.series.flatMap((s) => Object.keys(s.labels)))].filter((n) => n !== "__name__").sort(),
    rateWindow,
    distribution: shape,
  };
  if (grouped || listed.series.length === 0) return { ...common, series: [], rawFrom: grid.start, partial: false };
  return { ...common, ...(await loadSeries(ask, name, all, common, signal)) };
}

async function loadSeries(ask: Ask, name: string, all: string, c: Omit<MetricData, "series" | "rawFrom" | "partial">, signal: AbortSignal): Promise<Pick<MetricData, "series" | "rawFrom" | "partial">> {
  const { grid, end } = c;
  let loaded = c.listed;
  let chosen = all;
  if (c.totalSeries > maxDrawn) {
    loaded = loaded.filter((s) => s.key === ask.chosen);
    if (loaded.length === 0) loaded = c.listed.slice(0, 1);
    chosen = seriesSelector(name, loaded[0]?.labels ?? {}, c.labelNames);
  }
  const samples = loaded.reduce((n, s) => n + s.count, 0);
  const rawFrom = samples <= maxRaw ? grid.start : Math.round(end - ((end - grid.start) * maxRaw) / samples);
  const partial = rawFrom > grid.start;
  const parts = await fetchParts(chosen, cumulative(ask.family.kind), grid, end, rawFrom, c.rateWindow, signal);
  return { series: loaded.map((s, index) => assemble(s, index, parts, grid, end, partial)), rawFrom, partial };
}

// Several series as one: totals add up, of gauges it is a matter of taste.
async function loadGroups(ask: Ask, all: string, g: Grid, window: number, signal: AbortSignal): Promise<GroupData[]> {
  const totals = cumulative(ask.family.kind);
  const by = `by (${grouping(ask.by)})`;
  const how = totals ? "sum" : ask.aggregation;
  const rate = `rate(${all}[${duration(window)}])`;
  const count = (s: string) => (ask.family.kind === "native" ? `histogram_count(${s})` : s);
  const [drawn, rates, sizes] = await Promise.all([
    rangeQuery(count(`${how} ${by} (${all})`), g.start, g.end, g.step, signal),
    totals ? rangeQuery(count(`sum ${by} (${rate})`), g.start, g.end, g.step, signal) : [],
    instant(`count ${by} (last_over_time(${stored(all, g.start, g.end)}))`, g.end, signal),
  ]);
  const [d, r] = [byKey(drawn), byKey(rates)];
  const list = sizes.map((s) => ({ key: formatLabels(s.labels), labels: s.labels, series: s.samples[0]?.v ?? 0 }));
  list.sort((a, b) => (a.key < b.key ? -1 : 1));
  return list.slice(0, maxDrawn).map((s, index) => ({ ...s, index, drawn: d.get(s.key) ?? [], rate: r.get(s.key) ?? [] }));
}

interface Found {
  totalSeries: number;
  totalSamples: number;
  series: Listed[];
}

// Counts first: a number per series is cheap, and says what else can be afforded.
async function list(all: string, grid: Grid, end: number, signal: AbortSignal): Promise<Found> {
  const counts = `count_over_time(${stored(all, grid.start, end)})`;
  const total = (f: string) => `label_replace(${f}(${counts}), "viewer_stat", "${f}", "", "")`;
  const [totals, top] = await Promise.all([
    instant(`${total("count")} or ${total("sum")}`, end, signal),
    instant(`topk(${maxListed}, ${counts})`, end, signal),
  ]);
  const of = (f: string) => totals.find((s) => s.labels["viewer_stat"] === f)?.samples[0]?.v ?? 0;
  const series = top.map((s) => ({ key: formatLabels(s.labels), labels: s.labels, count: s.samples[0]?.v ?? 0 }));
  series.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { totalSeries: of("count"), totalSamples: of("sum"), series };
}

// A range selector is left-open since Prometheus 3: one millisecond more takes
// in a sample that stands exactly on the first step.
function stored(all: string, from: number, end: number): string {
  return `${all}[${duration(Math.max(1, end - from + 1))}]`;
}

interface Parts {
  drawn: Map<string, readonly Sample[]>;
  stamps: Map<string, readonly Sample[]>;
  raw: Map<string, readonly Sample[]>;
  before: Map<string, readonly Sample[]>;
  rate: Map<string, readonly Sample[]>;
  increase: Map<string, readonly Sample[]>;
}

async function fetchParts(all: string, totals: boolean, g: Grid, end: number, rawFrom: number, window: number, signal: AbortSignal): Promise<Parts> {
  const [drawn, stamps, raw, before, rate, increase] = await Promise.all([
    rangeQuery(all, g.start, g.end, g.step, signal),
    rangeQuery(`timestamp(${all})`, g.start, g.end, g.step, signal),
    instant(stored(all, rawFrom, end), end, signal),
    totals ? instant(all, g.start - 1, signal) : [],
    totals ? rangeQuery(`rate(${all}[${duration(window)}])`, g.start, g.end, g.step, signal) : [],
    totals ? instant(`increase(${stored(all, g.start + 1, end)})`, end, signal) : [],
  ]);
  return { drawn: byKey(drawn), stamps: byKey(stamps), raw: byKey(raw), before: byKey(before), rate: byKey(rate), increase: byKey(increase) };
}

function byKey(series: readonly Series[]): Map<string, readonly Sample[]> {
  return new Map(series.map((s) => [formatLabels(s.labels), s.samples]));
}

function assemble(s: Listed, index: number, p: Parts, grid: Grid, end: number, partial: boolean): SeriesData {
  const at = (m: Map<string, readonly Sample[]>) => m.get(s.key) ?? [];
  const raw = at(p.raw).filter((x) => x.t >= grid.start && x.t <= end);
  const stamps = stampsOf(at(p.stamps));
  const lens = lensOf(raw.map((x) => x.t), stamps, grid);
  if (partial) {
    // Not every sample is here, but every one was counted.
    lens.stored = s.count;
    const shown = new Set(stamps.map((x) => x.sample).filter((t) => t >= grid.start));
    lens.hidden = Math.max(0, s.count - lens.waiting - shown.size);
  }
  return {
    ...s,
    index,
    stored: raw,
    drawn: at(p.drawn),
    stamps,
    lens,
    ended: endedOf(raw.at(-1)?.t, stamps, grid),
    exact: partial ? undefined : exactIncrease(raw, at(p.before)[0]?.v),
    extrapolated: at(p.increase)[0]?.v,
    rate: at(p.rate),
  };
}

/** What a metric's screen is called in PromQL: the expression of its first chart. */
export function expressionOf(f: Family, where: readonly Matcher[], by: readonly string[], rateWindow: number): string {
  const w = duration(rateWindow);
  const group = by.length > 0 ? ` by (${grouping(by)})` : "";
  switch (f.kind) {
    case "classic":
      return `histogram_quantile(0.9, sum by (${grouping(["le", ...by])}) (rate(${selector(`${f.name}_bucket`, where)}[${w}])))`;
    case "native":
      return `histogram_quantile(0.9, sum${group} (rate(${selector(f.name, where)}[${w}])))`;
    case "counter":
      return group === "" ? `rate(${selector(f.name, where)}[${w}])` : `sum${group} (rate(${selector(f.name, where)}[${w}]))`;
    default:
      return group === "" ? selector(lensName(f), where) : `avg${group} (${selector(lensName(f), where)})`;
  }
}

