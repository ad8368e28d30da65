import type uPlot from "uplot";
import type { Sample } from "../api/series";
import { lookback, type Grid, type Stamp } from "../lens/lens";
import type { Theme } from "./theme";
import { hues } from "./theme";

/** What the lens marks of one series. */
export interface Marks {
  colour: number;
  /** Stored samples: a filled dot at the exact time; a cross if no step shows it. */
  stored: readonly Sample[];
  /** Drawn points: a tick if fresh, a ring if carried. */
  drawn: readonly Sample[];
  stamps: readonly Stamp[];
  faded: boolean;
}

/** Below this distance of the steps, in CSS pixels, rings would only be a smear. */
const ringSpace = 3.4;
const dotSpace = 3;
const crossSpace = 9;

interface Pen {
  u: uPlot;
  px: number;
  grid: Grid;
  theme: Theme;
  /** Distance of two steps, CSS pixels. */
  space: number;
  x: (t: number) => number;
  y: (v: number) => number;
}

function penOf(u: uPlot, grid: Grid, theme: Theme): Pen {
  const px = devicePixelRatio;
  const min = u.scales["x"]?.min ?? 0;
  const max = u.scales["x"]?.max ?? 1;
  return {
    u, px, grid, theme,
    space: (grid.step / 1000 / (max - min)) * (u.bbox.width / px),
    x: (t) => u.valToPos(t / 1000, "x", true),
    y: (v) => u.valToPos(v, "y", true),
  };
}

/**
 * Shades where values are carried: from the last step that was fresh to the
 * last that repeats it. One series has the plot's whole height, several have a
 * band along their lines.
 */
export function drawBands(u: uPlot, all: readonly Marks[], grid: Grid, theme: Theme): void {
  const pen = penOf(u, grid, theme);
  const { ctx } = u;
  const shown = all.filter((m) => !m.faded);
  for (const m of shown) {
    ctx.fillStyle = theme.series[m.colour % hues] ?? theme.ink;
    for (const b of bandsOf(m, grid.step)) {
      const left = pen.x(b.from);
      const width = Math.max(pen.px, pen.x(b.to) - left);
      if (shown.length === 1) {
        ctx.globalAlpha = 0.09;
        ctx.fillRect(left, u.bbox.top, width, u.bbox.height);
      } else {
        ctx.globalAlpha = 0.16;
        ctx.fillRect(left, pen.y(b.v) - 4 * pen.px, width, 8 * pen.px);
      }
    }
  }
}

/** A stretch in which one sample is shown again and again. */
export interface Band {
  from: number;
  to: number;
  v: number;
}

/** The stretches of a series in which values are carried. */
export function bandsOf(m: Pick<Marks, "drawn" | "stamps">, step: number): Band[] {
  const value = new Map(m.drawn.map((p) => [p.t, p.v]));
  const out: Band[] = [];
  let sample = NaN;
  for (const s of m.stamps) {
    const v = value.get(s.t);
    if (s.sample > s.t - step || v === undefined || !Number.isFinite(v)) continue;
    const last = out.at(-1);
    if (last !== undefined && s.sample === sample && s.t - last.to <= step) last.to = s.t;
    else out.push({ from: s.t - step, to: s.t, v });
    sample = s.sample;
  }
  return out;
}

/** Draws the marks of all series, in device pixels. */
export function drawMarks(u: uPlot, all: readonly Marks[], grid: Grid, theme: Theme): void {
  const pen = penOf(u, grid, theme);
  for (const m of [...all].sort((a, b) => Number(b.faded) - Number(a.faded))) {
    u.ctx.globalAlpha = m.faded ? 0.18 : 1;
    u.ctx.strokeStyle = u.ctx.fillStyle = theme.series[m.colour % hues] ?? theme.ink;
    if (pen.space >= ringSpace && !m.faded) steps(pen, m);
    dots(pen, m);
  }
}

// Fresh steps are short upright ticks, carried ones are hollow rings.
function steps(pen: Pen, m: Marks): void {
  const { px, grid, theme, u: { ctx } } = pen;
  const carried = new Set(m.stamps.filter((s) => s.sample <= s.t - grid.step).map((s) => s.t));
  const colour = ctx.strokeStyle;
  ctx.lineWidth = px;
  for (const p of m.drawn) {
    if (!Number.isFinite(p.v)) continue;
    const x = pen.x(p.t);
    const y = pen.y(p.v);
    ctx.beginPath();
    if (carried.has(p.t)) {
      ctx.arc(x, y, Math.min(2, pen.space * 0.38) * px, 0, 2 * Math.PI);
      ctx.fillStyle = theme.paper;
      ctx.fill();
    } else {
      ctx.lineWidth = 2 * px;
      ctx.moveTo(x, y - 4.5 * px);
      ctx.lineTo(x, y + 4.5 * px);
    }
    ctx.stroke();
    ctx.lineWidth = px;
  }
  ctx.fillStyle = colour;
}

function dots(pen: Pen, m: Marks): void {
  const { px, grid, theme, u: { ctx } } = pen;
  const width = pen.u.bbox.width / px;
  const crowded = m.stored.length * dotSpace > width;
  const dense = m.stored.length * crossSpace > width;
  const shown = new Set(m.stamps.map((s) => s.sample));
  const alpha = ctx.globalAlpha;
  if (crowded) ctx.globalAlpha *= 0.4; // or else they hide the line
  for (const s of m.stored) {
    if (!Number.isFinite(s.v)) continue;
    const x = pen.x(s.t);
    const y = pen.y(s.v);
    const hidden = s.t <= grid.end && !shown.has(s.t);
    if (hidden && !dense) {
      cross(pen, x, y, m.faded ? ctx.fillStyle : theme.bad, grid.step > lookback.value);
      continue;
    }
    ctx.beginPath();
    ctx.arc(x, y, (crowded || hidden ? 1 : 3.4) * px, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.globalAlpha = alpha;
}

// A stored sample that no step shows: a cross. Where the step is longer than the
// lookback nothing near it is drawn either, so that it stands out, on a stem;
// else it is only one of several between two steps.
function cross({ u: { ctx, bbox }, px }: Pen, x: number, y: number, bad: CanvasRenderingContext2D["strokeStyle"], lost: boolean): void {
  const r = (lost ? 4.5 : 2.6) * px;
  const before = ctx.strokeStyle;
  if (lost) {
    ctx.strokeStyle = bad;
    ctx.lineWidth = px;
    ctx.setLineDash([2 * px, 3 * px]);
    ctx.beginPath();
    ctx.moveTo(x, y + r);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  ctx.lineWidth = (lost ? 2 : 1.2) * px;
  ctx.beginPath();
  ctx.moveTo(x - r, y - r);
  ctx.lineTo(x + r, y + r);
  ctx.moveTo(x + r, y - r);
  ctx.lineTo(x - r, y + r);
  ctx.stroke();
  ctx.strokeStyle = before;
}
