import type uPlot from "uplot";

/** Builds what is drawn of a series: see uPlot's paths. */
export type PathBuilder = (u: uPlot, seriesIdx: number) => uPlot.Series.Paths;

// Where the points of a series are on the canvas. The steps are even, so that
// no point has to be looked up.
function places(u: uPlot) {
  const xs = u.data[0];
  const n = xs.length;
  const x0 = u.valToPos(xs[0] ?? 0, "x", true);
  const dx = n > 1 ? (u.valToPos(xs[n - 1] ?? 0, "x", true) - x0) / (n - 1) : 0;
  const a = u.valToPos(0, "y", true);
  const b = u.valToPos(1, "y", true);
  return { n, x0, dx, y: (v: number) => a + v * (b - a) };
}

/**
 * Draws a series as PromQL means it: a value holds until the next step. A gap
 * breaks the line, and a point alone between gaps is a short dash. Where many
 * points fall on one column of pixels only their extremes are drawn.
 */
export const stepPath: PathBuilder = (u, seriesIdx) => {
  const ys = u.data[seriesIdx] ?? [];
  const { n, x0, dx, y } = places(u);
  const stroke = new Path2D();
  const dash = 3 * devicePixelRatio;
  const crowd = dx > 0 && dx < 0.5 ? Math.ceil(1 / dx) : 1;
  let open = false;
  let last = 0;
  for (let i = 0; i < n; i += crowd) {
    let lo = Infinity;
    let hi = -Infinity;
    let v: number | null | undefined;
    for (let j = i; j < i + crowd && j < n; j++) {
      const w = ys[j];
      if (w === null || w === undefined || w !== w) continue;
      v = w;
      if (w < lo) lo = w;
      if (w > hi) hi = w;
    }
    if (v === null || v === undefined) {
      open = false;
      continue;
    }
    const x = x0 + i * dx;
    const py = y(v);
    if (!open) {
      stroke.moveTo(x - dash / 2, py);
      stroke.lineTo(x + dash / 2, py);
      stroke.moveTo(x, py);
    } else {
      stroke.lineTo(x, last);
    }
    if (hi > lo) {
      stroke.lineTo(x, y(lo));
      stroke.lineTo(x, y(hi));
    }
    if (py !== last || hi > lo) stroke.lineTo(x, py);
    open = true;
    last = py;
  }
  return { stroke };
};

/** Draws a series as bars from zero, each as wide as a step and ending at it. */
export const barPath: PathBuilder = (u, seriesIdx) => {
  const ys = u.data[seriesIdx] ?? [];
  const { n, x0, dx, y } = places(u);
  const fill = new Path2D();
  const w = Math.max(1, dx - (dx > 4 ? 1 : 0));
  const floor = y(0);
  for (let i = 0; i < n; i++) {
    const v = ys[i];
    if (v === null || v === undefined || v !== v || v === 0) continue;
    const top = y(v);
    fill.rect(x0 + i * dx - w, Math.min(top, floor), w, Math.abs(floor - top));
  }
  return { fill, stroke: null };
};
