import { useSignal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import type { Drawn } from "../api/expression";
import { spanOfLines } from "../chart/align";
import { Chart, type ChartProps, type Hover, type Line } from "../chart/chart";
import { exactNumber, formatNumber, formatShort } from "../format/number";
import { shownText } from "../format/text";
import { clock } from "../format/time";
import type { Grid } from "../lens/lens";
import { Swatch } from "../metric/swatch";
import { formatSeries } from "../promql";

/** Lines that are drawn, and that the legend shows at first. */
export const maxLines = 250;
const first = 12;

interface Props {
  label: string;
  series: readonly Drawn[];
  grid: Grid;
  end: number;
  zoom: (from: number, to: number) => void;
}

/** The lines of a range query, with a legend that reads them at the cursor. */
export function Graph({ label, series, grid, end, zoom }: Props) {
  const hover = useSignal<Hover | undefined>(undefined);
  const [alone, setAlone] = useState("");
  const [shown, setShown] = useState(first);
  const drawn = useMemo(() => series.slice(0, maxLines).map((s, i) => ({ key: formatSeries(s.labels), values: s.values, i })), [series]);
  const solo = drawn.some((d) => d.key === alone) ? alone : "";
  const lines = useMemo(() => drawn.map((d): Line => ({ values: d.values, colour: d.i, faded: solo !== "" && d.key !== solo })), [drawn, solo]);
  const chart: ChartProps = {
    lines, grid, end, height: 300,
    span: useMemo(() => spanOfLines(solo === "" ? lines : lines.filter((l) => !l.faded)), [lines]),
    label: `${label}: ${series.length === 1 ? "1 series" : `${series.length} series`}.`,
    onHover: (h) => (hover.value = h),
    onZoom: zoom,
  };
  const h = hover.value;
  const value = (d: (typeof drawn)[number]) => (h === undefined ? lastOf(d.values) : (d.values[h.step] ?? NaN));
  const ranked = h === undefined ? drawn : [...drawn].sort((a, b) => near(value(a), h.v) - near(value(b), h.v));
  const rest = drawn.length - shown;
  return (
    <div class="graph">
      <Chart {...chart} />
      <p class="readout" aria-live="polite">
        {h === undefined ? <span class="dim">{drawn.length > 0 && "last values"}</span> : <time>{clock(h.t)}</time>}
      </p>
      <ul class="lines">
        {ranked.slice(0, shown).map((d) => (
          <li key={d.key}>
            <button type="button" aria-pressed={d.key === solo} title="Draw it alone" onClick={() => setAlone(d.key === solo ? "" : d.key)}>
              <Swatch index={d.i} /> <span class="name">{shownText(d.key)}</span>
            </button>
            <b title={exactNumber(value(d))}>{Number.isNaN(value(d)) ? "–" : formatShort(value(d))}</b>
          </li>
        ))}
      </ul>
      {rest > 0 && (
        <button type="button" class="button more" onClick={() => setShown(shown + 100)}>
          Show {Math.min(100, rest)} more of {formatNumber(rest)}
        </button>
      )}
      {series.length > maxLines && (
        <p class="dim">
          {formatNumber(maxLines)} of {formatNumber(series.length)} series are drawn: narrow the selector, add them up, or take <code>topk</code>.
        </p>
      )}
    </div>
  );
}

function lastOf(values: Float64Array): number {
  for (let i = values.length - 1; i >= 0; i--) {
    const v = values[i] ?? NaN;
    if (!Number.isNaN(v)) return v;
  }
  return NaN;
}

function near(v: number, to: number): number {
  return Number.isNaN(v) ? Infinity : Math.abs(v - to);
}
