import "../styles/metric.css";
import { useEffect, useMemo, useState } from "preact/hooks";
import { now } from "../clock";
import { count } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, formatStep, utc } from "../format/time";
import { patched, pushRoute, replaceRoute, type Route } from "../router";
import { lengthOf, shortDuration, spanPatch, stepFor } from "../time/span";
import { Failure, Loading } from "../ui/state";
import { Chips, Controls } from "./controls";
import { CopyAs } from "./copyas";
import type { MetricData } from "./data";
import { Figures } from "./figures";
import { MetricModel } from "./model";
import { maxDrawn } from "./load";
import { Samples } from "./samples";
import { SeriesTable } from "./seriestable";
import { Tiles } from "./tiles";
import { viewOf, type View } from "./view";
import { Why } from "./whypanel";

/** One metric: its numbers, its charts, its series and its samples. */
export function MetricScreen({ route }: { route: Route }) {
  const [model] = useState(() => new MetricModel(route.name));
  const view = viewOf(route);
  const { step } = stepFor(lengthOf(view.span), view.step);
  const data = model.data.value;
  // A chosen series changes what is loaded only where not all are.
  const narrowed = (data?.totalSeries ?? 0) > maxDrawn ? view.chosen : "";
  const asked = JSON.stringify([view.span, step, view.where, view.by, view.aggregation, narrowed]);
  useEffect(() => {
    document.title = `${route.name} · narthex`;
    model.ask({ span: view.span, step, where: view.where, by: view.by, aggregation: view.aggregation, chosen: view.chosen });
    return () => model.stop();
  }, [model, asked]);
  const family = model.family.value;
  const error = model.error.value;
  return (
    <>
      <div class="metric-head">
        <p class="crumb">
          <a href="#/">Metrics</a>
        </p>
        <h1 class="metric-name">
          {shownText(route.name)} {family !== undefined && <span class={`type type-${family.type}`}>{family.type}</span>}
        </h1>
        {family !== undefined && family.help !== "" && <p class="help">{shownText(family.help)}</p>}
      </div>
      <Controls route={route} view={view} model={model} />
      <Chips route={route} view={view} />
      {error !== undefined && <Failure title={data === undefined ? "The metric can’t be read" : "What you see is not up to date"} text={error} retry={() => model.refresh()} />}
      {data === undefined && error === undefined && <Loading what="samples" />}
      {data !== undefined && data.totalSeries === 0 && <NoData route={route} view={view} data={data} model={model} />}
      {data !== undefined && data.totalSeries > 0 && <Filled route={route} view={view} data={data} model={model} />}
    </>
  );
}

interface Props {
  route: Route;
  view: View;
  data: MetricData;
  model: MetricModel;
}

function Filled({ route, view, data, model }: Props) {
  const family = model.family.value;
  const here = data.series.some((s) => s.key === view.chosen);
  const chosen = here && data.series.length > 1 ? view.chosen : "";
  const visible = useMemo(() => data.series.filter((s) => !view.hidden.includes(s.key)), [data.series, view.hidden.join()]);
  const focus = chosen === "" ? visible : visible.filter((s) => s.key === chosen);
  const shown = data.totalSeries > maxDrawn && data.groups === undefined ? (data.series[0]?.key ?? "") : here ? view.chosen : "";
  if (family === undefined) return null;
  const zoom = (from: number, to: number) => pushRoute(patched(route, { ...spanPatch({ kind: "fixed", from, to }), step: undefined }));
  return (
    <>
      {shown !== "" && data.totalSeries > 1 && <Scope shown={shown} data={data} all={() => replaceRoute(patched(route, { series: "" }))} />}
      <Tiles name={route.name} kind={family.kind} series={focus} groups={data.groups} range={shortDuration(lengthOf(view.span))} cost={model.cost.value} />
      <Figures name={route.name} kind={family.kind} data={data} shown={visible} chosen={chosen} storedOnly={view.storedOnly} zoom={zoom}>
        <div class="under-figures">
          {data.groups === undefined && <Why route={route} view={view} family={family} data={data} shown={focus} absence={undefined} />}
          <CopyAs family={family} data={data} view={view} shown={focus} />
        </div>
      </Figures>
      <SeriesTable route={route} view={view} data={data} chosen={shown} />
      {data.groups === undefined && <Samples data={data} shown={focus} />}
    </>
  );
}

// Says that the numbers below are one series' alone.
function Scope({ shown, data, all }: { shown: string; data: MetricData; all: () => void }) {
  return (
    <p class="scope">
      <span>
        One of {count(data.totalSeries, "series", "series")}: <code>{shownText(shown)}</code>
      </span>
      {data.totalSeries <= maxDrawn && (
        <button type="button" class="button" onClick={all}>
          Show all
        </button>
      )}
    </p>
  );
}

function NoData({ route, view, data, model }: Props) {
  const last = model.absence.value?.last;
  const family = model.family.value;
  return (
    <section class="empty">
      <h2>{view.span.kind === "last" ? `No sample within ${formatStep(view.span.ms)}` : "No sample between these times"}</h2>
      {typeof last === "number" && (
        <p>
          The last one is from {formatAge(last, now.value)}, {utc(last)} UTC.
        </p>
      )}
      {last === null && <p>Nor in the last 24 hours. Is the name right? It may also have been deleted, or be older.</p>}
      {family !== undefined && <Why route={route} view={view} family={family} data={data} shown={[]} absence={model.absence.value} />}
    </section>
  );
}
