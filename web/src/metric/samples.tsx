import { useMemo, useState } from "preact/hooks";
import { exactNumber, formatDelta, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { local, span, utc } from "../format/time";
import { differences } from "../lens/increase";
import { duration, formatLabels } from "../promql";
import type { MetricData, SeriesData } from "./data";
import { Swatch } from "./swatch";

const first = 20;

/** The samples as they are stored, newest first. */
export function Samples({ data, shown: focus }: { data: MetricData; shown: readonly SeriesData[] }) {
  const [shown, setShown] = useState(first);
  const rows = useMemo(() => rowsOf(focus), [focus]);
  const many = focus.length > 1;
  const rest = rows.length - shown;
  const elsewhere = rows.some((r) => new Date(r.t).getTimezoneOffset() !== 0);
  return (
    <section class="block">
      <div class="section-head">
        <h2 id="samples-title">Stored samples</h2>
        <p class="dim">
          As they were written, newest first.
          {data.partial && ` Only those of the last ${duration(Math.round((data.end - data.rawFrom) / 1000) * 1000)} are loaded: there are ${formatNumber(data.totalSamples)}.`}
        </p>
      </div>
      {focus.map((s) => s.ended !== undefined && <Ended key={s.key} s={s} named={many} />)}
      <div class="scroll" tabIndex={0} role="region" aria-label="Stored samples">
        <table class="samples">
          <thead>
            <tr>
              <th scope="col">{elsewhere ? "Time, UTC" : "Time, UTC and here"}</th>
              <th scope="col" class="num">Value</th>
              <th scope="col" class="num">Change</th>
              {elsewhere && <th scope="col">Time here</th>}
              <th scope="col">{many ? "Series" : <span class="sr">Note</span>}</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((r) => (
              <tr key={`${r.t} ${r.s.key}`}>
                <td class="num-left">{utc(r.t)}</td>
                <td class="num strong">{exactNumber(r.v)}</td>
                <td class="num dim">{r.change === undefined ? "" : r.change === 0 ? "=" : formatDelta(r.change)}</td>
                {elsewhere && <td class="num-left dim here">{local(r.t)}</td>}
                <td class="label">
                  {many && (
                    <>
                      <Swatch index={r.s.index} /> {shownText(telling(r.s, focus, data.labelNames))}
                    </>
                  )}
                  {r.sum !== undefined && <span class="dim"> observations, sum {formatNumber(r.sum)}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 && (
        <button type="button" class="button more" onClick={() => setShown(shown + 200)}>
          Show {Math.min(200, rest)} more of {formatNumber(rest)}
        </button>
      )}
    </section>
  );
}

function Ended({ s, named }: { s: SeriesData; named: boolean }) {
  const last = s.stored.at(-1);
  if (s.ended === undefined || last === undefined) return null;
  return (
    <p class="stale">
      {named ? `${shownText(s.key)} was` : "This series was"} ended after {utc(s.ended.after).slice(11, 19)} and by {utc(s.ended.by).slice(11, 19)} UTC. Inferred: its last sample was then only{" "}
      {span(s.ended.by - last.t)} old, and no longer shown, as after a stale marker.
    </p>
  );
}

// The labels by which the series differ: what all have in common is in the table above.
function telling(s: SeriesData, all: readonly SeriesData[], names: readonly string[]): string {
  const differ = names.filter((n) => all.some((o) => o.labels[n] !== s.labels[n]));
  return formatLabels(Object.fromEntries(differ.map((n) => [n, s.labels[n] ?? ""])));
}

function rowsOf(focus: readonly SeriesData[]) {
  const rows = focus.flatMap((s) => {
    const change = differences(s.stored);
    return s.stored.map((x, i) => ({ ...x, s, change: change[i] }));
  });
  return rows.sort((a, b) => b.t - a.t || a.s.index - b.s.index);
}
