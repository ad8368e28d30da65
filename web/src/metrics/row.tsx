import { now } from "../clock";
import { exactNumber, formatNumber, inUnit } from "../format/number";
import { formatAge, local, utc } from "../format/time";
import type { Described } from "../lens/kind";
import { lookback } from "../lens/lens";
import { metricHash } from "../router";
import type { Stats } from "./stats";

/** One metric of the list. */
export function Row(p: { name: string; described: Described; stats: Stats | undefined; filter: string; index: number }) {
  return (
    <tr aria-rowindex={p.index + 2}>
      <th scope="row" class="list-name">
        <a href={metricHash(p.name)} title={p.described.help === "" ? undefined : p.described.help}>
          <Marked text={p.name} filter={p.filter} />
        </a>
      </th>
      <td class="list-type">
        <span class={`type type-${p.described.type}`}>{p.described.type}</span>
      </td>
      <td class="num list-series">{p.stats === undefined ? <Blank /> : formatNumber(p.stats.series)}</td>
      <td class="num list-value">{p.stats === undefined ? <Blank /> : <Value name={p.name} s={p.stats} />}</td>
      <td class="num list-last">{p.stats === undefined ? <Blank /> : <Last s={p.stats} />}</td>
    </tr>
  );
}

function Value({ name, s }: { name: string; s: Stats }) {
  if (s.error !== undefined) return <span class="failed" title={s.error}>failed</span>;
  const one = s.value ?? (s.min === s.max ? s.min : undefined);
  if (one !== undefined) {
    return (
      <span title={[exactNumber(one), inUnit(name, one)].filter((x) => x !== undefined).join(" · ")}>
        {s.series > 1 && s.value !== undefined && <span class="dim">sum </span>}
        {formatNumber(one)}
      </span>
    );
  }
  if (s.min === undefined || s.max === undefined) return <span class="dim">–</span>;
  return (
    <span title={`from ${exactNumber(s.min)} to ${exactNumber(s.max)} over ${formatNumber(s.series)} series`}>
      {formatNumber(s.min)}
      <span class="dim"> … </span>
      {formatNumber(s.max)}
    </span>
  );
}

function Last({ s }: { s: Stats }) {
  if (s.error !== undefined) return <span class="dim">–</span>;
  if (s.last === undefined) return <span class="dim">in the last day</span>;
  const age = now.value - s.last;
  return (
    <time dateTime={new Date(s.last).toISOString()} title={`${utc(s.last)} UTC\n${local(s.last)} here`} class={age > lookback ? "idle" : "live"}>
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
  for (const w of filter.toLowerCase().split(/\s+/)) {
    if (w === "") continue;
    for (let at = text.toLowerCase().indexOf(w); at >= 0; at = text.toLowerCase().indexOf(w, at + 1)) {
      on.fill(true, at, at + w.length);
    }
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
