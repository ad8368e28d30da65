import { useState } from "preact/hooks";
import { now } from "../clock";
import { count, exactNumber, formatNumber } from "../format/number";
import { formatAge, utc } from "../format/time";
import { maxDrawn } from "./load";
import type { MetricData, SeriesData } from "./data";
import { Swatch } from "./swatch";

const first = 20;

/** The series, labels as columns. A click chooses one, another click lets it go. */
export function SeriesTable({ data, chosen, choose }: { data: MetricData; chosen: string; choose: (key: string) => void }) {
  const [shown, setShown] = useState(first);
  const loaded = new Map(data.series.map((s) => [s.key, s]));
  const rest = data.listed.length - shown;
  return (
    <section class="block">
      <div class="section-head">
        <h2 id="series-title">{count(data.totalSeries, "series", "series")}</h2>
        <p class="dim">{hint(data)}</p>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Series">
        <table class="series">
          <thead>
            <tr>
              <th scope="col"><span class="sr">Choose</span></th>
              {data.labelNames.map((n) => <th scope="col" key={n}>{n}</th>)}
              <th scope="col" class="num">Stored</th>
              <th scope="col" class="num">Last value</th>
              <th scope="col" class="num">Last sample</th>
            </tr>
          </thead>
          <tbody>
            {data.listed.slice(0, shown).map((s) => {
              const on = s.key === chosen;
              const pick = () => choose(on ? "" : s.key);
              return (
                <tr key={s.key} class={on ? "on" : undefined} onClick={pick}>
                  <td class="pick">
                    <button type="button" aria-pressed={on} aria-label={`Choose ${s.key}`} onClick={(e) => {
                      e.stopPropagation();
                      pick();
                    }}>
                      <Dot s={loaded.get(s.key)} />
                    </button>
                  </td>
                  {data.labelNames.map((n) => <td key={n} class="label">{s.labels[n] ?? <span class="dim">–</span>}</td>)}
                  <td class="num">{formatNumber(s.count)}</td>
                  <Last s={loaded.get(s.key)} />
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {rest > 0 && (
        <button type="button" class="button more" onClick={() => setShown(shown + 100)}>
          Show {Math.min(100, rest)} more of {formatNumber(rest)}
        </button>
      )}
    </section>
  );
}

function hint(data: MetricData): string {
  const cut = data.listed.length < data.totalSeries ? ` The ${formatNumber(data.listed.length)} with most samples are listed.` : "";
  if (data.totalSeries > maxDrawn) return `More than ${maxDrawn} are too many for one chart, so one is drawn: choose which.${cut}`;
  return data.totalSeries > 1 ? "Choose one to see it alone." : "";
}

function Dot({ s }: { s: SeriesData | undefined }) {
  return s === undefined ? <i class="swatch swatch-none" aria-hidden="true" /> : <Swatch index={s.index} />;
}

function Last({ s }: { s: SeriesData | undefined }) {
  const last = s?.stored.at(-1);
  if (s === undefined || last === undefined) {
    return (
      <>
        <td class="num dim">–</td>
        <td class="num dim">–</td>
      </>
    );
  }
  return (
    <>
      <td class="num" title={exactNumber(last.v)}>{formatNumber(last.v)}</td>
      <td class="num">
        <time dateTime={new Date(last.t).toISOString()} title={`${utc(last.t)} UTC`}>{formatAge(last.t, now.value)}</time>
        {s.ended !== undefined && (
          <span class="ended" title={`No step shows it from ${utc(s.ended.by)} UTC on, although the lookback would reach it: the series was marked stale (inferred).`}>
            ended
          </span>
        )}
      </td>
    </>
  );
}
