import type {FlushResult} from './client.js';

/** What is used of Lambda's context. */
export interface LambdaContext {
  getRemainingTimeInMillis?(): number;
}

export interface LambdaOptions {
  /** Milliseconds of the invocation's time that are left to Lambda, default 250. */
  margin?: number;
  /** Milliseconds for the flush at most, default 3000. */
  timeout?: number;
}

/** What is flushed: a client. */
export interface Flusher {
  flush(o?: {timeout?: number}): Promise<FlushResult>;
}

/**
 * Wraps a handler so that what it recorded is pushed before its answer leaves, whether it succeeds or fails:
 * afterwards the process stands still, perhaps for ever. The push takes no longer than the invocation has
 * left. What could not be pushed stays in memory and goes, under the same id, with the next invocation of
 * the same process. The handler returns its result or a promise of it (no callback).
 */
export function withNarthex<E, C, R>(
  handler: (event: E, context: C) => R | Promise<R>,
  client: Flusher,
  options: LambdaOptions = {},
): (event: E, context: C) => Promise<R> {
  const {margin = 250, timeout = 3000} = options;
  return async (event, context) => {
    try {
      return await handler(event, context);
    } finally {
      const left = (context as LambdaContext | undefined)?.getRemainingTimeInMillis?.() ?? Infinity;
      await client.flush({timeout: Math.min(timeout, left - margin)});
    }
  };
}
