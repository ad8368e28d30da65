import { count, formatNumber } from "../format/number";
import { formatStep } from "../format/time";
import { lookback, type Lens } from "./lens";

/** The sentence under every chart: what is stored, and what was made of it. */
export function caption(l: Lens, step: number): string {
  const parts = [
    `${count(l.stored, "sample")} stored`,
    `${count(l.drawn, "point")} drawn at step ${formatStep(step)}`,
  ];
  if (l.drawn > 0) parts.push(`${formatNumber(l.carried)} carried by the ${formatStep(lookback.value)} lookback`);
  if (l.hidden > 0) parts.push(`${formatNumber(l.hidden)} hidden: no step fell on ${l.hidden === 1 ? "it" : "them"}`);
  if (l.waiting > 0) parts.push(`${formatNumber(l.waiting)} after the last step`);
  return parts.join(" · ");
}
