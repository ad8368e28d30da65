import { canCopy, useCopy } from "./copy";

/** A command to copy. */
export function Command({ text }: { text: string }) {
  const { copied, copy } = useCopy();
  return (
    <div class="command">
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      {canCopy && (
        <button type="button" class="button" onClick={() => copy(text)}>
          <span aria-live="polite">{copied.value === "" ? "Copy" : copied.value}</span>
        </button>
      )}
    </div>
  );
}
