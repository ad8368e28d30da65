import {NarthexError, reasonsOf, rejectionsOf, textOf} from './errors.js';
import type {HistogramOptions, MetricOptions, Recorder} from './metrics.js';
import {Counter, Gauge, Histogram, invalid} from './metrics.js';
import type {Labels} from './pending.js';
import {Pending} from './pending.js';
import type {Answer} from './post.js';
import {isRedirect, isTemporary, parsed, post} from './post.js';
import {Queue} from './queue.js';
import type {Target, TargetOptions} from './target.js';
import {targetOf} from './target.js';

export interface NarthexOptions extends TargetOptions {
  /** The label `service` of each series. */
  service?: string;
  /** Labels of each series. */
  labels?: Labels;
  /** Numbers in one push, default 1000. When there are so many they are sent at once. */
  maxBatch?: number;
  /** Pushes that may wait for an answer, default 100. The oldest are dropped for newer ones. */
  maxQueue?: number;
  /** Milliseconds from the first recording to a push, default 10000; 0 is never. In Lambda the default is 0. */
  flushInterval?: number;
  /** Milliseconds that a flush may take, default 15000. */
  flushTimeout?: number;
  /** Milliseconds that a push is kept, default 12 h. It must be less than narthex's ledger.horizon (24 h). */
  maxAge?: number;
  /** Is told what went wrong. Nothing here throws for it. Default: console.warn. */
  onError?: (err: NarthexError) => void;
}

/** What became of pushes in the time of a flush. */
export interface FlushResult {
  /** Series that narthex said it has, durably. */
  accepted: number;
  /** Series that it refused. */
  rejected: number;
  /** Series that nobody has answered for yet; they stay for the next flush, under the same id. */
  pending: number;
}

/**
 * A client that adds up in memory and pushes now and then. Each push has an id that it keeps until it is
 * answered, so that whatever is lost on the way, nothing counts twice.
 */
export class Narthex implements Recorder {
  private readonly target: Target;
  private readonly pending: Pending;
  private readonly queue: Queue;
  private readonly maxBatch: number;
  private readonly flushInterval: number;
  private readonly flushTimeout: number;
  private readonly onError: (err: NarthexError) => void;
  private readonly kinds = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private draining: Promise<void> | undefined;
  private closed = false;
  // Series, since the beginning.
  private accepted = 0;
  private rejected = 0;

  constructor(o: NarthexOptions = {}) {
    this.target = targetOf(o);
    this.pending = new Pending({service: o.service, ...o.labels});
    this.queue = new Queue(Math.max(1, o.maxQueue ?? 100), o.maxAge ?? 12 * 3600_000);
    this.maxBatch = o.maxBatch ?? 1000;
    // Between invocations of a function time stands still, and a timer would run into the next one.
    this.flushInterval = o.flushInterval ?? (process.env['AWS_LAMBDA_FUNCTION_NAME'] ? 0 : 10_000);
    this.flushTimeout = o.flushTimeout ?? 15_000;
    this.onError = o.onError ?? ((err) => console.warn(`narthex: ${err.message}`));
  }

  /** A counter; the same name may be asked for again. */
  counter(name: string, options: MetricOptions = {}): Counter {
    this.define(name, 'counter');
    return new Counter(this, name, options);
  }

  /** A gauge. */
  gauge(name: string, options: MetricOptions = {}): Gauge {
    this.define(name, 'gauge');
    return new Gauge(this, name, options);
  }

  /** A histogram. */
  histogram(name: string, options: HistogramOptions = {}): Histogram {
    this.define(name, `histogram of ${String(options.buckets ?? 'default')}`);
    return new Histogram(this, name, options);
  }

  private define(name: string, kind: string): void {
    if (!name) throw new TypeError('a metric needs a name');
    const known = this.kinds.get(name) ?? kind;
    if (known !== kind) throw new TypeError(`${name} is a ${known}, and can't be a ${kind} as well`);
    this.kinds.set(name, kind);
  }

  /** For metrics: it records by f. */
  record(name: string, f: (p: Pending) => string): void {
    const wrong = this.closed ? 'the client is closed' : attempt(f, this.pending);
    if (wrong) return this.tell(invalid(name, wrong));
    if (this.pending.size >= this.maxBatch || this.pending.length >= largeBatch) {
      // A push under way takes this one along.
      if (this.draining) this.cut();
      else void this.flush();
    }
    this.schedule();
  }

  /**
   * Pushes all that was recorded and returns once that is answered or the time (milliseconds) is over. It
   * never rejects: what went wrong is in the result and was told to onError.
   */
  async flush(o: {timeout?: number} = {}): Promise<FlushResult> {
    this.unschedule();
    this.cut();
    const until = performance.now() + (o.timeout ?? this.flushTimeout);
    const {accepted, rejected} = this;
    // One at a time: what another flush is sending is waited for, and then sent here if that had no luck.
    while (this.draining && performance.now() < until) await raced(this.draining, until);
    if (!this.draining && this.queue.first() && performance.now() < until) {
      this.draining = this.drain(until).finally(() => (this.draining = undefined));
      await this.draining;
    } else if (this.queue.first()) {
      this.unsent(new Error('there was no time left'));
    }
    const pending = this.queue.entries;
    if (pending > 0) this.schedule();
    return {accepted: this.accepted - accepted, rejected: this.rejected - rejected, pending};
  }

  /** Flushes for the last time; what is recorded afterwards is lost and reported. */
  async close(o: {timeout?: number} = {}): Promise<FlushResult> {
    this.closed = true;
    const result = await this.flush(o);
    this.unschedule();
    return result;
  }

  private schedule(): void {
    if (this.timer || this.closed || this.flushInterval <= 0) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, this.flushInterval);
    this.timer.unref();
  }

  private unschedule(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Makes a batch of what is pending. */
  private cut(): void {
    if (this.pending.size === 0) return;
    const {body, entries} = this.pending.cut();
    for (const b of this.queue.push(body, entries)) {
      this.lose(
        b.entries,
        `${b.entries} series are dropped: more pushes wait for an answer than maxQueue, or 32 MB`,
      );
    }
  }

  /** Sends what is in the queue until it is empty, the time is over, or one is not answered. */
  private async drain(until: number): Promise<void> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), Math.max(0, until - performance.now()));
    try {
      for (const b of this.queue.expire()) {
        this.lose(b.entries, `${b.entries} series are dropped: they waited for longer than maxAge`);
      }
      for (let b = this.queue.first(); b && performance.now() < until; b = this.queue.first()) {
        this.queue.sending = b;
        const answer = await post(this.target, b.id, b.body, until, stop.signal);
        // With other credentials, or at another address, the same push may be welcome.
        if (isTemporary(answer.status) || isRedirect(answer.status) || answer.status === 401) {
          throw new NarthexError('unsent', answerText(answer), {status: answer.status});
        }
        this.queue.remove(b);
        this.account(answer, b.entries);
      }
    } catch (err) {
      this.unsent(err);
    } finally {
      clearTimeout(timer);
      this.queue.sending = undefined;
    }
  }

  /** Notes what an answer says of a batch. */
  private account(answer: Answer, entries: number): void {
    const json = parsed(answer.text);
    const receipt = answer.status === 200 && typeof json?.['accepted'] === 'number' ? json : undefined;
    const accepted = Math.min(entries, countIn(receipt, 'accepted') + countIn(receipt, 'duplicate'));
    const lost = entries - accepted;
    this.accepted += accepted;
    this.rejected += lost;
    if (lost === 0) return;
    const rejected = rejectionsOf(json);
    const why = receipt ? reasonsOf(rejected) : answerText(answer);
    const message = `${lost} series were rejected: ${why}`;
    this.tell(new NarthexError('rejected', message, {lost, rejected, status: answer.status}));
  }

  private unsent(cause: unknown): void {
    const status = cause instanceof NarthexError ? cause.status : undefined;
    const message = `${this.queue.entries} series are not pushed yet: ${textOf(cause)}`;
    this.tell(new NarthexError('unsent', message, {cause, status}));
  }

  private lose(entries: number, message: string): void {
    this.tell(new NarthexError('dropped', message, {lost: entries}));
  }

  /** Tells onError, whose own errors are no concern of the code that is measured. */
  private tell(err: NarthexError): void {
    try {
      this.onError(err);
    } catch {
      // It was told.
    }
  }
}

/** How long, in characters, the series of a push get before it is sent at once. */
const largeBatch = 1 << 20;

/** Records by f, or returns why that can't be: the labels may be whatever a request brought. */
function attempt(f: (p: Pending) => string, p: Pending): string {
  try {
    return f(p);
  } catch (err) {
    return `it can't be recorded: ${textOf(err)}`;
  }
}

/** A number of series that an answer tells. */
function countIn(json: Record<string, unknown> | undefined, key: string): number {
  const n = json?.[key];
  return typeof n === 'number' && n > 0 ? Math.floor(n) : 0;
}

function answerText(a: Answer): string {
  const error = parsed(a.text)?.['error'];
  return `${a.status} ${typeof error === 'string' ? error : a.text.slice(0, 200) || a.statusText}`;
}

/** Waits for the promise, but not longer than until. */
async function raced(p: Promise<void>, until: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - performance.now()));
  });
  await Promise.race([p, over]);
  clearTimeout(timer);
}
