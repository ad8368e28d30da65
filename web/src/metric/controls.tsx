import { shownText } from "../format/text";
import { formatStep } from "../format/time";
import { duration } from "../promql";
import { param, patched, pushRoute, replaceRoute, type Route } from "../router";
import { lengthOf, spanPatch, stepFor, steps } from "../time/span";
import { TimePicker } from "../ui/timepicker";
import type { MetricModel } from "./model";
import { wherePatch, type View } from "./view";

/** Range, step and refresh. */
export function Controls({ route, view, model }: { route: Route; view: View; model: MetricModel }) {
  const at = stepFor(lengthOf(view.span), view.step);
  const odd = view.step !== "auto" && !steps.includes(view.step);
  return (
    <div class="controls">
      <TimePicker span={view.span} choose={(s) => pushRoute(patched(route, spanPatch(s)))} />
      <label class="select">
        <span>Step</span>
        <select value={view.step} onChange={(e) => replaceRoute(patched(route, { step: e.currentTarget.value === "auto" ? undefined : e.currentTarget.value }))}>
          <option value="auto">auto ({duration(at.auto)})</option>
          {odd && <option value={view.step}>{view.step}</option>}
          {steps.map((s) => (
            <option key={s} value={s}>
              {s}
            </option>
          ))}
        </select>
      </label>
      {view.span.kind === "last" && (
        <label class="check">
          <input type="checkbox" checked={model.live.value} onChange={(e) => model.setLive(e.currentTarget.checked)} />
          <span>Live</span>
        </label>
      )}
      <button type="button" class="button" onClick={() => model.refresh()} aria-busy={model.busy.value}>
        Refresh
      </button>
      {at.clamped && <p class="dim">The step is {formatStep(at.step)}: a shorter one would draw more than 11,000 points.</p>}
    </div>
  );
}

/** What narrows the view, each with a way to undo it. */
export function Chips({ route, view }: { route: Route; view: View }) {
  const set = (patch: Parameters<typeof patched>[1]) => replaceRoute(patched(route, patch));
  const chips = [
    ...view.where.map((m) => ({ key: `w ${m.label} ${m.value}`, text: `${m.label} ${m.not ? "≠" : "="} ${m.value === "" ? "(none)" : m.value}`, undo: () => set(wherePatch(view.where.filter((w) => w !== m))) })),
    ...view.by.map((b) => ({ key: `b ${b}`, text: `grouped by ${b}`, undo: () => set({ by: view.by.filter((x) => x !== b) }) })),
    ...(view.hidden.length > 0 ? [{ key: "h", text: `${view.hidden.length} hidden`, undo: () => set({ hide: [] }) }] : []),
    ...(view.without.length > 0 ? [{ key: "c", text: `without the columns ${view.without.join(", ")}`, undo: () => set({ without: [] }) }] : []),
    ...(view.storedOnly ? [{ key: "s", text: "stored samples only", undo: () => set({ carried: undefined }) }] : []),
    ...(param(route, "step") !== "" ? [{ key: "t", text: `step ${param(route, "step")}`, undo: () => set({ step: undefined }) }] : []),
  ];
  if (chips.length === 0) return null;
  return (
    <ul class="chips" aria-label="What is shown">
      {chips.map((c) => (
        <li key={c.key}>
          <span>{shownText(c.text)}</span>
          <button type="button" aria-label={`Undo: ${shownText(c.text)}`} onClick={c.undo}>
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}
