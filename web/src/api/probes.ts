import { callOwn, send } from "./client";
import { list, number, record, text, time } from "./read";

/** A probe that was made here, with what it found out. */
export interface Report {
  id: number;
  name: string;
  target: string;
  module: string;
  region: string;
  start: number;
  seconds: number;
  success: boolean;
  failure: { phase: string; reason: string; error: string; remedy: string } | undefined;
  phases: readonly { phase: string; seconds: number }[];
  certificate: { expires: number; days: number; subject: string; issuer: string; names: string } | undefined;
  throttled: boolean;
  log: string;
}

/** A target that is configured here. */
export interface Target {
  name: string;
  target: string;
  module: string;
  hostname: string;
  region: string;
}

/** Probes a target now. It may be refused: who may probe what is the server's to say. */
export async function runProbe(target: string, module: string, hostname: string, signal: AbortSignal): Promise<Report> {
  return reportOf(await send("probe/run", { target, module, ...(hostname === "" ? {} : { hostname }) }, signal));
}

/** The configured targets; the answer is Prometheus's service discovery, which has no envelope. */
export async function readTargets(signal: AbortSignal): Promise<Target[]> {
  return list(await callOwn("probe/targets", {}, signal, true)).map((g) => {
    const l = record(record(g)["labels"]);
    return { name: text(l["name"]), target: text(l["__param_target"]), module: text(l["__param_module"]), hostname: text(l["__param_hostname"]), region: text(l["region"]) };
  });
}

/** The modules that there are, by name. */
export async function readModules(signal: AbortSignal): Promise<string[]> {
  return list(await callOwn("probe/modules", {}, signal)).map((m) => text(record(m)["name"]));
}

/** The last probes that this program made of a target: the last one, and the last that failed. */
export async function readResults(name: string, signal: AbortSignal): Promise<{ last: Report; failures: Report[] }[]> {
  return list(await callOwn("probe/results", { name }, signal)).map((r) => ({ last: reportOf(record(r)["last"]), failures: list(record(r)["failures"]).map(reportOf) }));
}

/** One of those, with its log. */
export async function readResult(id: number, signal: AbortSignal): Promise<Report> {
  return reportOf(await callOwn(`probe/results/${id}`, {}, signal));
}

function reportOf(v: unknown): Report {
  const r = record(v);
  const f = record(r["failure"]);
  const c = record(r["certificate"]);
  return {
    id: number(r["id"]), name: text(r["name"]), target: text(r["target"]), module: text(r["module"]), region: text(r["region"]),
    start: time(r["start"]) ?? 0, seconds: number(r["duration_seconds"]), success: r["success"] === true,
    failure: r["failure"] === null || r["failure"] === undefined ? undefined : { phase: text(f["phase"]), reason: text(f["reason"]), error: text(f["error"]), remedy: text(f["remedy"]) },
    phases: list(r["phases"]).map(record).map((p) => ({ phase: text(p["phase"]), seconds: number(p["seconds"]) })),
    certificate: r["certificate"] === null || r["certificate"] === undefined ? undefined : { expires: time(c["expires"]) ?? 0, days: number(c["days_left"]), subject: text(c["subject"]), issuer: text(c["issuer"]), names: text(c["names"]) },
    throttled: record(r["runner"])["throttled"] === true, log: text(r["log"]),
  };
}
