// The functions of npm prometheus-remote-write, in its shapes.
import type {Receipt} from './errors.js';
import {reasonsOf, rejectionsOf} from './errors.js';
import {newID, parsed, post} from './post.js';
import type {Fetch} from './target.js';
import {targetOf} from './target.js';

export interface Sample {
  value: number;
  /** Milliseconds since 1970; absent or 0 is now. */
  timestamp?: number;
}

export interface Timeseries {
  labels: {__name__: string; [name: string]: string};
  samples: Sample[];
  /**
   * What the values are: samples with times of their own, increments to be added up, or values of a gauge.
   * Absent, narthex's rules decide (push.rules, push.preset), and samples they are if none matches.
   */
  as?: 'sample' | 'delta' | 'gauge';
}

export interface Options {
  /** narthex's address. Without one nothing is sent, and the result has status 400. */
  url?: string;
  auth?: {username?: string; password?: string};
  /** A bearer token (not in prometheus-remote-write). */
  token?: string | (() => string | Promise<string>);
  verbose?: boolean;
  timing?: boolean;
  /** Has no meaning here: nothing is encoded by a protobuf description. */
  proto?: string;
  /** Labels for each series; its own come first. */
  labels?: {[name: string]: string};
  /** Milliseconds for one try, default 5000. */
  timeout?: number;
  console?: {info(...args: unknown[]): void; warn(...args: unknown[]): void};
  fetch?: Fetch;
  headers?: {[name: string]: string};
  /** The push's id; a random one if absent. Calling again with the same body and id counts once. */
  id?: string;
  /** Milliseconds after which no further try begins, default 10000; 0 tries once. */
  retryFor?: number;
}

export interface Result {
  /** The answer's status code, 200 if all is well. */
  status: number;
  statusText: string;
  /** What the answer says if not all of it was taken. */
  errorMessage?: string;
  /** What became of each series (not in prometheus-remote-write). */
  receipt?: Receipt;
}

/** Pushes series. It rejects only if nobody answers. */
export async function pushTimeseries(
  timeseries: Timeseries | Timeseries[],
  options: Options = {},
): Promise<Result> {
  const list = Array.isArray(timeseries) ? timeseries : [timeseries];
  if (list.length === 0) return {status: 200, statusText: 'OK'};
  if (!options.url) return {status: 400, statusText: 'Bad request', errorMessage: 'No endpoint configured'};
  const logger = options.console ?? console;
  const now = Date.now();
  const request = {
    series: list.map((t) => ({
      labels: {...options.labels, ...t.labels},
      ...(t.as ? {as: t.as} : undefined),
      samples: t.samples.map((s) => ({value: s.value, timestamp: s.timestamp || now})),
    })),
  };
  const body = JSON.stringify(request);
  const start = Date.now();
  if (options.timing) logger.info('Serialized in', start - now, 'ms');

  // As in prometheus-remote-write half a pair of credentials is none.
  const auth = options.auth?.username && options.auth.password ? options.auth : undefined;
  const target = targetOf({
    url: options.url,
    token: options.token,
    username: auth?.username,
    password: auth?.password,
    headers: options.headers,
    fetch: options.fetch,
    timeout: options.timeout,
  });
  const until = performance.now() + (options.retryFor ?? 10_000);
  const answer = await post(target, options.id ?? newID(), body, until);
  const result = resultOf(answer.status, answer.statusText, answer.text);
  if (options.verbose) {
    const line = `${result.status} ${result.statusText} ${result.errorMessage ?? ''}`.trimEnd();
    if (result.errorMessage !== undefined) logger.warn('Failed to send write request, error', line, request);
    else if (options.timing) logger.info('Write request sent', line, 'in', Date.now() - start, 'ms', request);
    else logger.info('Write request sent', line, request);
  }
  return result;
}

/** Pushes values by their names; labels are options.labels. */
export async function pushMetrics(metrics: Record<string, number>, options?: Options): Promise<Result> {
  return pushTimeseries(
    Object.entries(metrics).map(([name, value]) => ({labels: {__name__: name}, samples: [{value}]})),
    options,
  );
}

function resultOf(status: number, statusText: string, text: string): Result {
  const json = parsed(text);
  const result: Result = {status, statusText};
  if (status !== 200) {
    result.errorMessage = typeof json?.['error'] === 'string' ? json['error'] : text || statusText;
    return result;
  }
  if (typeof json?.['accepted'] !== 'number') {
    result.errorMessage = `the answer is not narthex's: ${text.slice(0, 200)}`;
    return result;
  }
  const receipt = {...json, rejected: rejectionsOf(json)} as unknown as Receipt;
  result.receipt = receipt;
  if (receipt.rejected.length > 0) result.errorMessage = reasonsOf(receipt.rejected);
  return result;
}
