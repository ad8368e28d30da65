import type { LogReceipt } from "../api/arrivals";
import { now } from "../clock";
import { count, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, stamp } from "../format/time";

/** The last log objects, those with lines that could not be read first. */
export function LogsSection({ logs }: { logs: readonly LogReceipt[] }) {
  if (logs.length === 0) {
    return (
      <p class="none">
        No access log has come. <code>logs:</code> in the configuration says where they are; <code>narthex logs FILE</code> shows what would be counted.
      </p>
    );
  }
  const bad = (l: LogReceipt) => l.error !== "" || l.rejected > 0;
  const sorted = [...logs].sort((a, b) => Number(bad(b)) - Number(bad(a)) || b.received - a.received);
  return (
    <ol class="arrivals">
      {sorted.slice(0, 200).map((l) => (
        <li key={`${l.source} ${l.name} ${l.received}`} class={bad(l) ? "bad" : undefined}>
          <div class="arrival-line">
            <time dateTime={new Date(l.received).toISOString()} title={stamp(l.received)}>{formatAge(l.received, now.value)}</time>
            <span class={`badge status-${l.error !== "" ? "failed" : l.duplicate ? "duplicate" : l.rejected > 0 ? "partial" : "written"}`}>{l.error !== "" ? "failed" : l.duplicate ? "known before" : "counted"}</span>
            <span class="who">
              <b>{shownText(l.source)}</b> <span class="dim">{shownText(l.name)}</span>
            </span>
            <span class="fate dim">{[count(l.lines, "line"), `${formatNumber(l.counted)} counted`, l.rejected > 0 && `${formatNumber(l.rejected)} rejected`, count(l.series, "series", "series"), l.format].filter((x) => x !== false && x !== "").join(" · ")}</span>
          </div>
          {l.error !== "" && <p class="reason">{shownText(l.error)}</p>}
          {l.reasons.map(([why, n]) => (
            <p class="reason" key={why}>
              {count(n, "line")}: {shownText(why)}
            </p>
          ))}
          {l.examples.slice(0, 3).map((e) => (
            <p class="id" key={e.line}>
              line {e.line}: <code>{shownText(e.text.slice(0, 300))}</code>
            </p>
          ))}
        </li>
      ))}
    </ol>
  );
}
