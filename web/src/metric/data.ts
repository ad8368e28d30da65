import type { Sample } from "../api/series";
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
  /** Counters: growth by the stored samples; undefined if they are not all here. */
  exact: Increase | undefined;
  /** Counters: PromQL's increase() over the range. */
  extrapolated: number | undefined;
  /** Counters: PromQL's rate() at the steps. */
  rate: readonly Sample[];
}

/** All that one metric's screen shows. */
export interface MetricData {
  grid: Grid;
  /** The time of the load: stored samples go up to it. */
  end: number;
  /** Series and samples in the range, those that are not loaded included. */
  totalSeries: number;
  totalSamples: number;
  /** The loaded series, sorted by labels. */
  series: readonly SeriesData[];
  /** All series that the table lists; more than series if there are too many to load. */
  listed: readonly { key: string; labels: Labels; count: number }[];
  labelNames: readonly string[];
  /** From when on stored samples were loaded; later than the grid's start if there are too many. */
  rawFrom: number;
  partial: boolean;
  /** The window of rate(), ms. */
  rateWindow: number;
}
