import { computed, effect, signal, type Signal } from "@preact/signals";

/** Whose clock the times on the screen are in. */
export type Zone = "local" | "utc";
/** The colours: as the system has them, or as chosen. */
export type Look = "auto" | "light" | "dark";

/** Kept in this browser alone; nothing of it is sent. */
export const zone = kept<Zone>("zone", ["local", "utc"]);
export const look = kept<Look>("look", ["auto", "light", "dark"]);

const dark = signal(false);
const printing = signal(false);

/** The colours that are shown: paper is always light. Canvases are drawn anew when it changes. */
export const shownLook = computed<"light" | "dark">(() => {
  if (printing.value) return "light";
  return look.value === "auto" ? (dark.value ? "dark" : "light") : look.value;
});

/** Lets the style sheet know the colours, and follows the system and the printer. */
export function startLook(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  dark.value = system.matches;
  system.addEventListener("change", () => (dark.value = system.matches));
  window.addEventListener("beforeprint", () => (printing.value = true));
  window.addEventListener("afterprint", () => (printing.value = false));
  effect(() => {
    document.documentElement.dataset["look"] = shownLook.value;
  });
}

/** Reads what this browser keeps under a name; undefined if it is not there or may not be read. */
export function recall(name: string): unknown {
  try {
    const text = localStorage.getItem("narthex." + name);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined; // storage is switched off, or somebody else's text is there
  }
}

/** Keeps a value in this browser, if it may. */
export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem("narthex." + name, JSON.stringify(value));
  } catch {
    // It is then forgotten with the page.
  }
}

function kept<T extends string>(name: string, choices: readonly [T, ...T[]]): Signal<T> {
  const was = recall(name);
  const s = signal<T>(choices.find((c) => c === was) ?? choices[0]);
  s.subscribe((v) => {
    if (v !== (recall(name) ?? choices[0])) remember(name, v);
  });
  return s;
}
