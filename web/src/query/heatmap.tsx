import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { RangeResult } from "../api/expression";
import { Chart, type ChartProps, type Hover, type Line } from "../chart/chart";
import { bound, classicHeat, drawHeat, heatAxis, nativeHeat, type Heat } from "../chart/heat";
import { formatShort } from "../format/number";
import { clock } from "../format/time";
import type { Grid } from "../lens/lens";

const noLines: readonly Line[] = [];

/** A histogram over time, of native histograms or of series with the label le. */
export function Heatmap({ result, label, grid, end, zoom }: { result: RangeResult; label: string; grid: Grid; end: number; zoom: (from: number, to: number) => void }) {
  const heat = useMemo(() => heatOf(result, grid), [result, grid]);
  if (heat === undefined) {
    return (
      <p class="none">
        This is no histogram: a heatmap wants native histograms, or series with the label <code>le</code>, such as <code>sum by (le) (rate(x_bucket[5m]))</code> or <code>sum(rate(x[5m]))</code>.
      </p>
    );
  }
  return <Drawn heat={heat} label={label} grid={grid} end={end} zoom={zoom} />;
}

/** The heatmap of a result, undefined if it is none. */
export function heatOf(r: RangeResult, grid: Grid): Heat | undefined {
  if (r.histograms.length > 0) return nativeHeat(r.histograms, grid);
  if (r.series.length === 0 || r.series.some((s) => s.labels["le"] === undefined)) return undefined;
  const series = r.series.map((s) => ({ labels: s.labels, samples: Array.from(s.values, (v, i) => ({ t: grid.start + i * grid.step, v })) }));
  return classicHeat(series, grid);
}

function Drawn({ heat, label, grid, end, zoom }: { heat: Heat; label: string; grid: Grid; end: number; zoom: (from: number, to: number) => void }) {
  const hover = useSignal<Hover | undefined>(undefined);
  const axis = useMemo(() => heatAxis(heat), [heat]);
  const chart: ChartProps = {
    lines: noLines, grid, end, height: 300, span: axis.span, ticks: axis.ticks,
    label: `Heatmap of ${label}: ${heat.rows.length} buckets.`,
    under: useMemo(() => (u, theme) => drawHeat(u, heat, axis, grid, theme), [heat, axis, grid]),
    onHover: (h) => (hover.value = h),
    onZoom: zoom,
  };
  const h = hover.value;
  const row = h === undefined ? undefined : heat.rows[axis.rowAt(h.v)];
  return (
    <div class="graph">
      <Chart {...chart} />
      <p class="readout" aria-live="polite">
        {h !== undefined && <time>{clock(h.t)}</time>}
        {h !== undefined && row !== undefined && (
          <span>
            <span class="dim">
              {bound(row.lower)} – {bound(row.upper)}:
            </span>{" "}
            <b>{formatShort(row.values[h.step] ?? 0)}</b>
          </span>
        )}
      </p>
    </div>
  );
}
