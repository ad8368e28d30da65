import { signal } from "@preact/signals";
import type { Price } from "../format/money";
import { callOwn } from "./client";
import { list, number, record, text } from "./read";

/** What the server tells the page about itself. Of a bare Prometheus nothing is known. */
export interface Server {
  version: string;
  /** Who looks; undefined without authentication. */
  identity: { name: string; scopes: readonly string[] } | undefined;
  /** Whether people can sign in and out. */
  signIn: boolean;
  price: Price;
  /** By which rules counters are written, ms; 0 if that is not known. */
  interval: number;
  settle: number;
  heartbeat: number;
  idle: number;
  /** What there is to see besides queries. */
  has: { push: boolean; store: boolean; logs: boolean; probes: boolean };
  destinations: readonly string[];
}

/** What holds where nothing is told: the price of Amazon Managed Prometheus. */
const plain: Server = {
  version: "",
  identity: undefined,
  signIn: false,
  price: { samples: 0.09, queried: 0.1, currency: "USD" },
  interval: 0,
  settle: 0,
  heartbeat: 0,
  idle: 0,
  has: { push: false, store: false, logs: false, probes: false },
  destinations: [],
};

/** The server's word; known is false until it has spoken, or has failed to. */
export const server = signal<Server & { known: boolean }>({ ...plain, known: false });

/** How often what is live is asked for again, ms: as often as something can have changed, within reason. */
export function pollEvery(): number {
  const { interval } = server.peek();
  return interval > 0 ? Math.min(Math.max(interval, 2000), 10_000) : 10_000;
}

/** Asks the server once. A server without the call is a bare Prometheus. */
export async function askServer(signal: AbortSignal): Promise<void> {
  try {
    server.value = { ...readServer(await callOwn("status/viewer", {}, signal)), known: true };
  } catch {
    if (!signal.aborted) server.value = { ...server.peek(), known: true };
  }
}

/** Reads the answer. */
export function readServer(data: unknown): Server {
  const d = record(data);
  const price = record(d["price"]);
  const has = record(d["has"]);
  const who = record(d["identity"]);
  const ms = (name: string) => number(d[name]) * 1000;
  return {
    version: text(d["version"]),
    identity: text(who["name"]) === "" ? undefined : { name: text(who["name"]), scopes: list(who["scopes"]).map(text) },
    signIn: d["signIn"] === true,
    price:
      typeof price["perMillionSamples"] === "number"
        ? { samples: price["perMillionSamples"], queried: number(price["perBillionQuerySamples"]), currency: text(price["currency"]) || "USD" }
        : plain.price,
    interval: ms("intervalSeconds"),
    settle: ms("settleSeconds"),
    heartbeat: ms("heartbeatSeconds"),
    idle: ms("idleSeconds"),
    has: { push: has["push"] === true, store: has["store"] === true, logs: has["logs"] === true, probes: has["probes"] === true },
    destinations: list(d["destinations"]).map(text),
  };
}
