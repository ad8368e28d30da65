import { useState } from "preact/hooks";
import { server } from "../api/server";
import { now } from "../clock";
import { shownText } from "../format/text";
import { why, type Finding } from "../lens/why";
import { hashOf, patched, replaceRoute, type Route } from "../router";
import { spanPatch } from "../time/span";
import type { Family } from "../metrics/family";
import type { MetricData, SeriesData } from "./data";
import { lensName } from "./load";
import type { Absence } from "./model";
import type { View } from "./view";

interface Props {
  route: Route;
  view: View;
  family: Family;
  data: MetricData;
  shown: readonly SeriesData[];
  absence: Absence | undefined;
}

/** Answers why a chart looks as it does, with what it rests on and a click that mends it. */
export function Why(p: Props) {
  const [open, setOpen] = useState(false);
  const empty = p.data.totalSeries === 0;
  const shown = open || empty;
  return (
    <>
      {!empty && (
        <button type="button" class="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          Why flat / empty / jagged?
        </button>
      )}
      {shown && <Findings {...p} />}
    </>
  );
}

function Findings({ route, view, family, data, shown, absence }: Props) {
  const found = why({
    name: lensName(family), kind: family.kind, where: view.where, grid: data.grid, now: now.peek(), rateWindow: data.rateWindow,
    totalSeries: data.totalSeries, series: shown, absence, partial: data.partial, idle: server.value.idle,
  });
  return (
    <ul class="findings" aria-label="Why it looks so">
      {found.map((f) => (
        <FindingItem key={f.id} f={f} route={route} view={view} />
      ))}
    </ul>
  );
}

function FindingItem({ f, route, view }: { f: Finding; route: Route; view: View }) {
  return (
    <li data-finding={f.id}>
      <h3>{shownText(f.title)}</h3>
      <p>{shownText(f.evidence)}</p>
      {f.fixes.length > 0 && (
        <p class="fixes">
          {f.fixes.map((x) =>
            "query" in x ? (
              <a key={x.label} class="button" href={hashOf("query", "", { q: x.query, ...spanPatch(view.span), step: view.step === "auto" ? undefined : view.step })} title={x.query}>
                {shownText(x.label)}
              </a>
            ) : (
              <button key={x.label} type="button" class="button" onClick={() => replaceRoute(patched(route, x.patch))}>
                {shownText(x.label)}
              </button>
            ),
          )}
        </p>
      )}
    </li>
  );
}
