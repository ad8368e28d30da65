import { signal } from "@preact/signals";
import { hashOf, type Screen } from "./router";

/** Whether the list of keys is shown. */
export const helpShown = signal(false);

/** The keys that work everywhere, for the list. */
export const keys: readonly (readonly [string, string])[] = [
  ["/", "to the filter, or to the query"],
  ["g m", "metrics"],
  ["g q", "query"],
  ["g p", "probes"],
  ["g a", "arrivals"],
  ["↑ ↓", "from row to row in a list"],
  ["← →", "from step to step in a chart that has the focus"],
  ["Esc", "closes what is open"],
  ["?", "this list"],
];

const screens: Readonly<Record<string, Screen>> = { m: "metrics", q: "query", p: "probes", a: "arrivals" };
let went = 0; // when g was pressed

/** Handles the keys that work everywhere, from anywhere but a field. */
export function globalKeys(e: KeyboardEvent): void {
  if (e.ctrlKey || e.metaKey || e.altKey || isField(e)) return;
  if (e.key === "/") {
    const field = document.querySelector<HTMLElement>("#filter, .expression textarea, .expression .editor");
    if (field === null) return;
    e.preventDefault();
    if (field instanceof HTMLInputElement) field.select();
    field.focus();
  } else if (e.key === "?") {
    helpShown.value = !helpShown.value;
  } else if (e.key === "g") {
    went = Date.now();
  } else {
    const screen = screens[e.key];
    if (screen !== undefined && Date.now() - went < 1500) location.hash = hashOf(screen);
    went = 0;
  }
}

function isField(e: KeyboardEvent): boolean {
  const t = e.composedPath()[0];
  return t instanceof HTMLInputElement || t instanceof HTMLSelectElement || t instanceof HTMLTextAreaElement || (t instanceof HTMLElement && t.isContentEditable);
}
