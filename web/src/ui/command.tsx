import { useSignal } from "@preact/signals";

/** A command to copy. */
export function Command({ text }: { text: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    copied.value = true;
    setTimeout(() => (copied.value = false), 1500);
  };
  return (
    <div class="command">
      <pre>
        <code>{text}</code>
      </pre>
      {"clipboard" in navigator && (
        <button type="button" class="button" onClick={() => void copy()}>
          <span aria-live="polite">{copied.value ? "Copied" : "Copy"}</span>
        </button>
      )}
    </div>
  );
}
