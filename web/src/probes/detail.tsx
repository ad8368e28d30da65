import { useEffect, useMemo, useState } from "preact/hooks";
import { isAbort, messageOf } from "../api/client";
import { readResult, readResults, type Report } from "../api/probes";
import { range } from "../api/prom";
import { present } from "../clock";
import { lengthOfGrid, spanOfLines } from "../chart/align";
import { Chart, type Hover, type Line } from "../chart/chart";
import { useSignal } from "@preact/signals";
import { formatShort } from "../format/number";
import { shownText } from "../format/text";
import { clock } from "../format/time";
import type { Grid } from "../lens/lens";
import { Swatch } from "../metric/swatch";
import { duration, quote } from "../promql";
import { hashOf, patched, pushRoute, type Route } from "../router";
import { gridOf, lengthOf, spanOf, spanPatch, stepFor } from "../time/span";
import { Failure, Loading } from "../ui/state";
import { TimePicker } from "../ui/timepicker";
import { Uptime, Verdict } from "./grid";
import { intervalOf, type Row } from "./matrix";
import { uptimes, type ProbesModel } from "./model";
import { ReportView, RunButton } from "./run";

/** One target: its verdicts, how long each phase took, and a probe of it now. */
export function Detail({ route, row, model }: { route: Route; row: Row | undefined; model: ProbesModel }) {
  const span = spanOf(route, 3_600_000 * 6);
  const crumb = (
    <p class="crumb">
      <a href="#/probes">Probes</a>
    </p>
  );
  if (row === undefined) {
    return (
      <>
        {crumb}
        <section class="empty">
          <h1>{shownText(route.name)}</h1>
          <p>There is no such target: nothing of it is configured here, nor stored in the last day.</p>
        </section>
      </>
    );
  }
  return (
    <>
      {crumb}
      <h1 class="metric-name">{shownText(row.name)}</h1>
      <p class="dim">
        {shownText(row.target)} {row.module !== "" && `· ${shownText(row.module)}`}
      </p>
      <ul class="regions">
        {row.cells.length === 0 && <li class="dim">It has not run yet.</li>}
        {row.cells.map((c) => (
          <li key={c.region}>
            {c.region !== "" && <h2>{shownText(c.region)}</h2>}
            <Verdict c={c} slots={40} />
          </li>
        ))}
      </ul>
      <dl class="tiles">
        {uptimes.map((w) => (
          <div class="tile" key={w}>
            <dt>Up, {w === "1d" ? "24 h" : w.replace("d", " d")}</dt>
            <dd>
              <span class="figure">
                <Uptime share={row.uptime.get(w)} />
              </span>
              <span class="note">of its probes succeeded</span>
            </dd>
          </div>
        ))}
      </dl>
      <div class="controls">
        <TimePicker span={span} choose={(s) => pushRoute(patched(route, spanPatch(s, 3_600_000 * 6)))} />
        <a class="button" href={hashOf("query", "", { q: `probe_success{${matcherOf(row)}}`, ...spanPatch(span) })}>
          Query
        </a>
      </div>
      <Phases row={row} route={route} />
      {model.canRun && (
        <section class="block" aria-label="Probe it now">
          <RunButton target={row.target} module={row.module || "http_2xx"} hostname={row.hostname} label="Probe it now" />
        </section>
      )}
      {model.canRun && <LastFailures name={row.name} />}
    </>
  );
}

function matcherOf(row: Row): string {
  const labels = row.cells[0]?.labels;
  return labels?.["name"] === undefined ? `instance=${quote(row.target)}` : `name=${quote(row.name)}`;
}

interface Stack {
  names: string[];
  lines: Line[];
  grid: Grid;
  end: number;
  /** Each phase by itself, seconds. */
  alone: Float64Array[];
}

const order = ["resolve", "connect", "tls", "setup", "processing", "request", "check", "upgrade", "rtt", "conversation", "transfer"];

// The phases on top of one another: each bar is as high as the probe took.
function Phases({ row, route }: { row: Row; route: Route }) {
  const [stack, setStack] = useState<Stack | undefined>();
  const [error, setError] = useState<string | undefined>();
  const [again, setAgain] = useState(0);
  const hover = useSignal<Hover | undefined>(undefined);
  const span = spanOf(route, 3_600_000 * 6);
  const every = Math.max(15_000, ...row.cells.map((c) => intervalOf(c.runs) ?? 0));
  useEffect(() => {
    const abort = new AbortController();
    setError(undefined);
    load(row, span, every, abort.signal).then(setStack, (e: unknown) => !isAbort(e) && setError(messageOf(e)));
    const t = setInterval(() => !document.hidden && span.kind === "last" && setAgain((n) => n + 1), 30_000);
    return () => {
      abort.abort();
      clearInterval(t);
    };
  }, [row.name, JSON.stringify(span), again]);
  const yspan = useMemo(() => spanOfLines(stack?.lines ?? [], [0]), [stack]);
  if (error !== undefined) return <Failure title="The phases can’t be read" text={error} retry={() => setAgain(again + 1)} />;
  if (stack === undefined) return <Loading what="phases" />;
  if (stack.lines.length === 0) return <p class="none">No probe within this time.</p>;
  const h = hover.value;
  return (
    <figure class="figure-box">
      <div class="figure-head">
        <h2>How long it took</h2>
        <p class="readout" aria-live="polite">{h !== undefined && <time>{clock(h.t)}</time>}</p>
      </div>
      <Chart
        lines={stack.lines}
        grid={stack.grid}
        end={stack.end}
        height={220}
        span={yspan}
        shape="bars"
        format={(v) => (v === 0 ? "0" : v < 1 ? `${formatShort(v * 1000)} ms` : `${formatShort(v)} s`)}
        label={`Phases of the probes of ${row.name}: ${stack.names.join(", ")}.`}
        onHover={(x) => (hover.value = x)}
        onZoom={(from, to) => pushRoute(patched(route, spanPatch({ kind: "fixed", from, to })))}
      />
      <figcaption>
        <ul class="legend">
          {stack.names.map((n, i) => {
            const v = h === undefined ? NaN : (stack.alone[i]?.[h.step] ?? NaN);
            return (
              <li key={n}>
                <Swatch index={i} /> {shownText(n)} {!Number.isNaN(v) && <b>{formatShort(v * 1000)} ms</b>}
              </li>
            );
          })}
        </ul>
        <p class="caption">the mean over {row.cells.length > 1 ? "regions and " : ""}each step</p>
      </figcaption>
    </figure>
  );
}

async function load(row: Row, span: ReturnType<typeof spanOf>, every: number, signal: AbortSignal): Promise<Stack> {
  const step = Math.max(stepFor(lengthOf(span), "auto").auto, every, Math.ceil(lengthOf(span) / 240 / 15_000) * 15_000);
  const { grid, end } = gridOf(span, step, present());
  const m = matcherOf(row);
  const window = duration(step);
  const ask = (query: string) => range(query, grid.start, grid.end, grid.step, signal);
  let answer = await ask(`avg by (phase) (avg_over_time({__name__=~"probe_(http|grpc|websocket|dns|icmp)_duration_seconds",${m}}[${window}]))`);
  if (answer.length === 0) answer = (await ask(`avg(avg_over_time(probe_duration_seconds{${m}}[${window}]))`)).map((s) => ({ ...s, labels: { phase: "the whole" } }));
  const place = (p: string) => (order.includes(p) ? order.indexOf(p) : 99);
  answer.sort((a, b) => place(a.labels["phase"] ?? "") - place(b.labels["phase"] ?? ""));
  const n = lengthOfGrid(grid);
  const total = new Float64Array(n);
  const stacked = answer.map((s, i) => {
    const own = new Float64Array(n).fill(NaN);
    for (const x of s.samples) {
      const at = Math.round((x.t - grid.start) / grid.step);
      own[at] = x.v;
      total[at] = (total[at] ?? 0) + x.v;
    }
    return { own, line: { values: total.map((v, j) => (Number.isNaN(own[j] ?? NaN) && v === 0 ? NaN : v)), colour: i, faded: false } satisfies Line };
  });
  // The highest first, so that the lower ones stand before it.
  return { names: answer.map((s) => s.labels["phase"] ?? ""), lines: stacked.map((s) => s.line).reverse(), grid, end, alone: stacked.map((s) => s.own) };
}

// What this program saw itself: the last probes that failed, with their logs.
function LastFailures({ name }: { name: string }) {
  const [list, setList] = useState<readonly Report[]>([]);
  const [open, setOpen] = useState<Report | undefined>();
  useEffect(() => {
    const abort = new AbortController();
    readResults(name, abort.signal).then((all) => setList(all.flatMap((r) => r.failures)), () => undefined); // it may not be kept here
    return () => abort.abort();
  }, [name]);
  if (list.length === 0) return null;
  return (
    <section class="block">
      <h2>The last failures seen from here</h2>
      <ul class="failures">
        {list.map((r) => (
          <li key={r.id}>
            <ReportView r={open?.id === r.id ? open : r} />
            {open?.id !== r.id && (
              <button type="button" class="button" onClick={() => void readResult(r.id, AbortSignal.timeout(10_000)).then(setOpen, () => undefined)}>
                With its log
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
