import { now } from "../clock";
import { Spark } from "../chart/spark";
import { monthly, money } from "../format/money";
import { count, exactNumber, formatNumber, formatShort, inUnit } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, local, utc } from "../format/time";
import { server } from "../api/server";
import { lookback } from "../lens/lens";
import { hashOf } from "../router";
import { stateOf, valueOf } from "./arrange";
import type { Family } from "./family";
import type { Day, Stats } from "./stats";

interface Props {
  family: Family;
  stats: Stats | undefined;
  filter: string;
  index: number;
  /** It came while the list was being looked at. */
  arrived: boolean;
  /** Whether it is worth saying that a metric is new: not where all are. */
  tellsNew: boolean;
}

/** One metric of the list. */
export function Row(p: Props) {
  const { family: f, stats: s } = p;
  const fresh = p.arrived || (p.tellsNew && stateOf(s, now.value) === "new");
  return (
    <tr aria-rowindex={p.index + 2} class={p.arrived ? "arrived" : undefined}>
      <th scope="row" class="list-name">
        <a href={hashOf("metric", f.name)} title={f.help === "" ? undefined : shownText(f.help)}>
          <Marked text={shownText(f.name)} filter={p.filter} />
        </a>{" "}
        {fresh && <span class="badge badge-new" title="Nothing of it was stored before the last hour">new</span>}
      </th>
      <td class="list-type">
        <span class={`type type-${f.type}`}>{f.type}</span>
      </td>
      <td class="num list-series">{s?.live === undefined ? <Blank /> : formatNumber(Math.max(s.live.series, s.day?.series ?? 0))}</td>
      <td class="num list-value">{s?.live === undefined ? <Blank /> : <Value f={f} s={s} />}</td>
      <td class="list-spark">{s?.spark !== undefined && <Spark values={s.spark.values} bars={f.kind !== "gauge"} />}</td>
      <td class="num list-samples">{s?.day === undefined ? <Blank /> : <SamplesDay day={s.day} />}</td>
      <td class="num list-cost">{s?.day === undefined ? <Blank /> : <Cost day={s.day} />}</td>
      <td class="num list-last">{s?.live === undefined ? <Blank /> : <Last s={s} />}</td>
    </tr>
  );
}

function Value({ f, s }: { f: Family; s: Stats }) {
  const v = valueOf(f, s);
  if (v === undefined) return s.error === undefined ? <span class="dim">–</span> : <span class="failed" title={s.error}>failed</span>;
  const one = v.sum ?? (v.min === v.max ? v.min : undefined);
  const observed = f.kind === "classic" || f.kind === "native" || f.kind === "summary";
  if (one !== undefined) {
    return (
      <span title={[exactNumber(one), observed ? "observations" : inUnit(f.name, one)].filter((x) => x !== undefined).join(" · ")}>
        {v.series > 1 && v.sum !== undefined && !observed && <span class="dim">sum </span>}
        {formatNumber(one)}
        {observed && <span class="dim"> obs.</span>}
      </span>
    );
  }
  return (
    <span title={`from ${exactNumber(v.min ?? NaN)} to ${exactNumber(v.max ?? NaN)} over ${formatNumber(v.series)} series`}>
      {formatShort(v.min ?? NaN)}
      <span class="dim"> … </span>
      {formatShort(v.max ?? NaN)}
    </span>
  );
}

function SamplesDay({ day }: { day: Day }) {
  if (Number.isNaN(day.samples)) return <span class="dim">–</span>;
  return (
    <span title={day.estimated ? "24 times the samples of the last hour" : `${count(day.samples, "sample")} stored in the last 24 h`}>
      {day.estimated && <span class="dim">≈ </span>}
      {formatNumber(day.samples)}
    </span>
  );
}

function Cost({ day }: { day: Day }) {
  const { price } = server.value;
  if (Number.isNaN(day.samples)) return <span class="dim">–</span>;
  const title = `${formatNumber(day.samples)} samples a day × 30 days at ${price.samples} ${price.currency} a million`;
  return <span title={title}>{money(monthly(day.samples, price), price.currency)}</span>;
}

function Last({ s }: { s: Stats }) {
  if (s.last === undefined) return <span class="dim">{s.error === undefined ? "in the last day" : "–"}</span>;
  const silent = now.value - s.last > lookback.value;
  return (
    <time dateTime={new Date(s.last).toISOString()} title={`${utc(s.last)} UTC\n${local(s.last)} here`} class={silent ? "idle" : "live"}>
      {silent && <span class="sr">silent, </span>}
      {formatAge(s.last, now.value)}
    </time>
  );
}

function Blank() {
  return (
    <span class="blank">
      <span class="sr">loading</span>
    </span>
  );
}

// Marks where the filter's words stand in the name.
function Marked({ text, filter }: { text: string; filter: string }) {
  const on = new Array<boolean>(text.length).fill(false);
  const lower = text.toLowerCase();
  for (const w of filter.toLowerCase().split(/\s+/)) {
    if (w === "") continue;
    for (let at = lower.indexOf(w); at >= 0; at = lower.indexOf(w, at + 1)) on.fill(true, at, at + w.length);
  }
  const parts: { s: string; on: boolean }[] = [];
  for (let i = 0; i < text.length; i++) {
    const last = parts.at(-1);
    const is = on[i] === true;
    const c = text.charAt(i);
    if (last?.on === is) last.s += c;
    else parts.push({ s: c, on: is });
  }
  return <>{parts.map((x) => (x.on ? <mark>{x.s}</mark> : x.s))}</>;
}
