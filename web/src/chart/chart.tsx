import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Sample } from "../api/series";
import { formatNumber } from "../format/number";
import { clock, day } from "../format/time";
import type { Grid } from "../lens/lens";
import { spanOf, stepsOf, valuesOf } from "./align";
import { drawMarks, type Marks } from "./marks";
import { stepPath } from "./steps";
import { hues, readTheme, type Theme } from "./theme";

/** A line and the marks on it. */
export interface Line {
  points: readonly Sample[];
  stored: readonly Sample[];
  stamps: Marks["stamps"];
  /** Which colour. */
  index: number;
  faded: boolean;
}

/** What a chart shows. */
export interface ChartProps {
  lines: readonly Line[];
  grid: Grid;
  /** The axis goes on to here, ms. */
  end: number;
  height: number;
  /** Whether the y axis always has zero. */
  floor: boolean;
  /** What it shows, for those who can't see it; the tables have the numbers. */
  label: string;
  /** Told the step under the pointer, ms, and the value there; undefined when it leaves. */
  onHover: (at: { t: number; v: number } | undefined) => void;
}

/** A chart of step lines, drawn anew when its data, its width or the colours change. */
export function Chart(p: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = host.current;
    if (el === null) return;
    let plot = draw(el, p);
    const again = () => {
      plot.destroy();
      plot = draw(el, p);
    };
    const resize = new ResizeObserver(() => {
      if (Math.abs(plot.width - el.clientWidth) > 1) plot.setSize({ width: el.clientWidth, height: p.height });
    });
    resize.observe(el);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      resize.disconnect();
      dark.removeEventListener("change", again);
      plot.destroy();
    };
  }, [p.lines, p.grid, p.end, p.height, p.floor]);
  return <div class="chart" ref={host} role="img" aria-label={p.label} style={{ height: `${p.height}px` }} />;
}

function draw(el: HTMLElement, p: ChartProps): uPlot {
  const theme = readTheme();
  const data = [stepsOf(p.grid), ...p.lines.map((l) => valuesOf(l.points, p.grid))] as uPlot.AlignedData;
  const colour = (l: Line) => theme.series[l.index % hues] ?? theme.ink;
  const marks = p.lines.map((l) => ({ colour: colour(l), stored: l.stored, drawn: l.points, stamps: l.stamps, faded: l.faded }));
  marks.sort((a, b) => Number(b.faded) - Number(a.faded)); // the chosen series on top
  const y = spanOf([...(p.floor ? [0] : []), ...p.lines.flatMap((l) => [...l.points, ...l.stored].map((s) => s.v))]);
  const series: uPlot.Series[] = p.lines.map((l) => ({
    stroke: colour(l),
    width: l.faded ? 1 : 1.5,
    alpha: l.faded ? 0.18 : 0.85,
    points: { show: false },
    paths: stepPath,
  }));
  return new uPlot(
    {
      width: el.clientWidth,
      height: p.height,
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: true, range: () => [p.grid.start / 1000, p.end / 1000] }, y: { range: () => y } },
      axes: axes(theme, p.end - p.grid.start),
      series: [{}, ...series],
      hooks: {
        draw: [(u) => drawMarks(u, marks, p.grid.step, theme.paper)],
        setCursor: [(u) => p.onHover(hovered(u, p.grid))],
      },
    },
    data,
    el,
  );
}

function hovered(u: uPlot, grid: Grid): { t: number; v: number } | undefined {
  const { left, top, idx } = u.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return undefined;
  return { t: grid.start + idx * grid.step, v: u.posToVal(top ?? 0, "y") };
}

function axes(theme: Theme, length: number): uPlot.Axis[] {
  const common = { stroke: theme.faint, font: theme.font, ticks: { show: false }, grid: { stroke: theme.grid, width: 1 } };
  const label = (s: number) => {
    const t = s * 1000;
    const time = clock(t, false);
    return length > 86_400_000 * 2 || time === "00:00" ? (time === "00:00" ? day(t) : `${day(t)} ${time}`) : length < 600_000 ? clock(t) : time;
  };
  return [
    { ...common, space: length > 86_400_000 * 2 ? 90 : 60, size: 28, values: (_u, ticks) => ticks.map(label) },
    { ...common, size: axisWidth, space: 34, values: (_u, ticks) => ticks.map(formatNumber) },
  ];
}

// As wide as the longest label needs, so that large totals are not cut; charts
// of ordinary values have one width, so that their times stand below one another.
function axisWidth(_u: uPlot, values: string[] | null): number {
  const longest = (values ?? []).reduce((n, v) => Math.max(n, v.length), 3);
  return Math.max(58, 14 + longest * 6.6);
}
