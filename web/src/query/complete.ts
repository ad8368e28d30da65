import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { syntaxTree } from "@codemirror/language";
import { aggregators, functions } from "./functions";

/** Where names and values come from: the store, as it is now. */
export interface Names {
  metrics: () => Promise<readonly { name: string; type: string; help: string }[]>;
  /** The labels of a metric's series, or of all for "". */
  labels: (metric: string) => Promise<readonly string[]>;
  values: (label: string, metric: string) => Promise<readonly string[]>;
}

/** What stands at a place of an expression. */
export type Place =
  | { kind: "expression" }
  | { kind: "label"; metric: string; grouping: boolean }
  | { kind: "value"; label: string; metric: string }
  | { kind: "duration" }
  | { kind: "nothing" };

/** Says what can be written at the end of a text. */
export function placeAt(before: string): Place {
  if (/\[[0-9a-z]*$/i.test(before)) return { kind: "duration" };
  const inside = openBrace(before);
  if (inside !== undefined) {
    const value = /([a-zA-Z_][\w.]*|"(?:[^"\\]|\\.)*")\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*$/.exec(inside.text);
    if (value !== null) return { kind: "value", label: (value[1] ?? "").replace(/^"|"$/g, ""), metric: inside.metric };
    if (/(^|,)\s*[\w.]*$/.test(inside.text)) return { kind: "label", metric: inside.metric, grouping: false };
    return { kind: "nothing" };
  }
  if (/\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*$/i.test(before)) return { kind: "label", metric: "", grouping: true };
  if (/(^|[^"])"(?:[^"\\]|\\.)*$/.test(before) && (before.match(/"/g)?.length ?? 0) % 2 === 1) return { kind: "nothing" };
  return /\d$/.test(before) && !/[a-zA-Z_:]\w*$/.test(before) ? { kind: "nothing" } : { kind: "expression" };
}

// The braces that are open at the end, and the metric before them.
function openBrace(before: string): { metric: string; text: string } | undefined {
  let quoted = "";
  let at = -1;
  for (let i = 0; i < before.length; i++) {
    const c = before.charAt(i);
    if (quoted !== "") {
      if (c === "\\") i++;
      else if (c === quoted) quoted = "";
    } else if (c === '"' || c === "'" || c === "`") quoted = c;
    else if (c === "{") at = i;
    else if (c === "}") at = -1;
  }
  if (at < 0) return undefined;
  return { metric: /[a-zA-Z_:][\w:]*$/.exec(before.slice(0, at).trimEnd())?.[0] ?? "", text: before.slice(at + 1) };
}

const most = 200;

/** The completion of PromQL from live names. */
export function completer(names: Names): (c: CompletionContext) => Promise<CompletionResult | null> {
  return async (c) => {
    const before = c.state.sliceDoc(0, c.pos);
    const place = placeAt(before);
    if (place.kind === "label" && place.grouping) place.metric = firstMetric(c);
    const word = place.kind === "value" ? /"((?:[^"\\]|\\.)*)$/.exec(before)?.[1] ?? "" : /[\w:.]*$/.exec(before)?.[0] ?? "";
    if (place.kind === "nothing" || (word === "" && place.kind === "expression" && !c.explicit)) return null;
    try {
      const options = await optionsAt(place, names, word);
      return c.aborted || options.length === 0 ? null : { from: c.pos - word.length, options, validFor: options.length < most ? /^[\w:.]*$/ : undefined };
    } catch {
      return null; // nothing to offer is no reason to disturb
    }
  };
}

// The metric whose labels one groups by: the first of the expression.
function firstMetric(c: CompletionContext): string {
  let found = "";
  syntaxTree(c.state).iterate({
    enter: (n) => {
      if (found === "" && n.name === "VectorSelector") found = /^[a-zA-Z_:][\w:]*/.exec(c.state.sliceDoc(n.from, n.to))?.[0] ?? "";
      return found === "";
    },
  });
  return found;
}

async function optionsAt(place: Place, names: Names, word: string): Promise<Completion[]> {
  switch (place.kind) {
    case "duration":
      return ["1m", "5m", "15m", "30m", "1h", "6h", "1d"].map((label) => ({ label, type: "constant" }));
    case "label":
      return (await labelsOf(names, place.metric)).map((label) => ({ label, type: "property", ...(place.grouping ? {} : { apply: `${label}="` }) }));
    case "value":
      return fitting((await names.values(place.label, place.metric)).map((v) => ({ name: v })), word).map(({ name }) => ({ label: name, type: "text", apply: closing(name.replace(/\\/g, "\\\\").replace(/"/g, '\\"')) }));
    case "expression": {
      const metrics = fitting(await names.metrics(), word).map((m): Completion => ({ label: m.name, type: "variable", detail: m.type, info: m.help === "" ? undefined : m.help, boost: 1 }));
      const words = [...functions.map(([label, detail]): Completion => ({ label, detail, type: "function", apply: `${label}(` })), ...aggregators.map(([label, detail]): Completion => ({ label, detail, type: "keyword" }))];
      return [...metrics, ...words];
    }
    default:
      return [];
  }
}

// Puts a value in and closes its quotes, unless they are closed already.
function closing(value: string): NonNullable<Completion["apply"]> {
  return (view, _completion, from, to) => {
    const closed = view.state.sliceDoc(to, to + 1) === '"';
    view.dispatch({ changes: { from, to, insert: closed ? value : value + '"' }, selection: { anchor: from + value.length + 1 }, userEvent: "input.complete" });
  };
}

async function labelsOf(names: Names, metric: string): Promise<readonly string[]> {
  const own = await names.labels(metric);
  return own.length > 0 || metric === "" ? own : names.labels("");
}

function fitting<T extends { name: string }>(all: readonly T[], word: string): T[] {
  const w = word.toLowerCase();
  const starts = all.filter((m) => m.name.toLowerCase().startsWith(w));
  const has = starts.length >= most ? [] : all.filter((m) => !m.name.toLowerCase().startsWith(w) && m.name.toLowerCase().includes(w));
  return [...starts, ...has].slice(0, most);
}
