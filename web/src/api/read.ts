// Answers come as anything; these read what is expected of them and have a
// harmless value for what is not there.

/** An object, or an empty one. */
export function record(v: unknown): Readonly<Record<string, unknown>> {
  return typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Record<string, unknown>) : {};
}

/** A list, or an empty one. */
export function list(v: unknown): readonly unknown[] {
  return Array.isArray(v) ? (v as unknown[]) : [];
}

/** A string, or "". */
export function text(v: unknown): string {
  return typeof v === "string" ? v : "";
}

/** A number, or 0. */
export function number(v: unknown): number {
  return typeof v === "number" ? v : 0;
}

/** A time in RFC 3339, as ms; undefined if it is none. */
export function time(v: unknown): number | undefined {
  const t = typeof v === "string" ? Date.parse(v) : NaN;
  return Number.isFinite(t) && t > 0 ? t : undefined;
}
