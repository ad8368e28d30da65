/** Labels of a series, the metric's name included if the query kept it. */
export type Labels = Readonly<Record<string, string>>;

/** Quotes s as a PromQL string. */
export function quote(s: string): string {
  return '"' + s.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n") + '"';
}

/** Escapes s so that an RE2 regular expression matches it alone. */
export function escapeRegexp(s: string): string {
  return s.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}

/** A selector of all series of one metric; any UTF-8 name will do, on any version. */
export function nameSelector(name: string): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name) ? name : `{__name__=${quote(name)}}`;
}

/** What a label must be, or must not be. */
export interface Matcher {
  label: string;
  not: boolean;
  value: string;
}

/** A selector of the series of one metric that fit all matchers. */
export function selector(name: string, matchers: readonly Matcher[]): string {
  const plain = nameSelector(name);
  const list = matchers.map((m) => `${labelName(m.label)}${m.not ? "!=" : "="}${quote(m.value)}`);
  if (list.length === 0) return plain;
  return plain === name ? `${name}{${list.join(",")}}` : `{__name__=${quote(name)},${list.join(",")}}`;
}

/** A list of labels for by (…). */
export function grouping(labels: readonly string[]): string {
  return labels.map(labelName).join(", ");
}

/** A selector of all series of several metrics. */
export function namesSelector(names: readonly string[]): string {
  return `{__name__=~${quote(names.map(escapeRegexp).join("|"))}}`;
}

/**
 * A selector of exactly one series of a metric. A matcher names labels that a
 * series must have; others may be there too. So every label that some other
 * series of the metric has is asked to be empty.
 */
export function seriesSelector(name: string, labels: Labels, allNames: readonly string[]): string {
  return selector(name, allNames.filter((n) => n !== "__name__").map((label) => ({ label, not: false, value: labels[label] ?? "" })));
}

/** The labels as the exposition format writes them, without the metric's name: also a key. */
export function formatLabels(labels: Labels): string {
  const parts = Object.keys(labels)
    .filter((n) => n !== "__name__")
    .sort()
    .map((n) => `${labelName(n)}=${quote(labels[n] ?? "")}`);
  return `{${parts.join(", ")}}`;
}

/** A series as PromQL writes it: its name, if it has one, and its labels, if it has any. */
export function formatSeries(labels: Labels): string {
  const name = labels["__name__"] ?? "";
  const rest = formatLabels(labels);
  if (name === "" || nameSelector(name) === name) return rest === "{}" && name !== "" ? name : name + rest;
  return rest === "{}" ? `{${quote(name)}}` : `{${quote(name)}, ${rest.slice(1)}`;
}

/** A duration as PromQL writes it, from milliseconds: 90000 is "1m30s". */
export function duration(ms: number): string {
  if (ms === 0) return "0s";
  let out = "";
  for (const [unit, size] of units) {
    const n = Math.floor(ms / size);
    if (n > 0) out += `${n}${unit}`;
    ms -= n * size;
  }
  return out;
}

/** Reads a duration such as 15s, 1h30m or 7d; undefined if it is none. */
export function parseDuration(s: string): number | undefined {
  if (!/^(\d{1,9}(ms|[smhdw]))+$/.test(s)) return undefined;
  let ms = 0;
  for (const [, n, unit] of s.matchAll(/(\d+)(ms|[smhdw])/g)) {
    ms += Number(n) * (units.find(([u]) => u === unit)?.[1] ?? 0);
  }
  return ms > 0 ? ms : undefined;
}

const units: readonly (readonly [string, number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** A label's name as PromQL takes it; any UTF-8 name is quoted. */
function labelName(n: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(n) ? n : quote(n);
}
