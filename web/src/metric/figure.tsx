import type { ComponentChildren } from "preact";
import { Chart, type ChartProps } from "../chart/chart";
import type { Kind } from "../lens/kind";
import type { MetricData, SeriesData } from "./data";

/** What the figures have in common. */
export interface FigureProps {
  name: string;
  kind: Kind;
  data: MetricData;
  /** The series that are neither hidden nor left out. */
  shown: readonly SeriesData[];
  chosen: string;
  storedOnly: boolean;
  zoom: (from: number, to: number) => void;
}

/** A chart with its title, what is under the pointer, and a caption. */
export function Figure(p: { title: ComponentChildren; readout: ComponentChildren; chart: ChartProps; children: ComponentChildren }) {
  return (
    <figure class="figure-box">
      <div class="figure-head">
        <h2>{p.title}</h2>
        {p.readout}
      </div>
      <Chart {...p.chart} />
      <figcaption>{p.children}</figcaption>
    </figure>
  );
}
