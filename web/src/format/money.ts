import { formatNumber } from "./number";

/** What taking in samples costs. */
export interface Price {
  /** For a million samples. */
  samples: number;
  /** For a billion samples that queries read; 0 if reading is free. */
  queried: number;
  currency: string;
}

/** A month has so many days here. */
export const monthDays = 30;

/** What samples a day cost a month. */
export function monthly(samplesDay: number, p: Price): number {
  return (samplesDay * monthDays * p.samples) / 1e6;
}

/** A sum of money for reading: "$12.40", "$1,240", and small ones as what they are less than. */
export function money(v: number, currency: string): string {
  const sign = signs.get(currency);
  const put = (s: string) => (sign === undefined ? `${s} ${currency}` : sign + s);
  if (v === 0) return put("0");
  if (v < 0.01) return "< " + put("0.01");
  return put(v < 100 ? v.toFixed(2) : formatNumber(Math.round(v)));
}

const signs: ReadonlyMap<string, string> = new Map([
  ["USD", "$"],
  ["EUR", "€"],
  ["GBP", "£"],
]);
