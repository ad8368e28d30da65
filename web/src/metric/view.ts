import { param, paramList, type Patch, type Route } from "../router";
import type { Matcher } from "../promql";
import { spanOf, type Span } from "../time/span";

/** How several gauges become one line. */
export const aggregations = ["avg", "sum", "min", "max"] as const;
export type Aggregation = (typeof aggregations)[number];

/** What the address of one metric's screen asks for. */
export interface View {
  span: Span;
  /** The step, or "auto". */
  step: string;
  where: readonly Matcher[];
  by: readonly string[];
  /** Of gauges that are grouped. */
  aggregation: Aggregation;
  /** Series that are not drawn, and the one that is seen alone, by their keys. */
  hidden: readonly string[];
  chosen: string;
  /** Columns of the table of series that are not shown. */
  without: readonly string[];
  /** Whether points that only repeat a sample are left out. */
  storedOnly: boolean;
}

/** Reads the address. */
export function viewOf(r: Route): View {
  const chosen = param(r, "agg");
  return {
    span: spanOf(r),
    step: param(r, "step") || "auto",
    where: paramList(r, "where").flatMap((s) => parseMatcher(s) ?? []),
    by: paramList(r, "by"),
    aggregation: aggregations.find((a) => a === chosen) ?? "avg",
    hidden: paramList(r, "hide"),
    chosen: param(r, "series"),
    without: paramList(r, "without"),
    storedOnly: param(r, "carried") === "off",
  };
}

/** Writes matchers for the address. */
export function wherePatch(where: readonly Matcher[]): Patch {
  return { where: where.map((m) => `${m.label}${m.not ? "!=" : "="}${m.value}`), series: undefined };
}

/** Reads "label=value" or "label!=value". */
export function parseMatcher(s: string): Matcher | undefined {
  const at = s.indexOf("=");
  const not = s.charAt(at - 1) === "!";
  const label = s.slice(0, not ? at - 1 : at);
  return at < 1 || label === "" ? undefined : { label, not, value: s.slice(at + 1) };
}

/** The matchers with one more; what was said of the same label and value before gives way. */
export function withMatcher(where: readonly Matcher[], m: Matcher): readonly Matcher[] {
  const rest = where.filter((w) => w.label !== m.label || (m.not && w.not && w.value !== m.value));
  return [...rest, m];
}
