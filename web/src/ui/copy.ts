import { useSignal, type ReadonlySignal } from "@preact/signals";

/** Copies a text, and says so for a moment. Without a clipboard (plain HTTP) canCopy is false. */
export function useCopy(): { copied: ReadonlySignal<string>; copy: (text: string, what?: string) => void } {
  const copied = useSignal("");
  const copy = (text: string, what = "Copied") => {
    void navigator.clipboard.writeText(text).then(
      () => (copied.value = what),
      () => (copied.value = "The browser refused the clipboard"),
    );
    setTimeout(() => (copied.value = ""), 1800);
  };
  return { copied, copy };
}

/** Whether there is a clipboard: browsers have none on plain HTTP beyond localhost. */
export const canCopy = "clipboard" in navigator;

/** Hands a text to the reader as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
