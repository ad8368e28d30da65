import type uPlot from "uplot";
import type { Sample } from "../api/series";
import type { Stamp } from "../lens/lens";

/** What is marked on top of a series' line. */
export interface Marks {
  colour: string;
  /** Stored samples: a filled dot at the exact time. */
  stored: readonly Sample[];
  /** Drawn points, to ring those that are carried. */
  drawn: readonly Sample[];
  stamps: readonly Stamp[];
  faded: boolean;
}

/** Below this distance of the steps, in CSS pixels, rings would only be a smear. */
const ringSpace = 5;
const dotSpace = 3;

/** Draws the marks of all series, in device pixels, clipped to the plot. */
export function drawMarks(u: uPlot, all: readonly Marks[], step: number, paper: string): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const px = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - 6 * px, top - 6 * px, width + 12 * px, height + 12 * px);
  ctx.clip();
  const min = u.scales["x"]?.min ?? 0;
  const max = u.scales["x"]?.max ?? 1;
  const stepPx = (step / 1000 / (max - min)) * (width / px);
  for (const m of all) {
    ctx.globalAlpha = m.faded ? 0.18 : 1;
    ctx.strokeStyle = ctx.fillStyle = m.colour;
    if (stepPx >= ringSpace && !m.faded) rings(u, m, step, px, paper);
    dots(u, m, px, width / px);
  }
  ctx.restore();
}

function rings(u: uPlot, m: Marks, step: number, px: number, paper: string): void {
  const { ctx } = u;
  const carried = new Set(m.stamps.filter((s) => s.sample <= s.t - step).map((s) => s.t));
  ctx.lineWidth = px;
  ctx.fillStyle = paper;
  for (const p of m.drawn) {
    if (!carried.has(p.t) || !Number.isFinite(p.v)) continue;
    ctx.beginPath();
    ctx.arc(u.valToPos(p.t / 1000, "x", true), u.valToPos(p.v, "y", true), 2 * px, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }
  ctx.fillStyle = m.colour;
}

function dots(u: uPlot, m: Marks, px: number, width: number): void {
  const { ctx } = u;
  const crowded = m.stored.length * dotSpace > width;
  const r = (crowded ? 1 : 3.2) * px;
  if (crowded) ctx.globalAlpha *= 0.4; // or else they hide the line
  for (const s of m.stored) {
    if (!Number.isFinite(s.v)) continue;
    ctx.beginPath();
    ctx.arc(u.valToPos(s.t / 1000, "x", true), u.valToPos(s.v, "y", true), r, 0, 2 * Math.PI);
    ctx.fill();
  }
}
