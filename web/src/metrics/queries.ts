import { nameSelector, namesSelector } from "../promql";
import type { Kind } from "../lens/kind";

/** The label that tells the answers of one joined query apart. */
export const statLabel = "viewer_stat";
/** The label that holds the place of a name in the list asked for. */
export const indexLabel = "viewer_index";

/** How far the list looks back for metrics that have gone quiet. */
export const dayMs = 86_400_000;

/**
 * One query for the series count and the last values of several metrics of
 * one kind, idle ones too: a counter's series add up, a gauge's have a span.
 */
export function statsQuery(names: readonly string[], kind: Kind): string {
  const last = `last_over_time(${namesSelector(names)}[1d])`;
  const stats = kind === "counter" ? ["count", "sum"] : ["count", "min", "max"];
  return stats.map((s) => `label_replace(${s} by (__name__) (${last}), "${statLabel}", "${s}", "", "")`).join(" or ");
}

/**
 * The time of the newest sample of each live metric. timestamp() drops the
 * name, so each metric's answer carries its place in names instead.
 */
export function liveTimeQuery(names: readonly string[]): string {
  return names.map((n, i) => indexed(`max(timestamp(${nameSelector(n)}))`, i)).join(" or ");
}

/**
 * The same for metrics that are not live, from what each minute of the last
 * day showed. The answer is a sample's exact time: only a sample that was
 * marked stale within the minute is missed.
 */
export function idleTimeQuery(names: readonly string[]): string {
  return names.map((n, i) => indexed(`max(max_over_time(timestamp(${nameSelector(n)})[1d:1m]))`, i)).join(" or ");
}

function indexed(expr: string, i: number): string {
  return `label_replace(${expr}, "${indexLabel}", "${i}", "", "")`;
}
