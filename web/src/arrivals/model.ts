import { signal } from "@preact/signals";
import { readArrivals, readCosts, readDestinations, readLedger, readLimits, readLogs, type Arrival, type Destination, type DestinationCost, type Ledger, type LogReceipt, type Suspect, type Usage } from "../api/arrivals";
import { isAbort, messageOf } from "../api/client";

const often = 3000;
const seldom = 15_000;
const most = 200;

/** What is loaded of one kind: the value, or why there is none. */
export interface Loaded<T> {
  value?: T;
  error?: string;
}

/** The data behind the screen of arrivals: it keeps itself fresh from start to stop. */
export class ArrivalsModel {
  readonly arrivals = signal<Loaded<{ arrivals: Arrival[]; all: boolean }>>({});
  readonly logs = signal<Loaded<LogReceipt[]>>({});
  readonly ledger = signal<Loaded<Ledger>>({});
  readonly destinations = signal<Loaded<Destination[]>>({});
  readonly costs = signal<Loaded<DestinationCost[]>>({});
  readonly limits = signal<Loaded<{ usages: Usage[]; suspects: Suspect[] }>>({});
  readonly live = signal(true);
  readonly #abort = new AbortController();
  #timer: number | undefined;
  #seldom = 0;

  /** Loads, and loads again as time goes by. */
  start(): void {
    void this.#poll();
  }

  /** Ends all that is under way. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  /** Loads all at once. */
  refresh(): void {
    clearTimeout(this.#timer);
    this.#seldom = 0;
    void this.#poll();
  }

  async #poll(): Promise<void> {
    if (!document.hidden && (this.live.peek() || this.#seldom === 0)) {
      const stop = this.#abort.signal;
      const jobs = [load(this.arrivals, () => readArrivals(most, stop)), load(this.ledger, () => readLedger(stop)), load(this.destinations, () => readDestinations(stop))];
      if (Date.now() - this.#seldom > seldom) {
        this.#seldom = Date.now();
        jobs.push(load(this.logs, () => readLogs(stop)), load(this.costs, () => readCosts(stop)), load(this.limits, () => readLimits(stop)));
      }
      await Promise.all(jobs);
    }
    if (!this.#abort.signal.aborted) this.#timer = window.setTimeout(() => void this.#poll(), often);
  }
}

async function load<T>(into: { value: Loaded<T>; peek: () => Loaded<T> }, ask: () => Promise<T>): Promise<void> {
  try {
    into.value = { value: await ask() };
  } catch (e) {
    if (!isAbort(e)) into.value = { ...into.peek(), error: messageOf(e) };
  }
}
