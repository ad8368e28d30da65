import { gridFor, lookback, type Grid } from "../lens/lens";
import { duration, parseDuration } from "../promql";
import { param, type Patch, type Route } from "../router";

/** A stretch of time: the last so many milliseconds, or from one moment to another. */
export type Span = { kind: "last"; ms: number } | { kind: "fixed"; from: number; to: number };

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** The stretches that have a button, and those that are in the list. */
export const quick: readonly number[] = [15 * minute, hour, 6 * hour, day, 7 * day];
export const relative: readonly number[] = [5 * minute, 15 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 30 * day];

/** The steps on offer beside "auto". */
export const steps: readonly string[] = ["1s", "5s", "15s", "1m", "5m", "10m", "1h"];

/** Prometheus refuses more points a series than this. */
export const maxPoints = 11_000;
const longest = 366 * day;
const shortest = 1000;

/** Reads the stretch of an address: range=6h, or from=…&to=… in ISO 8601. Nonsense becomes the default. */
export function spanOf(r: Route, otherwise = hour): Span {
  const from = moment(param(r, "from"));
  const to = moment(param(r, "to"));
  if (from !== undefined && to !== undefined && to - from >= shortest) return { kind: "fixed", from: Math.max(from, to - longest), to };
  const ms = parseDuration(param(r, "range")) ?? otherwise;
  return { kind: "last", ms: Math.min(Math.max(ms, shortest), longest) };
}

/** What of an address says a stretch. The default is left out. */
export function spanPatch(s: Span, otherwise = hour): Patch {
  if (s.kind === "last") return { range: s.ms === otherwise ? undefined : shortDuration(s.ms), from: undefined, to: undefined };
  return { range: undefined, from: new Date(s.from).toISOString(), to: new Date(s.to).toISOString() };
}

/** Its length, ms. */
export function lengthOf(s: Span): number {
  return s.kind === "last" ? s.ms : s.to - s.from;
}

/** A length as the address and the buttons say it: 24h and not 1d, 7d and not 1w. */
export function shortDuration(ms: number): string {
  if (ms % day === 0 && ms > day) return `${ms / day}d`;
  if (ms % hour === 0) return `${ms / hour}h`;
  return duration(ms);
}

/** The steps of a range query, and whether the step that was asked for was too short. */
export interface Steps {
  step: number;
  auto: number;
  clamped: boolean;
}

const nice = [1, 2, 5, 10, 15, 30, 60, 120, 300].map((s) => s * 1000);

/**
 * The step for a length of time. No automatic step is longer than Prometheus's
 * lookback: with a longer one, samples that were stored would fall
 * between the steps. Only where that makes too many points it is.
 */
export function stepFor(ms: number, asked: string): Steps {
  const least = Math.ceil(ms / (maxPoints - 1) / 1000) * 1000;
  const floor = ms >= 15 * minute ? 15_000 : ms >= 5 * minute ? 5000 : 1000;
  const auto = Math.max(least, floor, Math.min(nice.find((s) => s >= ms / 360) ?? 300_000, lookback.value));
  const wanted = parseDuration(asked) ?? auto;
  return { step: Math.max(wanted, least), auto, clamped: wanted < least };
}

/** The grid over a stretch, aligned to the step, and the moment that it ends with. */
export function gridOf(s: Span, step: number, now: number): { grid: Grid; end: number } {
  const end = s.kind === "last" ? now : Math.min(s.to, Math.max(now, s.from + shortest));
  return { grid: gridFor(end, s.kind === "last" ? s.ms : end - s.from, step), end };
}

/** The stretch moved by a part of its length, or made longer or shorter around its middle. */
export function moved(s: Span, now: number, by: number, scale = 1): Span {
  const length = lengthOf(s);
  const to = s.kind === "last" ? now : s.to;
  const middle = to - length / 2 + by * length;
  const half = Math.min(Math.max((length * scale) / 2, 2 * shortest), longest / 2);
  if (middle + half >= now && scale > 1) return { kind: "last", ms: Math.round(half * 2) };
  return { kind: "fixed", from: Math.round(middle - half), to: Math.round(middle + half) };
}

function moment(s: string): number | undefined {
  if (s === "") return undefined;
  const t = /^\d{10,13}$/.test(s) ? (s.length > 10 ? Number(s) : Number(s) * 1000) : Date.parse(s);
  return Number.isFinite(t) && Math.abs(t) < 8e15 ? t : undefined;
}
