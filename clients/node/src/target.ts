/** What is used of an answer. */
export interface FetchResponse {
  status: number;
  statusText: string;
  text(): Promise<string>;
}

/**
 * A function like the global fetch. Any will do: node-fetch, one that signs (aws-sigv4-fetch), one written
 * for prometheus-remote-write; that is why the second parameter has no narrower type.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Fetch = (url: string, init?: any) => Promise<FetchResponse>;

/** Where to push, and as whom. */
export interface TargetOptions {
  /** narthex's address, such as https://narthex.example.org. Default: NARTHEX_URL, or http://127.0.0.1:9091. */
  url?: string;
  /** A bearer token, or what returns one. Default: NARTHEX_TOKEN, if url is not given either. */
  token?: string | (() => string | Promise<string>);
  username?: string;
  password?: string;
  /** More headers. */
  headers?: Record<string, string>;
  /** What to make requests with. Default: the global fetch. */
  fetch?: Fetch;
  /** Milliseconds for one try, default 5000. */
  timeout?: number;
}

/** Where requests go. */
export interface Target {
  url: string;
  fetch: Fetch;
  headers(): Promise<Record<string, string>>;
  timeout: number;
}

const path = '/api/v1/push';

export function targetOf(o: TargetOptions): Target {
  const text = o.url ?? process.env['NARTHEX_URL'] ?? 'http://127.0.0.1:9091';
  // A token of the environment goes to the address of the environment only.
  const token = o.token ?? (o.url === undefined ? process.env['NARTHEX_TOKEN'] : undefined);
  const {url, user, secret} = addressOf(text);
  const username = o.username ?? user;
  const password = o.password ?? secret;
  url.username = url.password = '';
  url.pathname = pushPath(url.pathname);
  return {
    url: url.href,
    // The global one is looked up late, so that what replaces it later (tracing) is used.
    fetch: o.fetch ?? ((u, init) => globalThis.fetch(u, init)),
    timeout: o.timeout ?? 5000,
    async headers() {
      const out: Record<string, string> = {'Content-Type': 'application/json'};
      if (token) out['Authorization'] = `Bearer ${typeof token === 'function' ? await token() : token}`;
      else if (username || password)
        out['Authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
      return sendable({...out, ...o.headers});
    },
  };
}

/** Takes an address apart. An error does not repeat it, as it may hold a password. */
function addressOf(text: string): {url: URL; user: string; secret: string} {
  try {
    const url = new URL(text);
    if (/^https?:$/.test(url.protocol)) {
      return {url, user: decodeURIComponent(url.username), secret: decodeURIComponent(url.password)};
    }
  } catch {
    // Node's own error has all of it.
  }
  throw new TypeError('the url (NARTHEX_URL) is no address such as https://narthex.example.org');
}

/** Headers as they are sent. What can't be is an error of ours: fetch's would tell the value. */
function sendable(headers: Record<string, string>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    out[name] = String(value).trim();
    if (/[^\t\x20-\x7e\x80-\xff]/.test(out[name]!)) {
      throw new TypeError(`the header ${name} has a character that can't be sent in a header`);
    }
  }
  return out;
}

/** The path of the push API, for an address with or without it, or with that of remote write. */
function pushPath(given: string): string {
  const base = given.replace(/\/+$/, '');
  for (const known of [path, '/api/v1/write']) {
    if (base.endsWith(known)) return base.slice(0, -known.length) + path;
  }
  return base + path;
}
