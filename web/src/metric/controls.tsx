import { formatRoute, replaceRoute, type Route } from "../router";
import type { MetricModel } from "./model";
import { ranges, resolve, steps } from "./ranges";
import { duration } from "../promql";

/** The address of one metric's screen. */
export type MetricRoute = Extract<Route, { screen: "metric" }>;

/** Range, step and refresh. */
export function Controls({ route, model }: { route: MetricRoute; model: MetricModel }) {
  const at = resolve(route.range, route.step);
  const auto = resolve(route.range, "auto").step;
  const odd = route.step !== "auto" && !steps.includes(route.step);
  return (
    <div class="controls">
      <div class="segments" role="group" aria-label="Range">
        {ranges.map((r) => (
          <a key={r.label} href={formatRoute({ ...route, range: r.label })} aria-current={r.ms === at.ms ? "true" : undefined}>
            {r.label}
          </a>
        ))}
      </div>
      <label class="select">
        <span>Step</span>
        <select value={route.step} onChange={(e) => replaceRoute({ ...route, step: e.currentTarget.value })}>
          <option value="auto">auto ({duration(auto)})</option>
          {odd && <option value={route.step}>{route.step}</option>}
          {steps.map((s) => (
            <option key={s} value={s}>
              {s}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={model.live.value} onChange={(e) => model.setLive(e.currentTarget.checked)} />
        <span>Live</span>
      </label>
      <button type="button" class="button" onClick={() => model.refresh()} aria-busy={model.busy.value}>
        Refresh
      </button>
      {at.clamped && <p class="dim">The step is {duration(at.step)}: a shorter one would draw more than 11,000 points.</p>}
    </div>
  );
}
