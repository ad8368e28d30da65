const plain = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 6 });
const brief = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 4 });
const fixed = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** A value for reading: whole numbers in full, others to six digits. */
export function formatNumber(v: number): string {
  const odd = special(v);
  if (odd !== undefined) return odd;
  const a = Math.abs(v);
  if (a >= 1e15 || (a < 1e-4 && a > 0)) return minus(v.toExponential(4).replace(/\.?0+e/, "e").replace("e+", "e"));
  if (Number.isInteger(v)) return minus(whole.format(v));
  return minus(a >= 1e4 ? fixed.format(v) : plain.format(v));
}

/** A value where room is short, or digits would feign precision: four of them, whole numbers in full. */
export function formatShort(v: number): string {
  const a = Math.abs(v);
  return Number.isInteger(v) || a < 1e-4 || a >= 1e4 || special(v) !== undefined ? formatNumber(v) : minus(brief.format(v));
}

/** A value with every digit that is stored. */
export function exactNumber(v: number): string {
  return special(v) ?? minus(String(v));
}

/** A difference, with its sign. */
export function formatDelta(v: number): string {
  return v > 0 ? "+" + formatNumber(v) : formatNumber(v);
}

/** A count with its noun: "1 sample", "3 samples". */
export function count(n: number, one: string, many = one + "s"): string {
  return `${formatNumber(n)} ${n === 1 ? one : many}`;
}

/** What the value means in the unit that the metric's name ends with, if that says more. */
export function inUnit(name: string, v: number): string | undefined {
  if (!Number.isFinite(v)) return undefined;
  const base = name.replace(/_(total|sum)$/, "");
  if (base.endsWith("_bytes")) return bytes(v);
  if (/_(time|timestamp)_seconds$/.test(base) && v > 1e9 && v < 4e9) return new Date(v * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC";
  return undefined;
}

/** A number of bytes for reading. */
export function bytesOf(v: number): string {
  return bytes(v) ?? `${formatNumber(v)} B`;
}

function bytes(v: number): string | undefined {
  const prefixes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  while (Math.abs(v) >= 1024 && i < prefixes.length - 1) {
    v /= 1024;
    i++;
  }
  return i === 0 ? undefined : `${minus(v.toPrecision(3))} ${prefixes[i] ?? ""}`;
}

function special(v: number): string | undefined {
  if (Number.isNaN(v)) return "NaN";
  if (v === Infinity) return "+Inf";
  return v === -Infinity ? "−Inf" : undefined;
}

function minus(s: string): string {
  return s.replace("-", "−");
}
