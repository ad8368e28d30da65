/** Colours of the chart, from the style sheet: a canvas can't read variables itself. */
export interface Theme {
  ink: string;
  faint: string;
  grid: string;
  paper: string;
  bad: string;
  font: string;
  series: readonly string[];
  /** From least to most, for heatmaps. */
  heat: readonly string[];
}

/** How many colours there are for series; the ninth has the first again. */
export const hues = 8;
const heats = 5;

/** Reads the colours that hold now, light or dark. */
export function readTheme(): Theme {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const css = getComputedStyle(probe);
  const v = (name: string) => {
    probe.style.color = `var(${name})`;
    return css.color;
  };
  const theme = {
    ink: v("--ink"),
    faint: v("--ink-2"),
    grid: v("--line"),
    paper: v("--paper"),
    bad: v("--bad"),
    font: `11px ${css.getPropertyValue("--sans").trim()}`,
    series: Array.from({ length: hues }, (_, i) => v(`--s${i}`)),
    heat: Array.from({ length: heats }, (_, i) => v(`--h${i}`)),
  };
  probe.remove();
  return theme;
}
