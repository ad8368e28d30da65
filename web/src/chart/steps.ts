import type uPlot from "uplot";

/**
 * Draws a series as PromQL means it: a value holds until the next step. A gap
 * breaks the line, and a point alone between gaps is a short dash.
 */
export function stepPath(u: uPlot, seriesIdx: number): uPlot.Series.Paths {
  const xs = u.data[0];
  const ys = u.data[seriesIdx] ?? [];
  const stroke = new Path2D();
  const dash = 3 * devicePixelRatio;
  let open = false;
  let lastY = 0;
  for (let i = 0; i < xs.length; i++) {
    const v = ys[i];
    if (v === null || v === undefined) {
      open = false;
      continue;
    }
    const x = u.valToPos(xs[i] ?? 0, "x", true);
    const y = u.valToPos(v, "y", true);
    if (!open) {
      stroke.moveTo(x - dash / 2, y);
      stroke.lineTo(x + dash / 2, y);
      stroke.moveTo(x, y);
    } else {
      stroke.lineTo(x, lastY);
      if (y !== lastY) stroke.lineTo(x, y);
    }
    open = true;
    lastY = y;
  }
  return { stroke };
}
