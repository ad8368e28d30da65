const width = 96;
const height = 22;

/**
 * A chart of one line's height: bars for what was added in each step, a line
 * for a value. It is decoration; the columns beside it have the numbers.
 */
export function Spark({ values, bars }: { values: readonly (number | undefined)[]; bars: boolean }) {
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden="true">
      <path class="spark-floor" d={`M0 ${height - 0.5}h${width}`} />
      {bars ? <path class="spark-bars" d={barPath(values)} /> : <path class="spark-line" d={linePath(values)} />}
    </svg>
  );
}

/** The bars' outline; a step in which nothing was added is a hairline. */
export function barPath(values: readonly (number | undefined)[]): string {
  const max = values.reduce<number>((m, v) => (v !== undefined && Number.isFinite(v) && v > m ? v : m), 0);
  const w = width / Math.max(1, values.length);
  let d = "";
  for (const [i, v] of values.entries()) {
    if (v === undefined || !Number.isFinite(v)) continue;
    const h = max === 0 || v <= 0 ? 1 : Math.max(1.5, (v / max) * height);
    d += `M${round(i * w)} ${height}v${round(-h)}h${round(Math.max(1, w - 0.8))}v${round(h)}z`;
  }
  return d;
}

/** The line; values without neighbours are a short dash. */
export function linePath(values: readonly (number | undefined)[]): string {
  const known = values.filter((v): v is number => v !== undefined && Number.isFinite(v));
  const min = Math.min(...known);
  const span = Math.max(...known) - min;
  const w = width / Math.max(1, values.length);
  let d = "";
  let open = false;
  for (const [i, v] of values.entries()) {
    if (v === undefined || !Number.isFinite(v)) {
      open = false;
      continue;
    }
    const y = round(span === 0 ? height / 2 : height - 2 - ((v - min) / span) * (height - 4));
    d += open ? `L${round(i * w)} ${y}H${round((i + 1) * w)}` : `M${round(i * w)} ${y}H${round((i + 1) * w)}`;
    open = true;
  }
  return d;
}

function round(v: number): number {
  return Math.round(v * 10) / 10;
}
