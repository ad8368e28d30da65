import { hues } from "../chart/theme";

/** A series' colour, as in the chart. */
export function Swatch({ index }: { index: number }) {
  return <i class={`swatch swatch-${index % hues}`} aria-hidden="true" />;
}
