import { signal } from "@preact/signals";
import { labelNames, labelValues } from "../api/prom";
import { isAbort, messageOf } from "../api/client";
import { quote } from "../promql";
import type { Family } from "./family";

/** Labels that say who sends, in the order in which they are offered. */
const senders = ["service", "job", "source", "app", "namespace"];
/** More values than this are not asked about one by one. */
const maxValues = 100;

/** Which metrics which service has, found with label calls alone. */
export class Services {
  /** The labels that the store has to group by. */
  readonly labels = signal<readonly string[]>([]);
  /** The values with which each name occurs; undefined while loading. */
  readonly byName = signal<ReadonlyMap<string, readonly string[]> | undefined>(undefined);
  readonly error = signal<string | undefined>(undefined);
  #label = "";

  /** Finds the labels to group by. */
  async offer(since: number, signal: AbortSignal): Promise<void> {
    try {
      const all = await labelNames(since, signal);
      this.labels.value = senders.filter((s) => all.includes(s));
    } catch {
      // Then there is nothing to group by but the names.
    }
  }

  /** Loads the values of a label for all names, once. */
  async load(label: string, since: number, signal: AbortSignal): Promise<void> {
    if (label === this.#label) return;
    this.#label = label;
    this.byName.value = undefined;
    this.error.value = undefined;
    try {
      const values = (await labelValues(label, undefined, since, signal)).slice(0, maxValues);
      const out = new Map<string, string[]>();
      for (let i = 0; i < values.length; i += 6) {
        const some = values.slice(i, i + 6);
        const names = await Promise.all(some.map((v) => labelValues("__name__", `{${label}=${quote(v)}}`, since, signal)));
        for (const [j, list] of names.entries()) {
          for (const n of list) out.set(n, [...(out.get(n) ?? []), some[j] ?? ""]);
        }
      }
      if (label === this.#label) this.byName.value = out;
    } catch (e) {
      if (label === this.#label) this.#label = "";
      if (!isAbort(e)) this.error.value = messageOf(e);
    }
  }

  /** The group of a family: its service, or that it has several. */
  groupOf(f: Family): string {
    const of = new Set(f.members.flatMap((m) => this.byName.value?.get(m) ?? []));
    const [one] = of;
    return of.size === 1 && one !== undefined ? one : of.size > 1 ? several : "";
  }
}

/** The group of what more than one service sends. */
export const several = "several";
