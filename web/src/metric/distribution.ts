import { range as rangeQuery } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { classicHeat, nativeHeat } from "../chart/heat";
import type { Grid } from "../lens/lens";
import type { Family } from "../metrics/family";
import { duration, formatLabels, grouping, selector, type Matcher } from "../promql";
import type { Distribution, NamedLine } from "./data";

/** The quantiles that are drawn of a histogram. */
export const quantiles = [0.5, 0.9, 0.99] as const;

/**
 * How a histogram's observations are distributed over time: where they fell, and
 * their quantiles; of groups the 0.9 quantile of each. Undefined for what is no
 * histogram. What a backend can't say is told as error; the samples are seen anyway.
 */
export async function distribution(f: Family, where: readonly Matcher[], by: readonly string[], g: Grid, window: number, signal: AbortSignal): Promise<Distribution | undefined> {
  if (f.kind !== "classic" && f.kind !== "native" && f.kind !== "summary") return undefined;
  const ask = (query: string) => rangeQuery(query, g.start, g.end, g.step, signal);
  try {
    if (f.kind === "summary") return await summary(f, where, ask);
    const classic = f.kind === "classic";
    const rate = `rate(${selector(classic ? `${f.name}_bucket` : f.name, where)}[${duration(window)}])`;
    const merged = classic ? `sum by (le) (${rate})` : `sum(${rate})`;
    const lines = by.length > 0 ? grouped(classic, rate, by, ask) : Promise.all(quantiles.map(async (q) => ({ name: `p${q * 100}`, points: (await ask(`histogram_quantile(${q}, ${merged})`))[0]?.samples ?? [] })));
    const [heat, named] = await Promise.all([ask(merged), lines]);
    return { heat: classic ? classicHeat(heat, g) : nativeHeat(heat, g), quantiles: named.filter((l) => l.points.length > 0), error: undefined };
  } catch (e) {
    if (isAbort(e)) throw e;
    return { heat: undefined, quantiles: [], error: messageOf(e) };
  }
}

type Ask = (query: string) => ReturnType<typeof rangeQuery>;

async function grouped(classic: boolean, rate: string, by: readonly string[], ask: Ask): Promise<NamedLine[]> {
  const merged = `sum by (${grouping(classic ? ["le", ...by] : by)}) (${rate})`;
  const answer = await ask(`histogram_quantile(0.9, ${merged})`);
  return answer.map((s) => ({ name: `p90 ${formatLabels(s.labels)}`, points: s.samples })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

// A summary's quantiles were computed by its sender; those of several series can't be joined.
async function summary(f: Family, where: readonly Matcher[], ask: Ask): Promise<Distribution> {
  if (!f.members.includes(f.name)) return { heat: undefined, quantiles: [], error: undefined };
  const answer = await ask(selector(f.name, where));
  const lines = answer.slice(0, 24).map((s) => {
    const { quantile, ...rest } = s.labels;
    const name = `p${Number(quantile) * 100}`;
    return { name: answer.length > 5 ? `${name} ${formatLabels(rest)}` : name, points: s.samples };
  });
  return { heat: undefined, quantiles: lines.sort((a, b) => (a.name < b.name ? -1 : 1)), error: undefined };
}
