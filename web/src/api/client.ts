/** What the server, or the way to it, answered instead of data. */
export class ApiError extends Error {
  /** The server's errorType, or "network", "timeout" or "answer". */
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
  }
}

/** Parameters of a call. Undefined ones are left out. */
export type Params = Readonly<Record<string, string | number | undefined>>;

interface Envelope {
  status?: unknown;
  data?: unknown;
  error?: unknown;
  errorType?: unknown;
  warnings?: unknown;
  infos?: unknown;
}

/** What was answered: the data, and what the server has to say about it. */
export interface Answer {
  data: unknown;
  notes: readonly string[];
}

const timeout = 30_000;
const longest = 1800; // characters of a GET's query; beyond it the call is a POST

/**
 * Calls Prometheus's HTTP API below the page's own address and returns "data"
 * of its envelope. It throws an ApiError, or the signal's abort.
 */
export async function call(path: string, params: Params, signal: AbortSignal): Promise<unknown> {
  return (await ask(path, params, signal)).data;
}

/** The same, with the warnings and the hints that come beside the data. */
export async function ask(path: string, params: Params, signal: AbortSignal): Promise<Answer> {
  const form = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (v !== undefined) form.set(k, String(v));
  }
  const url = new URL("api/v1/" + path, document.baseURI);
  url.hash = "";
  const limit = AbortSignal.timeout(timeout);
  const init: RequestInit = { signal: AbortSignal.any([signal, limit]), headers: { Accept: "application/json" } };
  if (form.toString().length > longest) {
    init.method = "POST";
    init.body = form;
  } else {
    url.search = form.toString();
  }
  let res: Response;
  let text: string;
  try {
    res = await fetch(url, init);
    text = await res.text();
  } catch (e) {
    if (signal.aborted) throw e;
    if (limit.aborted) throw new ApiError("timeout", `No answer within ${timeout / 1000} s. Try a shorter range, or again later.`);
    throw new ApiError("network", `narthex can't be reached at ${url.origin}. Is it still running?`);
  }
  return unwrap(res.status, text);
}

function unwrap(status: number, text: string): Answer {
  let body: Envelope;
  try {
    body = JSON.parse(text) as Envelope;
  } catch {
    throw new ApiError("answer", `The server answered ${status} with something other than JSON: ${text.trim().slice(0, 200) || "an empty body"}`);
  }
  if (body.status === "success") return { data: body.data, notes: [...strings(body.warnings), ...strings(body.infos)] };
  const kind = typeof body.errorType === "string" ? body.errorType : "answer";
  throw new ApiError(kind, typeof body.error === "string" ? body.error : `The server answered ${status} without a reason.`);
}

function strings(v: unknown): string[] {
  return Array.isArray(v) ? v.filter((x): x is string => typeof x === "string") : [];
}

/** Whether e is the abort of a call that nobody waits for any more. */
export function isAbort(e: unknown): boolean {
  return e instanceof DOMException && e.name === "AbortError";
}

/** What an error says to a person. */
export function messageOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
