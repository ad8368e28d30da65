import type { ComponentChildren } from "preact";
import { server } from "../api/server";
import { now } from "../clock";
import { monthly, money } from "../format/money";
import { count, exactNumber, formatNumber, formatShort, inUnit } from "../format/number";
import { formatAge, local, utc } from "../format/time";
import { cumulative, type Kind } from "../lens/kind";
import type { Day } from "../metrics/stats";
import type { GroupData, SeriesData } from "./data";

interface Props {
  name: string;
  kind: Kind;
  series: readonly SeriesData[];
  groups: readonly GroupData[] | undefined;
  range: string;
  cost: Pick<Day, "samples" | "estimated"> | undefined;
}

/** The numbers that answer most questions before the chart is read. */
export function Tiles({ name, kind, series, groups, range, cost }: Props) {
  return (
    <dl class="tiles">
      {groups === undefined ? (
        <>
          <LastValue name={name} kind={kind} series={series} />
          {cumulative(kind) ? (
            <>
              <Exact series={series} range={range} />
              <Extrapolated series={series} range={range} />
              <RateNow series={series} />
            </>
          ) : (
            <Spread name={name} series={series} />
          )}
          <LastSample series={series} />
        </>
      ) : (
        <Tile name="Groups">{formatNumber(groups.length)}</Tile>
      )}
      <Cost cost={cost} />
    </dl>
  );
}

function Tile(p: { name: string; note?: ComponentChildren; title?: string | undefined; children: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{p.name}</dt>
      <dd>
        <span class="figure" title={p.title}>
          {p.children}
        </span>
        {p.note !== undefined && <span class="note">{p.note}</span>}
      </dd>
    </div>
  );
}

function LastValue({ name, kind, series }: { name: string; kind: Kind; series: readonly SeriesData[] }) {
  const last = series.flatMap((s) => s.stored.at(-1)?.v ?? []);
  const first = last[0];
  if (first === undefined) return <Tile name="Last value">–</Tile>;
  if (last.length === 1 || cumulative(kind)) {
    const v = last.reduce((a, b) => a + b, 0);
    const of = last.length > 1 ? `sum over ${count(last.length, "series", "series")}` : undefined;
    return (
      <Tile name={observed(kind) ? "Observations" : "Last value"} note={[of, inUnit(name, v)].filter((x) => x !== undefined).join(" · ")} title={exactNumber(v)}>
        {formatNumber(v)}
      </Tile>
    );
  }
  return (
    <Tile name="Last values" note={`lowest and highest of ${count(last.length, "series", "series")}`}>
      {formatNumber(Math.min(...last))} … {formatNumber(Math.max(...last))}
    </Tile>
  );
}

function Exact({ series, range }: { series: readonly SeriesData[]; range: string }) {
  const all = series.flatMap((s) => s.exact ?? []);
  if (all.length < series.length) {
    return (
      <Tile name={`Exact increase, ${range}`} note="too many stored samples: choose a series or a shorter range">
        –
      </Tile>
    );
  }
  const v = all.reduce((a, i) => a + i.value, 0);
  const anchored = all.every((i) => i.anchored || i.fromZero);
  const resets = all.reduce((a, i) => a + i.resets, 0);
  return (
    <Tile name={`Exact increase, ${range}`} note={`${anchored ? "from the stored samples" : "from the first stored sample on"}${resets > 0 ? `, ${count(resets, "reset")}` : ""}`} title={exactNumber(v)}>
      {formatNumber(v)}
    </Tile>
  );
}

function Extrapolated({ series, range }: { series: readonly SeriesData[]; range: string }) {
  const all = series.flatMap((s) => s.extrapolated ?? []);
  return (
    <Tile name={`increase(…[${range}])`} note="PromQL’s: extrapolated to the range’s edges" title={all.length > 0 ? exactNumber(sum(all)) : undefined}>
      {all.length === 0 ? "–" : formatNumber(sum(all))}
    </Tile>
  );
}

function RateNow({ series }: { series: readonly SeriesData[] }) {
  const all = series.flatMap((s) => s.rate.at(-1) ?? []);
  const newest = Math.max(...all.map((r) => r.t));
  const present = all.filter((r) => r.t === newest).map((r) => r.v);
  return (
    <Tile name="Per second" note={present.length === 0 ? "no two samples to compare" : `at ${utc(newest).slice(11, 19)} UTC`}>
      {present.length === 0 ? "–" : formatShort(sum(present))}
    </Tile>
  );
}

function Spread({ name, series }: { name: string; series: readonly SeriesData[] }) {
  const all = series.flatMap((s) => s.stored.map((x) => x.v)).filter((v) => !Number.isNaN(v));
  if (all.length === 0) return null;
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  return (
    <>
      <Tile name="Lowest stored" note={inUnit(name, low)} title={exactNumber(low)}>
        {formatNumber(low)}
      </Tile>
      <Tile name="Highest stored" note={inUnit(name, high)} title={exactNumber(high)}>
        {formatNumber(high)}
      </Tile>
      <Tile name="Mean of stored">{formatShort(sum(all) / all.length)}</Tile>
    </>
  );
}

function LastSample({ series }: { series: readonly SeriesData[] }) {
  const t = series.reduce((m, s) => Math.max(m, s.stored.at(-1)?.t ?? -Infinity), -Infinity);
  if (!Number.isFinite(t)) return <Tile name="Last sample">–</Tile>;
  return (
    <Tile name="Last sample" note={`${utc(t)} UTC`} title={`${local(t)} here`}>
      {formatAge(t, now.value)}
    </Tile>
  );
}

function Cost({ cost }: { cost: Props["cost"] }) {
  if (cost === undefined || Number.isNaN(cost.samples)) return null;
  const { price } = server.value;
  return (
    <Tile name="Costs a month" note={`${cost.estimated ? "≈ " : ""}${count(cost.samples, "sample")} a day`} title={`30 days at ${price.samples} ${price.currency} a million samples, all names of the metric together`}>
      {money(monthly(cost.samples, price), price.currency)}
    </Tile>
  );
}

function observed(kind: Kind): boolean {
  return kind === "classic" || kind === "native";
}

function sum(vs: readonly number[]): number {
  return vs.reduce((a, b) => a + b, 0);
}
