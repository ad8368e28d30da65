import { labelNames, labelValues, metadata, metricNames, type Meta } from "../api/prom";
import { present } from "../clock";
import { describe } from "../lens/kind";
import { dayMs } from "../metrics/queries";
import { nameSelector } from "../promql";
import type { Names } from "./complete";

const fresh = 60_000;

/** Names and values of the last day, asked for when they are needed and kept for a minute. */
export class LiveNames implements Names {
  readonly #kept = new Map<string, { at: number; got: Promise<readonly string[]> }>();
  #meta: Promise<ReadonlyMap<string, Meta>> | undefined;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async metrics(): Promise<readonly { name: string; type: string; help: string }[]> {
    const [names, meta] = await Promise.all([this.#ask("", () => metricNames(present() - dayMs, this.#signal)), this.meta()]);
    return names.map((name) => ({ name, ...describe(name, meta) }));
  }

  labels(metric: string): Promise<readonly string[]> {
    return this.#ask(`l ${metric}`, async () => (await labelNames(present() - dayMs, this.#signal, metric === "" ? undefined : nameSelector(metric))).filter((n) => n !== "__name__"));
  }

  values(label: string, metric: string): Promise<readonly string[]> {
    return this.#ask(`v ${label} ${metric}`, () => labelValues(label, metric === "" ? undefined : nameSelector(metric), present() - dayMs, this.#signal));
  }

  /** Types and helps; empty where a backend does not tell. */
  meta(): Promise<ReadonlyMap<string, Meta>> {
    return (this.#meta ??= metadata(undefined, this.#signal).catch(() => new Map<string, Meta>()));
  }

  #ask(key: string, ask: () => Promise<string[]>): Promise<readonly string[]> {
    const old = this.#kept.get(key);
    if (old !== undefined && Date.now() - old.at < fresh) return old.got;
    const got = ask();
    this.#kept.set(key, { at: Date.now(), got });
    got.catch(() => this.#kept.delete(key));
    return got;
  }
}
