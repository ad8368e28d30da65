import { signal as reactive } from "@preact/signals";
import { place } from "./place";

/** Where to sign in, if the server says that one has to; "" as long as it does not. */
export const signedOut = reactive("");

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
  signIn?: unknown;
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

/** The same of narthex itself, whatever backend is looked at. A bare answer has no envelope. */
export async function callOwn(path: string, params: Params, signal: AbortSignal, bare = false): Promise<unknown> {
  return (await fetchForm(place().root, path, params, signal, bare)).data;
}

/** Like call, with the warnings and the hints that come beside the data. */
export async function ask(path: string, params: Params, signal: AbortSignal): Promise<Answer> {
  return fetchForm(place().here, path, params, signal, false);
}

async function fetchForm(base: string, path: string, params: Params, signal: AbortSignal, bare: boolean): Promise<Answer> {
  const form = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (v !== undefined) form.set(k, String(v));
  }
  const url = new URL("api/v1/" + path, base);
  const init: RequestInit = {};
  if (form.toString().length > longest) {
    init.method = "POST";
    init.body = form;
  } else {
    url.search = form.toString();
  }
  return fetchAnswer(url, init, signal, bare);
}

/** Posts an object as JSON to narthex itself and returns "data" of the answer. */
export async function send(path: string, body: object, signal: AbortSignal): Promise<unknown> {
  const url = new URL("api/v1/" + path, place().root);
  return (await fetchAnswer(url, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }, signal, false)).data;
}

async function fetchAnswer(url: URL, init: RequestInit, signal: AbortSignal, bare: boolean): Promise<Answer> {
  const limit = AbortSignal.timeout(timeout);
  let res: Response;
  let text: string;
  try {
    const headers = new Headers(init.headers);
    headers.set("Accept", "application/json");
    res = await fetch(url, { ...init, signal: AbortSignal.any([signal, limit]), headers });
    text = await res.text();
  } catch (e) {
    if (signal.aborted) throw e;
    if (limit.aborted) throw new ApiError("timeout", `No answer within ${timeout / 1000} s. Try a shorter range, or again later.`);
    throw new ApiError("network", `narthex can't be reached at ${url.origin}. Is it still running?`);
  }
  return unwrap(res.status, text, bare && res.ok);
}

function unwrap(status: number, text: string, bare: boolean): Answer {
  let body: Envelope;
  try {
    body = JSON.parse(text) as Envelope;
  } catch {
    throw new ApiError("answer", `The server answered ${status} with something other than JSON: ${text.trim().slice(0, 200) || "an empty body"}`);
  }
  if (bare) return { data: body, notes: [] };
  // The session is over, or never was: the page leads to the way in.
  if (status === 401 && typeof body.signIn === "string" && body.signIn.startsWith("-/")) signedOut.value = body.signIn;
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
