import { signal } from "@preact/signals";
import { list, text } from "../api/read";
import { recall, remember } from "../prefs";

const most = 50;

/** The expressions that were run in this browser, the newest first. They stay in it. */
export const past = signal<readonly string[]>(list(recall("history")).map(text).filter((s) => s !== ""));

/** Remembers an expression. */
export function keep(query: string): void {
  const q = query.trim();
  if (q === "" || past.peek()[0] === q) return;
  past.value = [q, ...past.peek().filter((p) => p !== q)].slice(0, most);
  remember("history", past.peek());
}

/** Forgets all. */
export function forgetAll(): void {
  past.value = [];
  remember("history", []);
}
