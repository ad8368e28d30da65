import { describe, expect, test } from "vitest";
import { money, monthly } from "../src/format/money";
import { count, exactNumber, formatDelta, formatNumber, formatShort, inUnit } from "../src/format/number";
import { shownText } from "../src/format/text";
import { formatAge, formatStep, local, utc } from "../src/format/time";

describe("numbers", () => {
  test.each([
    [0, "0"],
    [-3, "−3"],
    [1234567, "1,234,567"],
    [900719925474099, "900,719,925,474,099"],
    [1e15, "1e15"],
    [1.5e21, "1.5e21"],
    [0.1234567, "0.123457"],
    [12345.678, "12,345.68"],
    [0.00001234, "1.234e−5"],
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "−Inf"],
  ])("formatNumber(%d) is %s", (v, want) => expect(formatNumber(v)).toBe(want));

  test("short ones have four digits", () => expect([553.0224, 0.00526879, 2070, 12345.678, NaN].map(formatShort)).toEqual(["553", "0.005269", "2,070", "12,345.68", "NaN"]));
  test("money", () => {
    const p = { samples: 0.09, queried: 0, currency: "USD" };
    expect(monthly(1e6, p)).toBeCloseTo(2.7);
    expect([0, 0.004, 2.7, 1234.4].map((v) => money(v, "USD"))).toEqual(["$0", "< $0.01", "$2.70", "$1,234"]);
    expect(money(2, "CHF")).toBe("2.00 CHF");
  });
  test("exact numbers keep every digit", () => expect(exactNumber(0.1 + 0.2)).toBe("0.30000000000000004"));
  test("differences have a sign", () => expect([formatDelta(2), formatDelta(0), formatDelta(-2)]).toEqual(["+2", "0", "−2"]));
  test("nouns agree", () => expect([count(1, "sample"), count(3, "sample"), count(2, "series", "series")]).toEqual(["1 sample", "3 samples", "2 series"]));

  test.each([
    ["heap_bytes", 45_000_000, "42.9 MiB"],
    ["sent_bytes_total", 2048, "2.00 KiB"],
    ["heap_bytes", 12, undefined],
    ["backup_last_success_time_seconds", 1_795_320_000, "2026-11-22 04:00:00 UTC"],
    ["wait_seconds", 1_795_320_000, undefined],
    ["heap_bytes", NaN, undefined],
  ])("%s of %d means %s", (name, v, want) => expect(inUnit(name, v)).toBe(want));
});

describe("texts from outside", () => {
  test.each([
    ["plain äöü 漢字 🦊", "plain äöü 漢字 🦊"],
    ["a\tb\nc\u0000", "a␉b␊c␀"],
    ["\u202eevil", "‹U+202E›evil"],
    ["zero\u200bwidth \u2066x\u2069", "zero‹U+200B›width ‹U+2066›x‹U+2069›"],
    ["\ud800", "‹U+D800›"],
  ])("%j", (s, want) => expect(shownText(s)).toBe(want));
});

describe("times", () => {
  const t = 1_795_320_000_123;
  test.each([
    [0, "now"],
    [4200, "4 s ago"],
    [59_999, "59 s ago"],
    [60_000, "1 min ago"],
    [7_200_000, "2 h ago"],
    [172_800_000, "2 d ago"],
    [-5000, "in 5 s"],
  ])("%d ms is %s", (ms, want) => expect(formatAge(t - ms, t)).toBe(want));

  test.each([
    [15_000, "15 s"],
    [300_000, "5 min"],
    [3_600_000, "1 h"],
    [604_800_000, "7 d"],
    [1500, "1500 ms"],
  ])("a step of %d ms is %s", (ms, want) => expect(formatStep(ms)).toBe(want));

  test("exact times have milliseconds", () => expect(utc(t)).toBe("2026-11-22 04:00:00.123"));
  test("local times have the offset, and show the same moment", () => {
    const m = /^(.{10}) (.{12}) ([+−])(\d\d):(\d\d)$/.exec(local(t));
    const iso = `${m?.[1] ?? ""}T${m?.[2] ?? ""}${m?.[3] === "−" ? "-" : "+"}${m?.[4] ?? ""}:${m?.[5] ?? ""}`;
    expect(Date.parse(iso)).toBe(t);
  });
  test("a time beyond the calendar does not throw", () => expect([utc(1e17), local(1e17)]).toEqual(["100000000000000000", "100000000000000000"]));
});
