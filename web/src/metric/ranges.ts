import { parseDuration } from "../promql";

/** A range that has a button, and the step that suits it. */
export interface Range {
  label: string;
  ms: number;
  step: number;
}

const minute = 60_000;
const hour = 60 * minute;

/**
 * No automatic step is longer than Prometheus's lookback (5 min): with a longer
 * one, samples that were stored would fall between the steps.
 */
export const ranges: readonly Range[] = [
  { label: "15m", ms: 15 * minute, step: 15_000 },
  { label: "1h", ms: hour, step: 15_000 },
  { label: "6h", ms: 6 * hour, step: minute },
  { label: "24h", ms: 24 * hour, step: 5 * minute },
  { label: "7d", ms: 168 * hour, step: 5 * minute },
];

/** The steps on offer beside "auto". */
export const steps: readonly string[] = ["1s", "5s", "15s", "1m", "5m", "10m", "1h"];

/** Prometheus refuses more points a series than this. */
const maxPoints = 11_000;

/** The range and the step of an address; what it does not know becomes the default. */
export function resolve(range: string, step: string): Range & { clamped: boolean } {
  const known = ranges.find((r) => r.label === range);
  const ms = known?.ms ?? Math.min(Math.max(parseDuration(range) ?? hour, minute), 30 * 24 * hour);
  const auto = known?.step ?? (ranges.find((r) => ms <= r.ms) ?? { step: 5 * minute }).step;
  const asked = parseDuration(step) ?? auto;
  const least = Math.ceil(ms / (maxPoints - 1) / 1000) * 1000;
  return { label: known?.label ?? range, ms, step: Math.max(asked, least), clamped: asked < least };
}
