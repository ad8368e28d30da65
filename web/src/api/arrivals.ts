import { callOwn } from "./client";
import { list, number, record, text, time } from "./read";

/** A series that was refused, and why. */
export interface Rejection {
  series: string;
  reason: string;
}

/** A series of a push, and the metric to look for it under. */
export interface Stored {
  series: string;
  metric: string;
  type: string;
}

/** What became of one request to push; the server's documentation of pushing has the fields. */
export interface Arrival {
  id: string;
  door: string;
  identity: string;
  source: string;
  received: number;
  times: number;
  status: string;
  error: string;
  code: number;
  written: number | undefined;
  accepted: number;
  duplicate: number;
  rejected: readonly Rejection[];
  warnings: readonly string[];
  series: number;
  examples: readonly Stored[];
}

/** What became of a log object. */
export interface LogReceipt {
  source: string;
  name: string;
  received: number;
  duplicate: boolean;
  series: number;
  error: string;
  format: string;
  lines: number;
  counted: number;
  rejected: number;
  reasons: readonly (readonly [string, number])[];
  examples: readonly { line: number; reason: string; text: string }[];
}

/** The last requests to push, those that need a look first. All says whether those of others are among them. */
export async function readArrivals(limit: number, signal: AbortSignal): Promise<{ arrivals: Arrival[]; all: boolean }> {
  const d = record(await callOwn("arrivals", { limit }, signal));
  return { arrivals: list(d["arrivals"]).map(arrivalOf), all: d["all"] !== false };
}

function arrivalOf(v: unknown): Arrival {
  const r = record(v);
  const rejections = list(r["rejected"]).map(record);
  return {
    id: text(r["id"]), door: text(r["door"]), identity: text(r["identity"]), source: text(r["source"]),
    received: time(r["received"]) ?? 0, times: number(r["times"]) || 1, status: text(r["status"]),
    error: text(r["error"]), code: number(r["code"]), written: time(r["written"]),
    accepted: number(r["accepted"]), duplicate: number(r["duplicate"]),
    rejected: rejections.map((x) => ({ series: text(x["series"]), reason: text(x["reason"]) })),
    warnings: list(r["warnings"]).map(text), series: number(r["series"]),
    examples: list(r["examples"]).map(record).map((x) => ({ series: text(x["series"]), metric: text(x["metric"]), type: text(x["type"]) })),
  };
}

/** The last log objects, the newest first. */
export async function readLogs(signal: AbortSignal): Promise<LogReceipt[]> {
  return list(await callOwn("status/logs", {}, signal)).map((v) => {
    const r = record(v);
    const report = record(r["report"]);
    return {
      source: text(r["source"]), name: text(r["name"]), received: time(r["received"]) ?? 0, duplicate: r["duplicate"] === true,
      series: number(r["series"]), error: text(r["error"]), format: text(report["format"]),
      lines: number(report["lines"]), counted: number(report["counted"]), rejected: number(report["rejected"]),
      reasons: Object.entries(record(report["reasons"])).map(([k, n]) => [k, number(n)] as const),
      examples: list(report["examples"]).map(record).map((e) => ({ line: number(e["line"]), reason: text(e["reason"]), text: text(e["text"]) })),
    };
  });
}

/** The ledger: whether totals go out in time, and what is kept. */
export interface Ledger {
  error: string;
  interval: number;
  lastTick: number | undefined;
  lag: number;
  queue: number;
  shards: number;
  states: number;
  series: number;
  maxSeries: number;
  ids: number;
  entries: number;
  duplicates: number;
  refused: number;
  rejected: number;
  storeErrors: number;
  started: number | undefined;
}

/** Asks for the ledger's state. Times are in ms. */
export async function readLedger(signal: AbortSignal): Promise<Ledger> {
  const d = record(await callOwn("status/ledger", {}, signal));
  const n = (name: string) => number(d[name]);
  return {
    error: text(d["error"]), interval: n("intervalSeconds") * 1000, lastTick: time(d["lastTick"]), lag: n("lagSeconds") * 1000,
    queue: number(record(d["queue"])["bytes"]), shards: n("shards"), states: n("states"), series: n("series"), maxSeries: n("maxSeries"), ids: n("ids"),
    entries: n("entries"), duplicates: n("duplicates"), refused: n("refused"), rejected: n("rejectedSeries"), storeErrors: n("storeErrors") + n("logErrors"),
    started: time(d["started"]),
  };
}

/** A place that samples are written to. */
export interface Destination {
  name: string;
  url: string;
  health: string;
  error: string;
  since: number | undefined;
  taken: number | undefined;
  waiting: number;
  dropped: number;
  samples: number;
  failed: number;
  refused: readonly (readonly [string, number])[];
}

/** The health of each destination. */
export async function readDestinations(signal: AbortSignal): Promise<Destination[]> {
  return list(record(await callOwn("status/destinations", {}, signal))["destinations"]).map((v) => {
    const r = record(v);
    return {
      name: text(r["name"]), url: text(r["url"]), health: text(r["health"]), error: text(r["error"]), since: time(r["since"]), taken: time(r["taken"]),
      waiting: number(r["waitingBytes"]), dropped: number(r["droppedSamples"]), samples: number(r["samples"]), failed: number(r["failedSamples"]),
      refused: Object.entries(record(r["refusedSamples"])).map(([k, n]) => [k, number(n)] as const),
    };
  });
}

/** What a source comes to, at the pace of the last day. */
export interface SourceCost {
  source: string;
  samples: number;
  samplesDay: number;
  month: number;
}

/** What one destination takes, by source. */
export interface DestinationCost {
  destination: string;
  window: number;
  total: SourceCost;
  sources: readonly SourceCost[];
}

/** Samples by destination and source, the largest first. Windows are in ms. */
export async function readCosts(signal: AbortSignal): Promise<DestinationCost[]> {
  const cost = (v: unknown): SourceCost => {
    const r = record(v);
    return { source: text(r["source"]), samples: number(r["samples"]), samplesDay: number(r["samplesPerDay"]), month: number(r["costPerMonth"]) };
  };
  return list(record(await callOwn("status/cost", {}, signal))["destinations"]).map((v) => {
    const r = record(v);
    return { destination: text(r["destination"]), window: number(r["windowSeconds"]) * 1000, total: cost(r["total"]), sources: list(r["sources"]).map(cost) };
  });
}

/** What a sender, or one of its sources, uses of its limits. */
export interface Usage {
  identity: string;
  source: string;
  series: number;
  limit: number;
  limited: number;
  folded: number;
  rejected: number;
  last: number | undefined;
}

/** A label that makes a series of each of its values. */
export interface Suspect {
  identity: string;
  label: string;
  kind: string;
  example: string;
  metric: string;
  series: number;
  last: number | undefined;
}

/** Who uses how much, and labels whose values look like ids. */
export async function readLimits(signal: AbortSignal): Promise<{ usages: Usage[]; suspects: Suspect[] }> {
  const d = record(await callOwn("status/limits", {}, signal));
  const usage = (v: unknown): Usage => {
    const r = record(v);
    return {
      identity: text(r["identity"]), source: text(r["source"]), series: number(r["series"]), limit: number(r["limit"]),
      limited: number(r["limited"]), folded: number(r["folded"]), rejected: number(r["rejected"]), last: time(r["last"]),
    };
  };
  return {
    usages: [...list(d["by_identity"]), ...list(d["by_source"])].map(usage),
    suspects: list(d["suspect_labels"]).map(record).map((r) => ({
      identity: text(r["identity"]), label: text(r["label"]), kind: text(r["kind"]), example: text(r["example"]),
      metric: text(r["metric"]), series: number(r["series"]), last: time(r["last"]),
    })),
  };
}
