import {randomUUID} from 'node:crypto';
import type {FetchResponse, Target} from './target.js';

/** An answer, read to its end. */
export interface Answer {
  status: number;
  statusText: string;
  text: string;
}

/**
 * A push's id. Node draws random bytes for ids ahead of their use, and processes that go on from one snapshot
 * would draw the same ids from them; so not here.
 */
export function newID(): string {
  return randomUUID({disableEntropyCache: true});
}

/** Whether an answer says: not now. Whatever else it says will be said again. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Whether an answer sends elsewhere. Nobody goes there: a push and its credentials are for one address. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

const firstWait = 100;
const longestWait = 10_000;

/**
 * Posts a body under an id, and again under the same id while nobody answers or the answer is temporary, as
 * long as a next try can begin before until (on the clock of performance.now). A retry never counts twice,
 * since narthex knows the id. It returns the last answer, or throws the error of the last try.
 */
export async function post(
  target: Target,
  id: string,
  body: string,
  until: number,
  signal?: AbortSignal,
): Promise<Answer> {
  for (let wait = firstWait; ; wait = Math.min(2 * wait, longestWait)) {
    let answer: Answer | undefined;
    let failure: unknown;
    let asked = 0;
    try {
      const [got, after] = await once(target, id, body, signal);
      if (!isTemporary(got.status)) return got;
      answer = got;
      asked = after;
    } catch (err) {
      failure = err;
    }
    const pause = Math.max(asked, wait * (0.5 + Math.random()));
    if (signal?.aborted || performance.now() + pause >= until || !(await sleep(pause, signal))) {
      if (answer) return answer;
      throw failure;
    }
  }
}

/** One try. The number is how many milliseconds the answer asks to wait. */
async function once(
  target: Target,
  id: string,
  body: string,
  outer: AbortSignal | undefined,
): Promise<[Answer, number]> {
  const inner = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const abort = () => inner.abort();
  // A fetch of the caller's may not know signals: its answer is not waited for either way.
  const given = new Promise<never>((_, reject) => {
    inner.signal.addEventListener('abort', () =>
      reject(new Error(outer?.aborted ? 'there was no time left' : `no answer within ${target.timeout} ms`)),
    );
  });
  given.catch(() => {});
  const work = async (): Promise<[Answer, number]> => {
    const headers = {...(await target.headers()), 'Idempotency-Key': id};
    const r = await target.fetch(target.url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: inner.signal,
      timeout: target.timeout,
    });
    return [await read(r, target.url), retryAfter(r)];
  };
  try {
    timer = setTimeout(abort, target.timeout);
    outer?.addEventListener('abort', abort);
    if (outer?.aborted) abort();
    const done = work();
    done.catch(() => {});
    return await Promise.race([done, given]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}

/** What is used of an answer beyond what any fetch gives. */
interface FullResponse extends FetchResponse {
  headers?: {get?(name: string): string | null};
  body?: {getReader?(): ReadableStreamDefaultReader<Uint8Array>} | null;
}

/** How many bytes an answer may have: a receipt names at most a hundred series. */
const longestAnswer = 4 << 20;

async function read(r: FullResponse, url: string): Promise<Answer> {
  const {status} = r;
  const reader = r.body?.getReader?.();
  if (isRedirect(status)) {
    await reader?.cancel().catch(() => {});
    return {
      status,
      statusText: `${r.statusText} ${whereTo(r.headers?.get?.('location'), url)}`.trimStart(),
      text: '',
    };
  }
  if (!reader) return {status, statusText: r.statusText, text: await r.text()};
  const decoder = new TextDecoder();
  let text = '';
  for (let length = 0; ;) {
    const {done, value} = await reader.read();
    if (done) return {status, statusText: r.statusText, text: text + decoder.decode()};
    length += value.byteLength;
    if (length > longestAnswer) {
      reader.cancel().catch(() => {});
      throw new Error(`the answer is longer than ${longestAnswer} bytes`);
    }
    text += decoder.decode(value, {stream: true});
  }
}

/** Where an answer sends to, without what may be a secret. */
function whereTo(location: string | null | undefined, url: string): string {
  let text = 'redirects';
  try {
    const to = new URL(location ?? '', url);
    if (location) text += ` to ${to.origin}${to.pathname}`;
  } catch {
    // It is no address.
  }
  return `${text}: set url to the address that answers itself`;
}

/** The header Retry-After in milliseconds: seconds or a date, at most a minute. */
function retryAfter(r: FullResponse): number {
  const text = r.headers?.get?.('retry-after');
  if (!text) return 0;
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return ms > 0 ? Math.min(ms, 60_000) : 0;
}

/** Waits; false if the signal ended it. */
function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (slept: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      resolve(slept);
    };
    const stop = () => end(false);
    const timer = setTimeout(end, ms, true);
    signal?.addEventListener('abort', stop);
  });
}

/** Parses an answer's JSON; undefined if it is none. */
export function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const v: unknown = JSON.parse(text);
    return typeof v === 'object' && v !== null ? (v as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
