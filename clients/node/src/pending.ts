import {formatBound} from './bounds.js';

/** Labels of a series. What is undefined, null or empty is left out. */
export type Labels = Record<string, string | number | boolean | null | undefined>;

/** Buckets: a layout that narthex knows by name, or upper bounds. */
export type Buckets = 'default' | 'api_latency' | 'native' | (string & {}) | readonly number[];

interface Series {
  name: string;
  labels: Record<string, string>;
}
interface Counter extends Series {
  kind: 'counter';
  add: number;
}
interface Gauge extends Series {
  kind: 'gauge';
  set: number;
  timestamp: number;
}
interface Observed extends Series {
  kind: 'observed';
  buckets: string;
  values: number[];
}
interface Bucketed extends Series {
  kind: 'bucketed';
  bounds: readonly number[];
  /** For each bound how many observations are at most that and above the one before; the last is +Inf's. */
  counts: number[];
  sum: number;
}
type Entry = Counter | Gauge | Observed | Bucketed;

/**
 * What was recorded since the last cut: increments of one series are one sum, a gauge is its last value,
 * observations are a list, or counts if the bounds are known here. A method that records returns false if
 * the sum got too large for a number; nothing is recorded then.
 */
export class Pending {
  /** How many numbers there are to be sent. */
  size = 0;
  /** How many characters their series have. */
  length = 0;
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly common: Labels) {}

  add(name: string, labels: Labels | undefined, n: number): boolean {
    const e = this.entry(name, labels, 'counter', 1, (s) => ({...s, kind: 'counter', add: 0}));
    if (e.kind !== 'counter' || !Number.isFinite(e.add + n)) return false;
    e.add += n;
    return true;
  }

  set(name: string, labels: Labels | undefined, v: number): void {
    const make = (s: Series): Gauge => ({...s, kind: 'gauge', set: v, timestamp: 0});
    const e = this.entry(name, labels, 'gauge', 1, make);
    if (e.kind !== 'gauge') return;
    e.set = v;
    e.timestamp = Date.now();
  }

  observe(name: string, labels: Labels | undefined, buckets: string, v: number): boolean {
    const make = (s: Series): Observed => ({...s, kind: 'observed', buckets, values: []});
    const e = this.entry(name, labels, 'observed', 0, make);
    if (e.kind !== 'observed') return false;
    e.values.push(v);
    this.size++;
    return true;
  }

  count(name: string, labels: Labels | undefined, bounds: readonly number[], v: number): boolean {
    const make = (s: Series): Bucketed => {
      return {...s, kind: 'bucketed', bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0};
    };
    const e = this.entry(name, labels, 'bucketed', bounds.length + 3, make);
    if (e.kind !== 'bucketed' || !Number.isFinite(e.sum + v)) return false;
    let i = bounds.findIndex((b) => v <= b);
    if (i < 0) i = bounds.length;
    e.counts[i]!++;
    e.sum += v;
    return true;
  }

  /** Returns the body of a push with all of it and how many entries that has, and begins anew. */
  cut(): {body: string; entries: number} {
    const counters: object[] = [];
    const gauges: object[] = [];
    const histograms: object[] = [];
    for (const e of this.entries.values()) {
      const {name, labels} = e;
      if (e.kind === 'counter') counters.push({name, labels, add: e.add});
      else if (e.kind === 'gauge') gauges.push({name, labels, set: e.set, timestamp: e.timestamp});
      else if (e.kind === 'observed') {
        histograms.push({name, labels, observe: e.values, buckets: e.buckets});
      } else counters.push(...countersOf(e));
    }
    this.entries.clear();
    this.size = this.length = 0;
    const body: Record<string, object[]> = {};
    for (const [key, list] of Object.entries({counters, gauges, histograms})) {
      if (list.length > 0) body[key] = list;
    }
    return {body: JSON.stringify(body), entries: counters.length + gauges.length + histograms.length};
  }

  private entry(
    name: string,
    labels: Labels | undefined,
    kind: Entry['kind'],
    size: number,
    make: (s: Series) => Entry,
  ): Entry {
    const own = textLabels(this.common, labels);
    const key = kind + JSON.stringify([name, own]);
    let e = this.entries.get(key);
    if (!e) {
      if (key.length > longestSeries) {
        throw new RangeError(`its labels have ${key.length} characters, more than ${longestSeries}`);
      }
      this.length += key.length;
      e = make({name, labels: own});
      this.entries.set(key, e);
      this.size += size;
    }
    return e;
  }
}

/** How many characters a series may have: narthex takes no longer labels, however it is configured. */
const longestSeries = 1 << 20;

/** The counters that a histogram is made of: cumulative buckets, the count and the sum. */
function countersOf(e: Bucketed): object[] {
  const out: object[] = [];
  let total = 0;
  for (const [i, n] of e.counts.entries()) {
    total += n;
    const le = formatBound(e.bounds[i] ?? Infinity);
    out.push({name: `${e.name}_bucket`, labels: {...e.labels, le}, add: total});
  }
  out.push({name: `${e.name}_count`, labels: e.labels, add: total});
  out.push({name: `${e.name}_sum`, labels: e.labels, add: e.sum});
  return out;
}

/** Labels as narthex wants them, sorted by name: the own ones before the common ones. */
function textLabels(common: Labels, own: Labels | undefined): Record<string, string> {
  const all: Labels = {...common, ...own};
  const out = Object.create(null) as Record<string, string>; // in which __proto__ is a name like others
  for (const name of Object.keys(all).sort()) {
    const v = all[name];
    if (v !== undefined && v !== null && v !== '') out[name] = String(v);
  }
  return out;
}
