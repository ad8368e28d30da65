import { signal } from "@preact/signals";
import { isAbort, messageOf } from "../api/client";
import { readModules, readTargets, type Target } from "../api/probes";
import { instant } from "../api/prom";
import type { Series } from "../api/series";
import { present } from "../clock";
import { pollEvery, server } from "../api/server";
import { matrixOf, type Row } from "./matrix";

/** How far back runs are looked at one by one; uptimes are asked for less often. */
const recent = "2h";
const uptimeAge = 300_000;
export const uptimes = ["1d", "7d", "30d"] as const;

/** The data behind the probes: it keeps itself fresh from start to stop. */
export class ProbesModel {
  readonly rows = signal<readonly Row[] | undefined>(undefined);
  readonly error = signal<string | undefined>(undefined);
  readonly targets = signal<readonly Target[]>([]);
  readonly modules = signal<readonly string[]>([]);
  #uptime: { window: string; series: Series[] }[] = [];
  #uptimeAt = 0;
  readonly #abort = new AbortController();
  #timer: number | undefined;

  /** Loads, and loads again as time goes by. */
  start(): void {
    void this.#about();
    void this.#poll();
  }

  /** Ends all that is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  /** Loads at once. */
  refresh(): void {
    clearTimeout(this.#timer);
    void this.#poll();
  }

  // Only narthex itself knows targets that have not run yet.
  async #about(): Promise<void> {
    try {
      const stop = this.#abort.signal;
      [this.targets.value, this.modules.value] = await Promise.all([readTargets(stop), readModules(stop)]);
    } catch {
      // A bare Prometheus, or one may not probe: then there is only what is stored.
    }
  }

  async #poll(): Promise<void> {
    const stop = this.#abort.signal;
    if (!document.hidden) {
      try {
        const at = present();
        const ask = (q: string) => instant(q, at, stop);
        const [runs, seen, why, took, ends] = await Promise.all([
          ask(`probe_success[${recent}]`),
          ask("last_over_time(probe_success[1d])"),
          ask(`probe_failure_info[${recent}]`),
          ask(`last_over_time(probe_duration_seconds[${recent}])`),
          ask("last_over_time(probe_ssl_earliest_cert_expiry[1d])"),
        ]);
        if (Date.now() - this.#uptimeAt > uptimeAge && seen.length > 0) {
          this.#uptime = await Promise.all(uptimes.map(async (window) => ({ window, series: await ask(`avg_over_time(probe_success[${window}])`) })));
          this.#uptimeAt = Date.now();
        }
        this.rows.value = matrixOf({ runs, seen, why, took, ends, uptime: this.#uptime, configured: this.targets.peek(), now: at });
        this.error.value = undefined;
      } catch (e) {
        if (isAbort(e)) return;
        this.error.value = messageOf(e);
      }
    }
    if (!stop.aborted) this.#timer = window.setTimeout(() => void this.#poll(), pollEvery());
  }

  /** Whether one can ask this server to probe. */
  get canRun(): boolean {
    return server.value.has.probes || this.modules.value.length > 0;
  }
}
