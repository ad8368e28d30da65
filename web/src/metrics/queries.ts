import { nameSelector, namesSelector } from "../promql";
import type { Family } from "./family";

/** The label that tells the answers of one joined query apart. */
export const statLabel = "viewer_stat";
/** The label that holds the place of a name in the list asked for. */
export const indexLabel = "viewer_index";

/** How far the list looks back for metrics that have gone quiet. */
export const dayMs = 86_400_000;

/** The stretch of the list's small charts, and the step that neither hides nor carries anything. */
export const sparkMs = 10_800_000;
export const sparkStep = 300_000;

const stats = ["count", "sum", "min", "max"];

/** The number of live series of several metrics, and what their values come to. */
export function liveQuery(names: readonly string[]): string {
  return byName(namesSelector(names));
}

/** The same over a window, for series that have ended. */
export function windowQuery(names: readonly string[], window: string): string {
  return byName(`last_over_time(${namesSelector(names)}[${window}])`);
}

function byName(vector: string): string {
  return stats.map((s) => labelled(`${s} by (__name__) (${vector})`, statLabel, s)).join(" or ");
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

/** How many samples were stored in the last minute and in windows, and whether there were some an hour and a day ago. */
export function samplesQuery(names: readonly string[], windows: readonly string[]): string {
  const parts = names.flatMap((n, i) => {
    const s = nameSelector(n);
    const counts = ["1m", ...windows].map((w) => labelled(indexed(`sum(count_over_time(${s}[${w}]))`, i), statLabel, w));
    const was = (stat: string, window: string, ago: string) => labelled(indexed(`count(last_over_time(${s}[${window}] offset ${ago}))`, i), statLabel, stat);
    return [...counts, was("earlier", "5m", "55m"), was("before", "1h", "23h")];
  });
  return parts.join(" or ");
}

/** What the small charts show: of what grows by how much in each step, of all else the mean. */
export function sparkQuery(families: readonly Family[]): string {
  const window = `${sparkStep / 60_000}m`;
  return families
    .map((f, i) => {
      const s = nameSelector(f.members[0] ?? f.name);
      if (f.kind === "native") return indexed(`histogram_count(sum(increase(${s}[${window}])))`, i);
      const grows = f.kind === "counter" || s.endsWith("_count");
      return indexed(!grows ? `avg(${s})` : `sum(increase(${s}[${window}]))`, i);
    })
    .join(" or ");
}

function indexed(expr: string, i: number): string {
  return labelled(expr, indexLabel, String(i));
}

function labelled(expr: string, label: string, value: string): string {
  return `label_replace(${expr}, "${label}", "${value}", "", "")`;
}
