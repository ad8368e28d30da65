import type { Meta } from "../api/prom";
import { describe, type Described } from "../lens/kind";

/**
 * A row of the list: one metric as its sender knows it. A classic histogram is
 * one, although it is stored under three names.
 */
export interface Family extends Described {
  name: string;
  /** The names it is stored under. The first one's series are what its value is of. */
  members: readonly string[];
}

/** The families of the names, in order of their own names. */
export function familiesOf(names: readonly string[], meta: ReadonlyMap<string, Meta>): Family[] {
  const all = new Set(names);
  const taken = new Set<string>();
  const out: Family[] = [];
  for (const n of names) {
    const f = foldedOf(n, all, meta);
    if (f === undefined || taken.has(f.name)) continue;
    taken.add(f.name);
    for (const m of f.members) taken.add(m);
    out.push(f);
  }
  for (const n of names) {
    if (!taken.has(n)) out.push({ name: n, members: [n], ...describe(n, meta) });
  }
  return out.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** The family that a metric's own screen shows, given all that is stored beside it. */
export function familyOf(name: string, names: readonly string[], meta: ReadonlyMap<string, Meta>): Family {
  const found = familiesOf(names, meta).find((f) => f.name === name);
  return found ?? { name, members: [name], ...describe(name, meta) };
}

function foldedOf(n: string, all: ReadonlySet<string>, meta: ReadonlyMap<string, Meta>): Family | undefined {
  const base = n.replace(/_(bucket|count)$/, "");
  if (base === n) return undefined;
  const told = meta.get(base);
  const parts = [`${base}_count`, `${base}_sum`];
  if (!parts.every((p) => all.has(p))) return undefined;
  const also = [base, `${base}_bucket`, `${base}_created`].filter((p) => all.has(p));
  const members = [...parts, ...also];
  if (all.has(`${base}_bucket`)) return { name: base, members, type: told?.type === "gaugehistogram" ? told.type : "histogram", help: told?.help ?? "", kind: "classic" };
  if (told?.type === "summary") return { name: base, members, type: "summary", help: told.help, kind: "summary" };
  return undefined;
}
