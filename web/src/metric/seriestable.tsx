import { useMemo, useState } from "preact/hooks";
import { now } from "../clock";
import { count, exactNumber, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, utc } from "../format/time";
import { patched, replaceRoute, type Patch, type Route } from "../router";
import { maxDrawn } from "./load";
import type { GroupData, MetricData, SeriesData } from "./data";
import { LabelMenu } from "./labelmenu";
import { labelStats } from "./labels";
import { Swatch } from "./swatch";
import { wherePatch, withMatcher, type View } from "./view";

const first = 20;

interface Props {
  route: Route;
  view: View;
  data: MetricData;
  chosen: string;
}

/** The series, labels as columns: a click on a value narrows, on a label opens its menu. */
export function SeriesTable({ route, view, data, chosen }: Props) {
  const [shown, setShown] = useState(first);
  const set = (patch: Patch) => replaceRoute(patched(route, patch));
  const stats = useMemo(() => labelStats(data.listed, data.labelNames), [data.listed, data.labelNames]);
  const columns = data.groups === undefined ? stats.filter((l) => !view.without.includes(l.name)) : stats.filter((l) => view.by.includes(l.name));
  const loaded = new Map(data.series.map((s) => [s.key, s]));
  const rows = data.groups ?? data.listed;
  const rest = rows.length - shown;
  const toggle = (list: readonly string[], x: string) => (list.includes(x) ? list.filter((y) => y !== x) : [...list, x]);
  return (
    <section class="block">
      <div class="section-head">
        <h2 id="series-title">{data.groups === undefined ? count(data.totalSeries, "series", "series") : `${count(data.groups.length, "group")} of ${count(data.totalSeries, "series", "series")}`}</h2>
        <p class="dim">{hint(data)}</p>
      </div>
      {data.totalSeries > maxDrawn && data.groups === undefined && <Suggestions stats={stats} group={(by) => set({ by: [by], series: undefined })} />}
      <div class="scroll" tabIndex={0} role="region" aria-label="Series">
        <table class="series">
          <thead>
            <tr>
              <th scope="col"><span class="sr">Draw</span></th>
              {columns.map((l) => (
                <th scope="col" key={l.name}>
                  <LabelMenu
                    label={l}
                    total={data.listed.length}
                    grouped={view.by.includes(l.name)}
                    group={() => set({ by: toggle(view.by, l.name), series: undefined })}
                    hide={() => set({ without: [...view.without, l.name] })}
                    pick={(m) => set(wherePatch(withMatcher(view.where, m)))}
                  />
                </th>
              ))}
              <th scope="col" class="num">{data.groups === undefined ? "Stored" : "Series"}</th>
              <th scope="col" class="num">Last value</th>
              {data.groups === undefined && <th scope="col" class="num">Last sample</th>}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((s) => (
              <tr key={s.key} class={s.key === chosen ? "on" : view.hidden.includes(s.key) ? "off" : undefined}>
                <td class="pick">
                  {data.groups === undefined ? (
                    <Picks s={loaded.get(s.key)} name={shownText(s.key)} on={s.key === chosen} hidden={view.hidden.includes(s.key)} choose={() => set({ series: s.key === chosen ? "" : s.key })} hide={() => set({ hide: toggle(view.hidden, s.key), series: "" })} />
                  ) : (
                    <Swatch index={"index" in s ? s.index : 0} />
                  )}
                </td>
                {columns.map((l) => (
                  <td key={l.name} class="label">
                    <Cell label={l.name} value={s.labels[l.name] ?? ""} pick={(value) => set(wherePatch(withMatcher(view.where, { label: l.name, not: false, value })))} />
                  </td>
                ))}
                {"count" in s ? (
                  <>
                    <td class="num">{formatNumber(s.count)}</td>
                    <Last s={loaded.get(s.key)} />
                  </>
                ) : (
                  <GroupCells g={s} />
                )}
              </tr>
            ))}
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
  if (data.groups !== undefined) return "Each group is one line.";
  if (data.totalSeries > maxDrawn) return `More than ${maxDrawn} are too many for one chart, so one is drawn: choose which, or group them.${cut}`;
  return data.totalSeries > 1 ? "A click on a value shows only those; the square draws one alone." : "";
}

// Few groups of many series say most.
function Suggestions({ stats, group }: { stats: ReturnType<typeof labelStats>; group: (by: string) => void }) {
  const good = stats.filter((l) => l.values.length > 1 && l.values.length <= maxDrawn && !l.idLike).sort((a, b) => a.values.length - b.values.length);
  if (good.length === 0) return null;
  return (
    <p class="suggestions">
      Group by
      {good.slice(0, 6).map((l) => (
        <button key={l.name} type="button" class="button" onClick={() => group(l.name)}>
          {shownText(l.name)} <span class="dim">{formatNumber(l.values.length)}</span>
        </button>
      ))}
    </p>
  );
}

function Picks(p: { s: SeriesData | undefined; name: string; on: boolean; hidden: boolean; choose: () => void; hide: () => void }) {
  return (
    <>
      <button type="button" aria-pressed={p.on} aria-label={`Choose ${p.name}`} title="Draw it alone" onClick={p.choose}>
        {p.s === undefined ? <i class="swatch swatch-none" aria-hidden="true" /> : <Swatch index={p.s.index} />}
      </button>
      <button type="button" class="eye" aria-pressed={p.hidden} aria-label={`Hide ${p.name}`} title={p.hidden ? "Draw it again" : "Do not draw it"} onClick={p.hide}>
        <svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" stroke-width="1.3" aria-hidden="true">
          <path d="M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8z" />
          <circle cx="8" cy="8" r="1.9" />
          {p.hidden && <path d="M2.5 13.5l11-11" />}
        </svg>
      </button>
    </>
  );
}

function Cell({ label, value, pick }: { label: string; value: string; pick: (value: string) => void }) {
  return (
    <button type="button" class="value" title={`Only ${label} = ${shownText(value)}`} onClick={() => pick(value)}>
      {value === "" ? <span class="dim">–</span> : shownText(value)}
    </button>
  );
}

function GroupCells({ g }: { g: GroupData }) {
  const last = g.drawn.at(-1);
  return (
    <>
      <td class="num">{formatNumber(g.series)}</td>
      <td class="num" title={last === undefined ? undefined : exactNumber(last.v)}>{last === undefined ? "–" : formatNumber(last.v)}</td>
    </>
  );
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
