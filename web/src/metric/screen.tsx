import { useEffect, useState } from "preact/hooks";
import { now } from "../clock";
import { count } from "../format/number";
import { formatAge, formatStep, utc } from "../format/time";
import { formatRoute, replaceRoute } from "../router";
import { Failure, Loading } from "../ui/state";
import { Controls, type MetricRoute } from "./controls";
import type { MetricData } from "./data";
import { Figures } from "./figures";
import { MetricModel } from "./model";
import { maxDrawn } from "./load";
import { ranges, resolve } from "./ranges";
import { Samples } from "./samples";
import { SeriesTable } from "./seriestable";
import { Tiles } from "./tiles";

/** One metric: its numbers, its charts, its series and its samples. */
export function MetricScreen({ route }: { route: MetricRoute }) {
  const [model] = useState(() => new MetricModel(route.name));
  const at = resolve(route.range, route.step);
  const data = model.data.value;
  // A chosen series changes what is loaded only where not all are.
  const narrowed = (data?.totalSeries ?? 0) > maxDrawn ? route.series : "";
  useEffect(() => {
    document.title = `${route.name} · narthex`;
    model.ask({ range: at.ms, step: at.step, chosen: route.series });
    return () => model.stop();
  }, [model, at.ms, at.step, narrowed]);
  const described = model.described.value;
  const error = model.error.value;
  return (
    <>
      <div class="metric-head">
        <p class="crumb">
          <a href="#/">Metrics</a>
        </p>
        <h1 class="metric-name">
          {route.name} {described !== undefined && <span class={`type type-${described.type}`}>{described.type}</span>}
        </h1>
        {described !== undefined && described.help !== "" && <p class="help">{described.help}</p>}
      </div>
      <Controls route={route} model={model} />
      {error !== undefined && <Failure title={data === undefined ? "The metric can’t be read" : "What you see is not up to date"} text={error} retry={() => model.refresh()} />}
      {data === undefined && error === undefined && <Loading what="samples" />}
      {data !== undefined && data.totalSeries === 0 && <NoData route={route} length={at.ms} lastSeen={model.lastSeen.value} />}
      {data !== undefined && data.totalSeries > 0 && <Filled route={route} data={data} model={model} />}
    </>
  );
}

function Filled({ route, data, model }: { route: MetricRoute; data: MetricData; model: MetricModel }) {
  const kind = model.described.value?.kind ?? "gauge";
  const here = data.series.some((s) => s.key === route.series);
  const chosen = here && data.series.length > 1 ? route.series : "";
  const focus = chosen === "" ? data.series : data.series.filter((s) => s.key === chosen);
  const shown = data.totalSeries > maxDrawn ? (data.series[0]?.key ?? "") : here ? route.series : "";
  return (
    <>
      {shown !== "" && data.totalSeries > 1 && <Scope shown={shown} data={data} all={() => replaceRoute({ ...route, series: "" })} />}
      <Tiles name={route.name} kind={kind} series={focus} range={route.range} />
      <Figures name={route.name} data={data} kind={kind} chosen={chosen} />
      <SeriesTable data={data} chosen={shown} choose={(series) => replaceRoute({ ...route, series })} />
      <Samples data={data} chosen={chosen} />
    </>
  );
}

// Says that the numbers below are one series' alone.
function Scope({ shown, data, all }: { shown: string; data: MetricData; all: () => void }) {
  return (
    <p class="scope">
      <span>
        One of {count(data.totalSeries, "series", "series")}: <code>{shown}</code>
      </span>
      {data.totalSeries <= maxDrawn && (
        <button type="button" class="button" onClick={all}>
          Show all
        </button>
      )}
    </p>
  );
}

function NoData({ route, length, lastSeen }: { route: MetricRoute; length: number; lastSeen: number | null | undefined }) {
  const wide = typeof lastSeen === "number" ? ranges.find((r) => r.ms > now.value - lastSeen) : ranges.at(-1);
  return (
    <section class="empty">
      <h2>No sample within {formatStep(length)}</h2>
      {typeof lastSeen === "number" && (
        <p>
          The last one is from {formatAge(lastSeen, now.value)}, {utc(lastSeen)} UTC.
        </p>
      )}
      {lastSeen === null && <p>Nor in the last 24 hours. Is the name right? It may also have been deleted, or be older.</p>}
      {wide !== undefined && wide.ms > length && (
        <p>
          <a class="button" href={formatRoute({ ...route, range: wide.label })}>
            Show the last {wide.label}
          </a>
        </p>
      )}
    </section>
  );
}
