import { useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { spanOfLines, valuesOf } from "../chart/align";
import type { ChartProps, Hover, Line } from "../chart/chart";
import { drawBands, drawMarks, type Marks } from "../chart/marks";
import { formatNumber } from "../format/number";
import { clock, formatStep, span } from "../format/time";
import { caption } from "../lens/caption";
import { cumulative } from "../lens/kind";
import { sumLens } from "../lens/lens";
import type { Sample } from "../api/series";
import { duration } from "../promql";
import type { GroupData, SeriesData } from "./data";
import { Distributions } from "./distributions";
import { Figure, type FigureProps } from "./figure";
import { Key } from "./key";
import { Swatch } from "./swatch";

/** The charts: what a metric of its kind says at first, and its samples through the lens. */
export function Figures(p: FigureProps & { children?: ComponentChildren }) {
  const { data, kind } = p;
  const lead = data.distribution !== undefined ? <Distributions {...p} distribution={data.distribution} /> : cumulative(kind) ? <Rate {...p} /> : null;
  return (
    <>
      {lead}
      {data.groups === undefined ? <LensFigure {...p} /> : <Groups {...p} groups={data.groups} />}
      {p.children}
    </>
  );
}

// The stored samples and what was made of them.
function LensFigure(p: FigureProps) {
  const { data, chosen } = p;
  const hover = useSignal<Hover | undefined>(undefined);
  const focus = chosen === "" ? p.shown : p.shown.filter((s) => s.key === chosen);
  const marks = useMemo(() => p.shown.map((s): Marks => ({ colour: s.index, stored: s.stored, drawn: p.storedOnly ? [] : s.drawn, stamps: s.stamps, faded: chosen !== "" && s.key !== chosen })), [p.shown, chosen, p.storedOnly]);
  const lines = useMemo(() => p.shown.map((s): Line => ({ values: p.storedOnly ? new Float64Array(0) : valuesOf(s.drawn, data.grid), colour: s.index, faded: chosen !== "" && s.key !== chosen })), [p.shown, data.grid, chosen, p.storedOnly]);
  const yspan = useMemo(() => spanOfLines(lines, p.shown.flatMap((s) => s.stored.map((x) => x.v))), [lines]);
  const text = caption(sumLens(focus.map((s) => s.lens)), data.grid.step);
  const chart: ChartProps = {
    lines, grid: data.grid, end: data.end, height: 280, span: yspan,
    label: `Values of ${p.name}. ${text}.`,
    under: useMemo(() => (p.storedOnly ? undefined : (u, theme) => drawBands(u, marks, data.grid, theme)), [marks, data.grid]),
    over: useMemo(() => (u, theme) => drawMarks(u, marks, data.grid, theme), [marks, data.grid]),
    onHover: (h) => (hover.value = h),
    onZoom: p.zoom,
  };
  const title = p.kind === "classic" ? "Observations so far" : p.kind === "counter" ? "Stored total" : "Value";
  return (
    <Figure title={title} readout={<Readout hover={hover} of={focus} pick={(s) => s.drawn} note={(s, h) => <Carried s={s} t={h.t} step={data.grid.step} />} />} chart={chart}>
      <p class="caption">{text}</p>
      <Key />
    </Figure>
  );
}

function Rate(p: FigureProps) {
  const { data, chosen } = p;
  const hover = useSignal<Hover | undefined>(undefined);
  const all: readonly (SeriesData | GroupData)[] = data.groups ?? p.shown;
  const focus = chosen === "" ? all : all.filter((s) => s.key === chosen);
  const lines = useMemo(() => all.map((s): Line => ({ values: valuesOf(s.rate, data.grid), colour: s.index, faded: chosen !== "" && s.key !== chosen })), [all, data.grid, chosen]);
  const chart: ChartProps = {
    lines, grid: data.grid, end: data.end, height: 170,
    span: useMemo(() => spanOfLines(lines, [0]), [lines]),
    label: `Rate of ${p.name} per second.`,
    onHover: (h) => (hover.value = h),
    onZoom: p.zoom,
  };
  return (
    <Figure title="Per second" readout={<Readout hover={hover} of={focus} pick={(s) => s.rate} />} chart={chart}>
      <p class="caption">
        <code>rate(…[{duration(data.rateWindow)}])</code>, an average over {formatStep(data.rateWindow)} that is also extrapolated to the window’s edges
      </p>
    </Figure>
  );
}

// Several series as one line: computed, so that there is nothing stored to mark.
function Groups(p: FigureProps & { groups: readonly GroupData[] }) {
  const { data, groups } = p;
  const hover = useSignal<Hover | undefined>(undefined);
  const lines = useMemo(() => groups.map((g): Line => ({ values: valuesOf(g.drawn, data.grid), colour: g.index, faded: false })), [groups, data.grid]);
  const points = groups.reduce((n, g) => n + g.drawn.length, 0);
  const text = `${formatNumber(data.totalSamples)} samples stored in ${formatNumber(data.totalSeries)} series · ${formatNumber(points)} points drawn at step ${formatStep(data.grid.step)}, computed from them`;
  const chart: ChartProps = {
    lines, grid: data.grid, end: data.end, height: 240,
    span: useMemo(() => spanOfLines(lines), [lines]),
    label: `Values of ${p.name} in groups. ${text}.`,
    onHover: (h) => (hover.value = h),
    onZoom: p.zoom,
  };
  return (
    <Figure title={cumulative(p.kind) ? "Stored totals, added up" : "Values"} readout={<Readout hover={hover} of={groups} pick={(g) => g.drawn} />} chart={chart}>
      <p class="caption">{text}</p>
    </Figure>
  );
}

// What stands under the pointer: the nearest line first, no more than fit.
function Readout<T extends { key: string; index: number }>({ hover, of, pick, note }: { hover: Signal<Hover | undefined>; of: readonly T[]; pick: (s: T) => readonly Sample[]; note?: (s: T, h: Hover) => ComponentChildren }) {
  const h = hover.value;
  if (h === undefined) return <p class="readout" aria-live="polite" />;
  const at = of.flatMap((s) => {
    const v = pick(s).find((x) => x.t === h.t)?.v;
    return v === undefined ? [] : [{ s, v }];
  });
  at.sort((a, b) => Math.abs(a.v - h.v) - Math.abs(b.v - h.v));
  return (
    <p class="readout" aria-live="polite">
      <time>{clock(h.t)}</time>
      {at.length === 0 && <span class="dim">nothing drawn</span>}
      {at.slice(0, 3).map(({ s, v }) => (
        <span key={s.key}>
          <Swatch index={s.index} /> <b>{formatNumber(v)}</b>
          {note?.(s, h)}
        </span>
      ))}
      {at.length > 3 && <span class="dim">+{at.length - 3}</span>}
    </p>
  );
}

function Carried({ s, t, step }: { s: SeriesData; t: number; step: number }) {
  const stamp = s.stamps.find((x) => x.t === t);
  if (stamp === undefined) return null;
  return <span class="dim"> {stamp.sample > t - step ? `fresh, stored at ${clock(stamp.sample)}` : `carried, ${span(t - stamp.sample)} old`}</span>;
}
