import { signal } from "@preact/signals";
import { lookback } from "../lens/lens";
import { call } from "./client";
import { place } from "./place";
import { list, number, record, text } from "./read";

/** What is looked at, and what else there is to look at. */
export interface Backend {
  name: string;
  kind: string;
  /** All backends by name; the first one is shown at narthex's own address. */
  all: readonly string[];
}

/** The backend's word; of a bare Prometheus nothing is known. */
export const backend = signal<Backend>({ name: "", kind: "", all: [] });

let known: Promise<void> | undefined;

/** Asks once what the backend is. What it says holds for all that is shown: the lookback is its. */
export function askBackend(): Promise<void> {
  return (known ??= call("status/backend", {}, AbortSignal.timeout(patience)).then(
    (data) => {
      const d = record(data);
      backend.value = { name: text(d["name"]), kind: text(d["kind"]), all: list(d["backends"]).map(text) };
      if (text(d["error"]) !== "") setTimeout(afresh, again); // it could not be asked itself
      if (number(d["lookbackSeconds"]) > 0) lookback.value = number(d["lookbackSeconds"]) * 1000;
    },
    () => undefined, // it has none to tell
  ));
}

/** Ends when the backend is known, or when it takes long to say what it is. */
export function backendKnown(): Promise<unknown> {
  return Promise.race([askBackend(), new Promise((r) => setTimeout(r, 1500))]);
}

// A backend far away takes its time to be found out about; what is seen meanwhile
// is drawn again when it is known.
const patience = 20_000;
const again = 20_000;

/** The address at which a backend shows the same. */
export function addressOf(name: string): string {
  const path = name === backend.value.all[0] ? "" : `backends/${encodeURIComponent(name)}/`;
  return place().root + path + location.hash;
}

function afresh(): void {
  known = undefined;
  void askBackend();
}
