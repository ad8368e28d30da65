/** Checks and sorts a histogram's upper bounds, +Inf left out. */
export function checkBounds(name: string, bounds: readonly number[]): number[] {
  const out = [...bounds].filter((b) => b !== Infinity);
  if (out.length === 0 || out.length > 500) {
    throw new TypeError(`histogram ${name}: want 1 to 500 bounds, got ${out.length}`);
  }
  for (const [i, b] of out.entries()) {
    if (!Number.isFinite(b) || (i > 0 && b <= out[i - 1]!)) {
      throw new TypeError(`histogram ${name}: bounds must be numbers that rise, got ${bounds.join(', ')}`);
    }
  }
  return out;
}

/** A bound as the label le has it, written as Prometheus 3 and narthex write it: 0.5, 1.0, 1e+06. */
export function formatBound(v: number): string {
  if (v === 0) return '0.0';
  if (v === Infinity) return '+Inf';
  const [digits, exponent] = v.toExponential().split('e') as [string, string];
  const e = Number(exponent);
  if (e >= -4 && e < 6) {
    const text = String(v);
    return text.includes('.') ? text : text + '.0';
  }
  return `${digits}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}
