import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { spanOfLines, valuesOf } from "../chart/align";
import type { ChartProps, Hover, Line } from "../chart/chart";
import { bound, drawHeat, heatAxis, type Heat } from "../chart/heat";
import { formatNumber, formatShort } from "../format/number";
import { shownText } from "../format/text";
import { clock, formatStep } from "../format/time";
import { duration } from "../promql";
import type { Distribution, NamedLine } from "./data";
import { Figure, type FigureProps } from "./figure";
import { Swatch } from "./swatch";

/** A histogram as it is read: where observations fell, and their quantiles. */
export function Distributions(p: FigureProps & { distribution: Distribution }) {
  const { heat, quantiles, error } = p.distribution;
  return (
    <>
      {error !== undefined && (
        <p class="notice">
          The distribution can’t be read: <code>{error}</code>
        </p>
      )}
      {heat !== undefined && <HeatFigure {...p} heat={heat} />}
      {quantiles.length > 0 && <QuantileFigure {...p} lines={quantiles} />}
    </>
  );
}

const noLines: readonly Line[] = [];

function HeatFigure(p: FigureProps & { heat: Heat }) {
  const { data, heat } = p;
  const hover = useSignal<Hover | undefined>(undefined);
  const axis = useMemo(() => heatAxis(heat), [heat]);
  const chart: ChartProps = {
    lines: noLines, grid: data.grid, end: data.end, height: 240, span: axis.span, ticks: axis.ticks,
    label: `Heatmap of ${p.name}: observations per second in each of ${heat.rows.length} buckets.`,
    under: useMemo(() => (u, theme) => drawHeat(u, heat, axis, data.grid, theme), [heat, axis, data.grid]),
    onHover: (h) => (hover.value = h),
    onZoom: p.zoom,
  };
  const h = hover.value;
  const row = h === undefined ? undefined : heat.rows[axis.rowAt(h.v)];
  return (
    <Figure
      title="Where observations fell"
      readout={
        <p class="readout" aria-live="polite">
          {h !== undefined && <time>{clock(h.t)}</time>}
          {h !== undefined && row !== undefined && (
            <span>
              <span class="dim">
                {bound(row.lower)} – {bound(row.upper)}:
              </span>{" "}
              <b>{formatNumber(row.values[h.step] ?? 0)}</b> <span class="dim">per second</span>
            </span>
          )}
        </p>
      }
      chart={chart}
    >
      <p class="caption">
        Each column is {formatStep(data.grid.step)}, averaged over {formatStep(data.rateWindow)}; {heat.log ? "native buckets on a logarithmic axis" : `${heat.rows.length} of its buckets, each as high as the next`}
        {heat.below > 0 && "; observations below zero are not drawn"}
      </p>
      <ul class="key heatkey" aria-label="Colours">
        <li>few</li>
        {[0, 1, 2, 3, 4].map((i) => (
          <li key={i}>
            <i class={`heat heat-${i}`} />
          </li>
        ))}
        <li>{formatShort(heat.max)} per second</li>
      </ul>
    </Figure>
  );
}

function QuantileFigure(p: FigureProps & { lines: readonly NamedLine[] }) {
  const { data } = p;
  const hover = useSignal<Hover | undefined>(undefined);
  const lines = useMemo(() => p.lines.map((l, i): Line => ({ values: valuesOf(l.points, data.grid), colour: i, faded: false })), [p.lines, data.grid]);
  const chart: ChartProps = {
    lines, grid: data.grid, end: data.end, height: 180,
    span: useMemo(() => spanOfLines(lines, [0]), [lines]),
    label: `Quantiles of ${p.name}: ${p.lines.map((l) => l.name).join(", ")}.`,
    onHover: (h) => (hover.value = h),
    onZoom: p.zoom,
  };
  const h = hover.value;
  const value = (l: NamedLine) => (h === undefined ? l.points.at(-1) : l.points.find((x) => x.t === h.t))?.v;
  return (
    <Figure title="Quantiles" readout={<p class="readout" aria-live="polite">{h !== undefined && <time>{clock(h.t)}</time>}</p>} chart={chart}>
      <ul class="legend">
        {p.lines.map((l, i) => (
          <li key={l.name}>
            <Swatch index={i} /> {shownText(l.name)} <b>{value(l) === undefined ? "–" : formatShort(value(l) ?? NaN)}</b>
          </li>
        ))}
      </ul>
      {p.kind !== "summary" && (
        <p class="caption">
          over <code>[{duration(data.rateWindow)}]</code>, interpolated within buckets
        </p>
      )}
    </Figure>
  );
}
