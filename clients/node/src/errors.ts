/** A series that narthex did not take, and why. */
export interface Rejection {
  series: string;
  reason: string;
}

/** The answer to a push: what became of each of its entries. */
export interface Receipt {
  id: string;
  status: 'accepted' | 'partial' | 'duplicate' | 'rejected';
  accepted: number;
  duplicate: number;
  rejected: Rejection[];
  warnings?: string[];
}

/**
 * What went wrong:
 * - `invalid`: a value could not be recorded at all (not a number, a counter that goes down);
 * - `rejected`: narthex answered that it does not take it; sending it again would not help;
 * - `unsent`: nobody answered in time; it is kept and sent again, under the same id, at the next flush;
 * - `dropped`: it was kept for too long, or there was too much of it.
 */
export type ErrorKind = 'invalid' | 'rejected' | 'unsent' | 'dropped';

/** What `onError` gets. */
export class NarthexError extends Error {
  override readonly name = 'NarthexError';
  readonly kind: ErrorKind;
  /** How many entries (series of a request) are lost by this. */
  readonly lost: number;
  /** The status code of the answer, if there was one. */
  readonly status: number | undefined;
  /** The series that were not taken; the first 100 of them. */
  readonly rejected: Rejection[];

  constructor(
    kind: ErrorKind,
    message: string,
    more: {lost?: number; status?: number; rejected?: Rejection[]; cause?: unknown} = {},
  ) {
    super(printable(message), more.cause === undefined ? undefined : {cause: more.cause});
    this.kind = kind;
    this.lost = more.lost ?? 0;
    this.status = more.status;
    this.rejected = more.rejected ?? [];
  }
}

const longestMessage = 4000;

/** What may be shown and logged of a text from outside: no control characters, and not endless. */
function printable(text: string): string {
  const cut = text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text;
  // eslint-disable-next-line no-control-regex
  return cut.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The rejections of an answer, whatever it is. */
export function rejectionsOf(json: Record<string, unknown> | undefined): Rejection[] {
  const list: unknown = json?.['rejected'];
  if (!Array.isArray(list)) return [];
  return (list as unknown[]).filter((r): r is Rejection => {
    const {series, reason} = (r ?? {}) as Partial<Rejection>;
    return typeof series === 'string' && typeof reason === 'string';
  });
}

/** Makes a sentence of whatever was thrown. */
export function textOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  const cause = err.cause instanceof Error ? err.cause.message : '';
  return cause ? `${err.message}: ${cause}` : err.message;
}

/** The reasons in one line. */
export function reasonsOf(rejected: Rejection[]): string {
  return rejected.map((r) => `${r.series}: ${r.reason}`).join('; ');
}
