import { useEffect, useRef, useState } from "preact/hooks";
import type { Editor } from "./editor";
import type { Names } from "./complete";
import type { Trouble } from "./model";

interface Props {
  text: string;
  /** Changes when the text was not typed here, and has to be put into the editor. */
  revision: number;
  label: string;
  names: Names;
  trouble: Trouble | undefined;
  onChange: (text: string) => void;
  onRun: () => void;
}

/**
 * The field of an expression: a plain one until the editor has come, which is
 * fetched once the field has the focus or the page has nothing else to do.
 */
export function Input(p: Props) {
  const host = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<Editor | undefined>(undefined);
  const now = useRef(p);
  now.current = p;
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let gone = false;
    const load = async () => {
      const { createEditor } = await import("./editor").catch(() => ({ createEditor: undefined })); // the plain field will do
      const el = host.current;
      if (gone || createEditor === undefined || el === null || editor.current !== undefined) return;
      const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
      const focused = document.activeElement === field.current;
      editor.current = createEditor(root, { text: now.current.text, label: p.label, names: p.names, onChange: (t) => now.current.onChange(t), onRun: () => now.current.onRun() });
      editor.current.mark(now.current.trouble?.at);
      setReady(true);
      if (focused) editor.current.focus();
    };
    const t = setTimeout(() => void load(), 300);
    return () => {
      gone = true;
      clearTimeout(t);
      editor.current?.destroy();
      editor.current = undefined;
    };
  }, []);
  useEffect(() => editor.current?.set(p.text), [p.revision]);
  useEffect(() => editor.current?.mark(p.trouble?.at), [p.trouble]);
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || e.shiftKey) return;
    e.preventDefault();
    p.onRun();
  };
  return (
    <div class={`input${p.trouble === undefined ? "" : " input-wrong"}`}>
      {!ready && (
        <textarea ref={field} rows={1} aria-label={p.label} spellcheck={false} autocomplete="off" placeholder="An expression" value={p.text} onInput={(e) => p.onChange(e.currentTarget.value)} onKeyDown={onKeyDown} />
      )}
      <div class="editor" ref={host} tabIndex={-1} hidden={!ready} onFocus={() => editor.current?.focus()} />
    </div>
  );
}
