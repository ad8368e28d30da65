/** Colours of the chart, from the style sheet: a canvas can't read variables itself. */
export interface Theme {
  ink: string;
  faint: string;
  grid: string;
  paper: string;
  font: string;
  series: readonly string[];
}

/** How many colours there are for series; the ninth has the first again. */
export const hues = 8;

/** Reads the colours that hold now, light or dark. */
export function readTheme(): Theme {
  const css = getComputedStyle(document.documentElement);
  const v = (name: string) => css.getPropertyValue(name).trim();
  return {
    ink: v("--ink"),
    faint: v("--ink-2"),
    grid: v("--line"),
    paper: v("--paper"),
    font: `11px ${v("--sans")}`,
    series: Array.from({ length: hues }, (_, i) => v(`--s${i}`)),
  };
}
