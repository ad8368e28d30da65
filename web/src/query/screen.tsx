import "../styles/query.css";
import { useEffect, useMemo, useState } from "preact/hooks";
import { duration, parseDuration } from "../promql";
import { param, paramList, patched, pushRoute, replaceRoute, type Patch, type Route } from "../router";
import { lengthOf, spanOf, spanPatch, stepFor, steps } from "../time/span";
import { TimePicker } from "../ui/timepicker";
import { ExpressionPanel } from "./panel";
import { views, type View } from "./model";
import { LiveNames } from "./names";

const most = 6;
const refreshes = ["5s", "15s", "30s", "1m", "5m"] as const;

/** What the address asks: expressions, how each is looked at, and when. */
interface Asked {
  query: string;
  view: View;
}

function askedOf(r: Route): Asked[] {
  const qs = paramList(r, "q");
  const vs = paramList(r, "view");
  return (qs.length === 0 ? [""] : qs.slice(0, most)).map((query, i) => ({ query, view: views.find((v) => v === vs[i]) ?? "graph" }));
}

function patchOf(asked: readonly Asked[]): Patch {
  const plain = asked.every((a) => a.view === "graph");
  return { q: asked.length === 1 && asked[0]?.query === "" ? [] : asked.map((a) => a.query), view: plain ? [] : asked.map((a) => a.view) };
}

/** PromQL: expressions with completion, as table, graph or heatmap. */
export function QueryScreen({ route }: { route: Route }) {
  const [stop] = useState(() => new AbortController());
  const names = useMemo(() => new LiveNames(stop.signal), [stop]);
  useEffect(() => {
    document.title = "Query · narthex";
    return () => stop.abort();
  }, [stop]);
  const asked = askedOf(route);
  const span = spanOf(route);
  const at = stepFor(lengthOf(span), param(route, "step"));
  const every = parseDuration(param(route, "every"));
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (every === undefined || span.kind === "fixed") return;
    const t = setInterval(() => !document.hidden && setTick((n) => n + 1), Math.max(every, 1000));
    return () => clearInterval(t);
  }, [every, span.kind]);
  const set = (patch: Patch) => replaceRoute(patched(route, patch));
  const change = (next: readonly Asked[]) => set(patchOf(next));
  return (
    <>
      <h1>Query</h1>
      <div class="controls">
        <TimePicker span={span} choose={(s) => pushRoute(patched(route, spanPatch(s)))} />
        <label class="select">
          <span>Step</span>
          <select value={param(route, "step") || "auto"} onChange={(e) => set({ step: e.currentTarget.value === "auto" ? undefined : e.currentTarget.value })}>
            <option value="auto">auto ({duration(at.auto)})</option>
            {param(route, "step") !== "" && !steps.includes(param(route, "step")) && <option>{param(route, "step")}</option>}
            {steps.map((s) => <option key={s}>{s}</option>)}
          </select>
        </label>
        <label class="select">
          <span>Refresh</span>
          <select value={param(route, "every")} onChange={(e) => set({ every: e.currentTarget.value })}>
            <option value="">off</option>
            {refreshes.map((r) => <option key={r} value={r}>every {r}</option>)}
          </select>
        </label>
        <button type="button" class="button" onClick={() => setTick(tick + 1)}>
          Run again
        </button>
        {at.clamped && <p class="dim">The step is {duration(at.step)}: a shorter one would draw more than 11,000 points.</p>}
      </div>
      {asked.map((a, i) => (
        <ExpressionPanel
          key={i}
          letter={String.fromCharCode(65 + i)}
          names={names}
          asked={a.query}
          view={a.view}
          span={span}
          step={at.step}
          tick={tick}
          every={every}
          ask={(query, view) => change(asked.map((x, j) => (j === i ? { query, view } : x)))}
          remove={asked.length > 1 ? () => change(asked.filter((_, j) => j !== i)) : undefined}
          zoom={(from, to) => pushRoute(patched(route, { ...spanPatch({ kind: "fixed", from, to }), step: undefined }))}
        />
      ))}
      {asked.length < most && (
        <button type="button" class="button" onClick={() => change([...asked, { query: "", view: "graph" }])}>
          + Another expression
        </button>
      )}
    </>
  );
}
