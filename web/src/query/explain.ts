import { list, number, record, text } from "../api/read";
import { count, formatNumber } from "../format/number";
import { formatStep } from "../format/time";
import { leastRate, lookback, type Grid } from "../lens/lens";
import { duration, nameSelector, quote } from "../promql";

/** A selector in an expression. */
export interface Leaf {
  /** Written as PromQL, without its range. */
  selector: string;
  name: string;
  /** The range in ms; undefined for a plain selector. */
  range: number | undefined;
  /** The function that it is the argument of, "" for none. */
  within: string;
}

/** The selectors of an expression's tree, each once. */
export function leaves(tree: unknown): Leaf[] {
  const out = new Map<string, Leaf>();
  walk(tree, "", (l) => out.set(`${l.selector} ${l.range ?? ""}`, l));
  return [...out.values()];
}

function walk(node: unknown, within: string, found: (l: Leaf) => void): void {
  const n = record(node);
  const type = text(n["type"]);
  if (type === "vectorSelector" || type === "matrixSelector") {
    const matchers = list(n["matchers"]).map(record);
    const name = text(n["name"]) || text(matchers.find((m) => m["name"] === "__name__" && m["type"] === "=")?.["value"]);
    found({ selector: written(name, matchers), name, range: type === "matrixSelector" ? number(n["range"]) : undefined, within });
    return;
  }
  const called = type === "call" ? text(record(n["func"])["name"]) : "";
  for (const key of ["expr", "lhs", "rhs", "param"]) {
    if (typeof n[key] === "object" && n[key] !== null) walk(n[key], called || within, found);
  }
  for (const a of list(n["args"])) walk(a, called, found);
}

function written(name: string, matchers: readonly Readonly<Record<string, unknown>>[]): string {
  const plain = name === "" || nameSelector(name) === name;
  const list = (plain && name !== "" ? matchers.filter((m) => m["name"] !== "__name__") : matchers).map((m) => `${text(m["name"])}${text(m["type"])}${quote(text(m["value"]))}`);
  return `${plain ? name : ""}${list.length > 0 ? `{${list.join(",")}}` : ""}`;
}

/** A thing to know about an expression, and what mends it. */
export interface Hint {
  text: string;
  fix?: { label: string; query: string };
}

/** What is likely a mistake: by the types of the metrics, the windows, the step. */
export function hints(query: string, found: readonly Leaf[], typeOf: (name: string) => string, grid: Grid): Hint[] {
  const out: Hint[] = [];
  const rates = ["rate", "irate", "increase"];
  for (const l of found) {
    const type = typeOf(l.name);
    if (rates.includes(l.within) && type === "gauge") {
      const better = l.within === "increase" ? "delta" : "deriv";
      out.push({ text: `${l.name} is a gauge: ${l.within}() takes each fall for a reset. ${better}() is meant for gauges.`, fix: { label: `Use ${better}`, query: query.replaceAll(`${l.within}(`, `${better}(`) } });
    }
    if (l.range === undefined && type === "counter" && l.within === "" && query.trim() === l.selector) {
      out.push({ text: `${l.name} is a counter: its total only says something by its growth.`, fix: { label: "Show the rate", query: `rate(${query.trim()}[${duration(Math.max(leastRate, 4 * grid.step))}])` } });
    }
    if (l.range !== undefined && l.range < grid.step && rates.includes(l.within)) {
      out.push({ text: `Each step is ${formatStep(grid.step)}, and ${l.within}() looks at ${formatStep(l.range)} of it: what happens between is on no step.`, fix: { label: `Look at ${formatStep(grid.step)}`, query: query.replaceAll(`[${duration(l.range)}]`, `[${duration(grid.step)}]`) } });
    }
  }
  if (grid.step > lookback.value && found.some((l) => l.range === undefined)) {
    out.push({ text: `The step, ${formatStep(grid.step)}, is longer than the ${formatStep(lookback.value)} that PromQL looks back: samples may be on no step at all.` });
  }
  return out;
}

/** How a range query was evaluated, in a sentence. */
export function stepsSentence(grid: Grid): string {
  const n = Math.round((grid.end - grid.start) / grid.step) + 1;
  return `${count(n, "step")}, one each ${formatStep(grid.step)}; each shows the newest sample that is not older than ${formatStep(lookback.value)}`;
}

/** What reading samples comes to, if it is done every so often (ms) for a month. */
export function readCost(read: number, every: number, pricePerBillion: number): number {
  return (read / 1e9) * pricePerBillion * ((30 * 86_400_000) / every);
}

/** How many samples were read, for a caption. */
export function readSentence(read: number | undefined): string {
  return read === undefined ? "" : `${formatNumber(read)} stored ${read === 1 ? "sample" : "samples"} read`;
}
