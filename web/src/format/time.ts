import { zone } from "../prefs";

/** How long ago, for reading: "4 s ago". A time to come is "in 4 s". */
export function formatAge(t: number, now: number): string {
  const d = now - t;
  if (Math.abs(d) < 1000) return "now";
  const s = span(Math.abs(d));
  return d < 0 ? "in " + s : s + " ago";
}

/** A length of time in its largest unit: "4 s", "3 min", "2 h", "5 d". */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** A step or a lookback in words: 15000 is "15 s", 300000 is "5 min". */
export function formatStep(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000} d`;
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** The exact time in UTC: "2026-11-22 03:54:22.123". */
export function utc(t: number): string {
  return valid(t) ? new Date(t).toISOString().replace("T", " ").replace("Z", "") : String(t);
}

/** The exact time where the reader is, with the offset: "2026-11-22 04:54:22.123 +01:00". */
export function local(t: number): string {
  if (!valid(t)) return String(t);
  const off = -new Date(t).getTimezoneOffset();
  const a = Math.abs(off);
  return `${utc(t + off * 60_000)} ${off < 0 ? "−" : "+"}${two(Math.floor(a / 60))}:${two(a % 60)}`;
}

/** The exact time in the chosen zone: "2026-11-22 04:54:22.123 +01:00", or with "UTC". */
export function stamp(t: number): string {
  return zone.value === "utc" ? `${utc(t)} UTC` : local(t);
}

/** The time of day in the chosen zone: "04:54:22". */
export function clock(t: number, seconds = true): string {
  return stamp(t).slice(11, seconds ? 19 : 16);
}

/** The day in the chosen zone: "22 Nov". */
export function day(t: number): string {
  const s = stamp(t);
  return `${Number(s.slice(8, 10))} ${months[Number(s.slice(5, 7)) - 1] ?? ""}`;
}

/** A moment for a caption: "04:54:22", with the day before it if that is not today. */
export function moment(t: number, now: number): string {
  return day(t) === day(now) ? clock(t) : `${day(t)} ${clock(t)}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(n: number): string {
  return String(n).padStart(2, "0");
}

function valid(t: number): boolean {
  return Math.abs(t) <= 8.64e15 - 86_400_000;
}
