import { instant, range as rangeQuery } from "../api/prom";
import type { Sample, Series } from "../api/series";
import { present } from "../clock";
import { exactIncrease } from "../lens/increase";
import { endedOf, gridFor, lensOf, lookback, stampsOf, type Grid } from "../lens/lens";
import type { Kind } from "../lens/kind";
import { duration, formatLabels, nameSelector, seriesSelector } from "../promql";
import type { MetricData, SeriesData } from "./data";

/** Series that are drawn together, samples that are fetched, series that the table lists. */
export const maxDrawn = 40;
const maxRaw = 40_000;
const maxListed = 500;

/** What to load. */
export interface Ask {
  name: string;
  kind: Kind;
  range: number;
  step: number;
  /** The series chosen, by its key, or "". It narrows the load only if there are too many. */
  chosen: string;
}

/** Loads a metric by standard queries alone, so that any Prometheus will do. */
export async function load(ask: Ask, signal: AbortSignal): Promise<MetricData> {
  const end = present();
  const grid = gridFor(end, ask.range, ask.step);
  const all = nameSelector(ask.name);
  const listed = await list(all, grid, end, signal);
  const labelNames = [...new Set(listed.series.flatMap((s) => Object.keys(s.labels)))].filter((n) => n !== "__name__").sort();
  let selector = all;
  let loaded = listed.series;
  if (listed.totalSeries > maxDrawn) {
    loaded = listed.series.filter((s) => s.key === ask.chosen);
    if (loaded.length === 0) loaded = listed.series.slice(0, 1);
    selector = seriesSelector(ask.name, loaded[0]?.labels ?? {}, labelNames);
  }
  const samples = loaded.reduce((n, s) => n + s.count, 0);
  const rawFrom = samples <= maxRaw ? grid.start : Math.round(end - ((end - grid.start) * maxRaw) / samples);
  const rateWindow = Math.max(lookback, 4 * ask.step);
  const parts = loaded.length === 0 ? noParts : await fetchParts(selector, ask.kind, grid, end, rawFrom, rateWindow, signal);
  const partial = rawFrom > grid.start;
  return {
    grid,
    end,
    totalSeries: listed.totalSeries,
    totalSamples: listed.totalSamples,
    series: loaded.map((s, index) => assemble(s, index, parts, grid, end, partial)),
    listed: listed.series,
    labelNames,
    rawFrom,
    partial,
    rateWindow,
  };
}

interface Listed {
  totalSeries: number;
  totalSamples: number;
  series: { key: string; labels: Series["labels"]; count: number }[];
}

// Counts first: a number per series is cheap, and says what else can be afforded.
async function list(selector: string, grid: Grid, end: number, signal: AbortSignal): Promise<Listed> {
  const counts = `count_over_time(${stored(selector, grid.start, end)})`;
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
function stored(selector: string, from: number, end: number): string {
  return `${selector}[${duration(Math.max(1, end - from + 1))}]`;
}

interface Parts {
  drawn: Map<string, readonly Sample[]>;
  stamps: Map<string, readonly Sample[]>;
  raw: Map<string, readonly Sample[]>;
  before: Map<string, readonly Sample[]>;
  rate: Map<string, readonly Sample[]>;
  increase: Map<string, readonly Sample[]>;
}

const none: ReadonlyMap<string, readonly Sample[]> = new Map();
const noParts: Parts = { drawn: new Map(none), stamps: new Map(none), raw: new Map(none), before: new Map(none), rate: new Map(none), increase: new Map(none) };

async function fetchParts(selector: string, kind: Kind, g: Grid, end: number, rawFrom: number, window: number, signal: AbortSignal): Promise<Parts> {
  const counter = kind === "counter";
  const [drawn, stamps, raw, before, rate, increase] = await Promise.all([
    rangeQuery(selector, g.start, g.end, g.step, signal),
    rangeQuery(`timestamp(${selector})`, g.start, g.end, g.step, signal),
    instant(stored(selector, rawFrom, end), end, signal),
    counter ? instant(selector, g.start - 1, signal) : [],
    counter ? rangeQuery(`rate(${selector}[${duration(window)}])`, g.start, g.end, g.step, signal) : [],
    counter ? instant(`increase(${stored(selector, g.start + 1, end)})`, end, signal) : [],
  ]);
  return { drawn: byKey(drawn), stamps: byKey(stamps), raw: byKey(raw), before: byKey(before), rate: byKey(rate), increase: byKey(increase) };
}

function byKey(series: readonly Series[]): Map<string, readonly Sample[]> {
  return new Map(series.map((s) => [formatLabels(s.labels), s.samples]));
}

function assemble(s: Listed["series"][number], index: number, p: Parts, grid: Grid, end: number, partial: boolean): SeriesData {
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
