import type { Sample } from "../api/series";
import type { Heat } from "../chart/heat";
import type { Increase } from "../lens/increase";
import type { Ended, Grid, Lens, Stamp } from "../lens/lens";
import type { Labels } from "../promql";

/** One series in the range, and the lens on it. */
export interface SeriesData {
  /** The labels written out: what the address and the tables call it. */
  key: string;
  labels: Labels;
  /** Its place in the list: picks its colour. */
  index: number;
  /** How many samples are stored in the range. */
  count: number;
  /** The stored samples, oldest first; the newest ones only if Raw.partial. */
  stored: readonly Sample[];
  /** What the range query drew. */
  drawn: readonly Sample[];
  stamps: readonly Stamp[];
  lens: Lens;
  ended: Ended | undefined;
  /** Totals: growth by the stored samples; undefined if they are not all here. */
  exact: Increase | undefined;
  /** Totals: PromQL's increase() over the range. */
  extrapolated: number | undefined;
  /** Totals: PromQL's rate() at the steps. */
  rate: readonly Sample[];
}

/** Series that were made one. */
export interface GroupData {
  key: string;
  labels: Labels;
  index: number;
  /** How many series it has at the end. */
  series: number;
  drawn: readonly Sample[];
  rate: readonly Sample[];
}

/** A line that has a name, such as a quantile. */
export interface NamedLine {
  name: string;
  points: readonly Sample[];
}

/** What is drawn of a histogram or a summary above the samples. */
export interface Distribution {
  heat: Heat | undefined;
  quantiles: readonly NamedLine[];
  error: string | undefined;
}

/** A series of the list. */
export interface Listed {
  key: string;
  labels: Labels;
  count: number;
}

/** All that one metric's screen shows. */
export interface MetricData {
  grid: Grid;
  /** The time of the load: stored samples go up to it. */
  end: number;
  /** Series and samples in the range, those that are not loaded included. */
  totalSeries: number;
  totalSamples: number;
  /** The loaded series, sorted by labels; none if they are grouped. */
  series: readonly SeriesData[];
  groups: readonly GroupData[] | undefined;
  /** All series that the table lists; more than series if there are too many to load. */
  listed: readonly Listed[];
  labelNames: readonly string[];
  /** From when on stored samples were loaded; later than the grid's start if there are too many. */
  rawFrom: number;
  partial: boolean;
  /** The window of rate(), ms. */
  rateWindow: number;
  distribution: Distribution | undefined;
}
