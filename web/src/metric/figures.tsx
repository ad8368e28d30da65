import { useSignal, type Signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { Chart, type Line } from "../chart/chart";
import { formatNumber } from "../format/number";
import { clock, formatStep, span } from "../format/time";
import { caption } from "../lens/caption";
import type { Kind } from "../lens/kind";
import { sumLens } from "../lens/lens";
import { Swatch } from "./swatch";
import type { MetricData, SeriesData } from "./data";

type Hover = { t: number; v: number } | undefined;

/** The charts: values with the samples lens, and a counter's rate below it. */
export function Figures({ name, data, kind, chosen }: { name: string; data: MetricData; kind: Kind; chosen: string }) {
  const focus = chosen === "" ? data.series : data.series.filter((s) => s.key === chosen);
  const values = useMemo(() => data.series.map((s) => line(s, s.drawn, chosen, true)), [data, chosen]);
  const rates = useMemo(() => data.series.map((s) => line(s, s.rate, chosen, false)), [data, chosen]);
  const text = caption(sumLens(focus.map((s) => s.lens)), data.grid.step);
  const common = { data, focus };
  return (
    <>
      <Figure {...common} title="Value" label={`Values of ${name}. ${text}.`} lines={values} pick={(s) => s.drawn} height={300} lens>
        <p class="caption">{text}</p>
        <ul class="key" aria-label="Marks">
          <li><i class="dot" /> stored</li>
          <li><i class="ring" /> carried</li>
          <li><i class="line" /> drawn</li>
        </ul>
      </Figure>
      {kind === "counter" && (
        <Figure {...common} title="Per second" label={`Rate of ${name} per second.`} lines={rates} pick={(s) => s.rate} height={170} lens={false}>
          <p class="caption">
            <code>rate(…[{formatStep(data.rateWindow).replace(" ", "").replace("min", "m")}])</code>, an average over the window that is also extrapolated to its edges
          </p>
        </Figure>
      )}
    </>
  );
}

interface FigureProps {
  title: string;
  label: string;
  data: MetricData;
  focus: readonly SeriesData[];
  lines: readonly Line[];
  pick: (s: SeriesData) => SeriesData["drawn"];
  height: number;
  lens: boolean;
  children: preact.ComponentChildren;
}

function Figure(p: FigureProps) {
  const hover = useSignal<Hover>(undefined);
  return (
    <figure class="figure-box">
      <div class="figure-head">
        <h2>{p.title}</h2>
        <Readout hover={hover} {...p} />
      </div>
      <Chart lines={p.lines} grid={p.data.grid} end={p.data.end} height={p.height} floor={!p.lens} label={p.label} onHover={(h) => (hover.value = h)} />
      <figcaption>{p.children}</figcaption>
    </figure>
  );
}

// What stands under the pointer: the nearest series first, no more than fit a line.
function Readout({ hover, data, focus, pick, lens }: FigureProps & { hover: Signal<Hover> }) {
  const h = hover.value;
  if (h === undefined) return <p class="readout" />;
  const at = focus.flatMap((s) => {
    const v = pick(s).find((x) => x.t === h.t)?.v;
    return v === undefined ? [] : [{ s, v }];
  });
  at.sort((a, b) => Math.abs(a.v - h.v) - Math.abs(b.v - h.v));
  return (
    <p class="readout">
      <time>{clock(h.t)}</time>
      {at.length === 0 && <span class="dim">nothing drawn</span>}
      {at.slice(0, 3).map(({ s, v }) => (
        <span key={s.key}>
          <Swatch index={s.index} /> <b>{formatNumber(v)}</b>
          {lens && <Carried s={s} t={h.t} step={data.grid.step} />}
        </span>
      ))}
      {at.length > 3 && <span class="dim">+{at.length - 3}</span>}
    </p>
  );
}

function Carried({ s, t, step }: { s: SeriesData; t: number; step: number }) {
  const stamp = s.stamps.find((x) => x.t === t);
  if (stamp === undefined || stamp.sample > t - step) return null;
  return <span class="dim"> carried, {span(t - stamp.sample)} old</span>;
}

function line(s: SeriesData, points: SeriesData["drawn"], chosen: string, lens: boolean): Line {
  return { points, stored: lens ? s.stored : [], stamps: lens ? s.stamps : [], index: s.index, faded: chosen !== "" && s.key !== chosen };
}
