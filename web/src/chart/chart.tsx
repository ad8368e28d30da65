import "uplot/dist/uPlot.min.css";
import "../styles/chart.css";
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { formatNumber } from "../format/number";
import { clock, day } from "../format/time";
import type { Grid } from "../lens/lens";
import { shownLook, zone } from "../prefs";
import { stepsOf } from "./align";
import { barPath, stepPath } from "./paths";
import { hues, readTheme, type Theme } from "./theme";

/** A line: its values at the steps, NaN where nothing is drawn. */
export interface Line {
  values: ArrayLike<number>;
  /** Which colour. */
  colour: number;
  faded: boolean;
}

/** What is under the pointer: the place of a step, and a value. */
export interface Hover {
  step: number;
  t: number;
  v: number;
}

/** Draws with the canvas of the plot, in device pixels. */
export type Paint = (u: uPlot, theme: Theme) => void;

/** What a chart shows. */
export interface ChartProps {
  lines: readonly Line[];
  grid: Grid;
  /** The axis goes on to here, ms. */
  end: number;
  height: number;
  /** The span of the y axis. */
  span: readonly [number, number];
  shape?: "steps" | "bars";
  /** Below the lines, and above them. */
  under?: Paint;
  over?: Paint;
  /** Ticks of a y axis that is not of plain numbers. */
  ticks?: { at: readonly number[]; text: readonly string[] };
  format?: (v: number) => string;
  /** What it shows, for those who can't see it; the tables have the numbers. */
  label: string;
  /** Told what is under the pointer; undefined when it leaves. */
  onHover: (at: Hover | undefined) => void;
  /** Told which stretch was dragged over, ms. */
  onZoom: (from: number, to: number) => void;
}

/**
 * A chart over time. Dragging zooms; with the focus on it the arrow keys move
 * from step to step. Charts of one screen share the cursor.
 */
export function Chart(p: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(p);
  now.current = p;
  const data = useMemo(() => [stepsOf(p.grid), ...p.lines.map((l) => l.values)] as unknown as uPlot.AlignedData, [p.lines, p.grid]);
  const paper = shownLook.value;
  const clockZone = zone.value;
  const frame = p.lines.map((l) => `${l.colour}${l.faded ? "f" : ""}`).join();
  useEffect(() => {
    const el = host.current;
    if (el === null) return;
    const u = new uPlot(optionsOf(el, now, readTheme()), data, el);
    plot.current = u;
    const resize = new ResizeObserver(() => {
      if (Math.abs(u.width - el.clientWidth) > 1) u.setSize({ width: el.clientWidth, height: now.current.height });
    });
    resize.observe(el);
    return () => {
      resize.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [frame, p.height, p.shape, paper, clockZone]);
  useEffect(() => plot.current?.setData(data), [data, p.end, p.span[0], p.span[1]]);
  useEffect(() => plot.current?.redraw(false), [p.under, p.over]);
  return (
    <div
      class="chart"
      ref={host}
      role="img"
      tabIndex={0}
      aria-label={p.label}
      style={{ height: `${p.height}px` }}
      onKeyDown={(e) => plot.current !== null && moveCursor(e, plot.current)}
      onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
    />
  );
}

function optionsOf(el: HTMLElement, now: { current: ChartProps }, theme: Theme): uPlot.Options {
  const p = now.current;
  const bars = p.shape === "bars";
  const colour = (l: Line) => theme.series[l.colour % hues] ?? theme.ink;
  return {
    width: el.clientWidth,
    height: p.height,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 6 }, points: { show: false }, sync: { key: "narthex", setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } },
    scales: {
      x: { time: true, auto: false, range: () => [now.current.grid.start / 1000, now.current.end / 1000] },
      y: { auto: false, range: () => [...now.current.span] },
    },
    axes: axes(theme, now),
    series: [
      {},
      ...p.lines.map((l) => ({
        stroke: colour(l),
        ...(bars ? { fill: colour(l) } : {}),
        width: l.faded ? 1 : 1.5,
        alpha: l.faded ? 0.18 : 0.85,
        points: { show: false },
        paths: bars ? barPath : stepPath,
      })),
    ],
    hooks: {
      drawAxes: [(u) => clipped(u, theme, now.current.under)],
      draw: [(u) => clipped(u, theme, now.current.over)],
      setCursor: [(u) => now.current.onHover(hovered(u, now.current.grid))],
      setSelect: [(u) => selected(u, now.current.onZoom)],
    },
  };
}

// Marks on the edge may reach over it a little.
function clipped(u: uPlot, theme: Theme, paint: Paint | undefined): void {
  if (paint === undefined) return;
  const { left, top, width, height } = u.bbox;
  const margin = 6 * devicePixelRatio;
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(left - margin, top - margin, width + 2 * margin, height + 2 * margin);
  u.ctx.clip();
  paint(u, theme);
  u.ctx.restore();
}

function hovered(u: uPlot, grid: Grid): Hover | undefined {
  const { left, top, idx } = u.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return undefined;
  return { step: idx, t: grid.start + idx * grid.step, v: u.posToVal(top ?? 0, "y") };
}

function selected(u: uPlot, zoom: ChartProps["onZoom"]): void {
  const { left, width } = u.select;
  if (width < 6) return;
  const from = Math.round(u.posToVal(left, "x") * 1000);
  const to = Math.round(u.posToVal(left + width, "x") * 1000);
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  zoom(from, to);
}

function moveCursor(e: KeyboardEvent, u: uPlot): void {
  const last = u.data[0].length - 1;
  const at = u.cursor.idx ?? last + 1;
  const by = e.shiftKey ? 10 : 1;
  const to = { ArrowLeft: at - by, ArrowRight: at + by, Home: 0, End: last }[e.key];
  if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  const idx = Math.min(Math.max(to, 0), last);
  u.setCursor({ left: u.valToPos(u.data[0][idx] ?? 0, "x"), top: u.bbox.height / devicePixelRatio / 2 });
}

function axes(theme: Theme, now: { current: ChartProps }): uPlot.Axis[] {
  const common = { stroke: theme.faint, font: theme.font, ticks: { show: false }, grid: { stroke: theme.grid, width: 1 } };
  const long = () => now.current.end - now.current.grid.start > 172_800_000;
  const label = (s: number) => {
    const t = s * 1000;
    const time = clock(t, false);
    if (time === "00:00") return day(t);
    return long() ? `${day(t)} ${time}` : now.current.end - now.current.grid.start < 600_000 ? clock(t) : time;
  };
  const own = now.current.ticks;
  const number = now.current.format ?? formatNumber;
  return [
    { ...common, space: () => (long() ? 90 : 64), size: 28, values: (_u, ticks) => ticks.map(label) },
    own === undefined
      ? { ...common, size: axisWidth, space: 34, values: (_u, ticks) => ticks.map(number) }
      : { ...common, grid: { show: false }, size: axisWidth, splits: () => [...(now.current.ticks?.at ?? [])], values: () => [...(now.current.ticks?.text ?? [])] },
  ];
}

// As wide as the longest label needs, so that large totals are not cut; charts
// of ordinary values have one width, so that their times stand below one another.
function axisWidth(_u: uPlot, values: string[] | null): number {
  const longest = (values ?? []).reduce((n, v) => Math.max(n, v.length), 3);
  return Math.max(58, 14 + longest * 6.6);
}
