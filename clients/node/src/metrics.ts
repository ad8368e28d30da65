import {checkBounds} from './bounds.js';
import type {NarthexError} from './errors.js';
import {NarthexError as Problem} from './errors.js';
import type {Buckets, Labels, Pending} from './pending.js';

export interface MetricOptions {
  /** What it is, for those who read the code: the push API has no place for it yet. */
  help?: string;
  /** Its unit, likewise; by convention the name ends with it. */
  unit?: string;
  /** Labels for each of its series. */
  labels?: Labels;
}

export interface HistogramOptions extends MetricOptions {
  /**
   * A layout by its name: `default`, `api_latency`, `native`, or one of narthex's configuration. Then each
   * observation is sent. Or upper bounds: then they are counted here, and only counts are sent. Bounds must
   * stay the same in all programs that push the metric. Default: `default`.
   */
  buckets?: Buckets;
}

/** Where metrics record; the client. */
export interface Recorder {
  /** Calls f with what is pending, and sends that if it has become much. f returns what is wrong, or "". */
  record(name: string, f: (p: Pending) => string): void;
}

const tooLarge = 'the sum is too large for a 64-bit floating-point number';

/** A number that only goes up, in all programs that push it together. */
export class Counter {
  constructor(
    private readonly recorder: Recorder,
    readonly name: string,
    private readonly options: MetricOptions,
  ) {}

  /** Adds n, 1 if absent. It never throws: what is not a number from 0 on is reported to onError. */
  inc(n: number = 1, labels?: Labels): void {
    this.recorder.record(this.name, (p) => {
      if (!Number.isFinite(n) || n < 0) return `the increment ${said(n)} is not a number from 0 on`;
      return p.add(this.name, merged(this.options.labels, labels), n) ? '' : tooLarge;
    });
  }
}

/** A number that is set. The last one by its time wins, whoever set it. */
export class Gauge {
  constructor(
    private readonly recorder: Recorder,
    readonly name: string,
    private readonly options: MetricOptions,
  ) {}

  /** Sets the value. It never throws. */
  set(v: number, labels?: Labels): void {
    this.recorder.record(this.name, (p) => {
      if (!Number.isFinite(v)) return `the value ${said(v)} is not a finite number`;
      p.set(this.name, merged(this.options.labels, labels), v);
      return '';
    });
  }
}

/** How often values of which size were observed, in all programs together. */
export class Histogram {
  private readonly layout: string;
  private readonly bounds: readonly number[] | undefined;

  constructor(
    private readonly recorder: Recorder,
    readonly name: string,
    private readonly options: HistogramOptions,
  ) {
    const {buckets = 'default'} = options;
    this.bounds = typeof buckets === 'string' ? undefined : checkBounds(name, buckets);
    this.layout = typeof buckets === 'string' ? buckets : '';
  }

  /** Observes a value. It never throws. */
  observe(v: number, labels?: Labels): void {
    this.recorder.record(this.name, (p) => {
      const all = merged(this.options.labels, labels);
      if (!Number.isFinite(v)) return `the observation ${said(v)} is not a finite number`;
      if (!this.bounds) return p.observe(this.name, all, this.layout, v) ? '' : tooLarge;
      if (v < 0) return `the observation ${v} is below zero, which bounds can't count: use buckets by name`;
      return p.count(this.name, all, this.bounds, v) ? '' : tooLarge;
    });
  }

  /** Starts a clock. What it returns observes the seconds since then, and returns them. */
  startTimer(labels?: Labels): (more?: Labels) => number {
    const start = performance.now();
    return (more) => {
      const seconds = (performance.now() - start) / 1000;
      this.observe(seconds, merged(labels, more));
      return seconds;
    };
  }

  /** Calls f, waits for its promise if it returns one, and observes how many seconds that took, also if it fails. */
  time<T>(f: () => T, labels?: Labels): T {
    const end = this.startTimer(labels);
    let result: T;
    try {
      result = f();
    } catch (err) {
      end();
      throw err;
    }
    if (result instanceof Promise) {
      return result.finally(() => end()) as T;
    }
    end();
    return result;
  }
}

/** A value as a message tells it; one that is no number may be long, or secret. */
function said(v: unknown): string {
  return typeof v === 'number' ? String(v) : `(a ${typeof v})`;
}

/** An error for a value that can't be recorded. */
export function invalid(name: string, message: string): NarthexError {
  return new Problem('invalid', `${name}: ${message}`, {lost: 1});
}

function merged(a: Labels | undefined, b: Labels | undefined): Labels | undefined {
  return a && b ? {...a, ...b} : (a ?? b);
}
