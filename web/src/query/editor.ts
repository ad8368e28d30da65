import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, completionStatus, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, LRLanguage, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, placeholder, type DecorationSet } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { parser } from "@prometheus-io/lezer-promql";
import { completer, type Names } from "./complete";

/** An editor of one expression. */
export interface Editor {
  set: (text: string) => void;
  /** Underlines a place, from and to; undefined for none. */
  mark: (at: readonly [number, number] | undefined) => void;
  focus: () => void;
  destroy: () => void;
}

interface Options {
  text: string;
  label: string;
  names: Names;
  onChange: (text: string) => void;
  onRun: () => void;
}

const setMark = StateEffect.define<readonly [number, number] | undefined>();
const underline = Decoration.mark({ class: "wrong" });
const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(old, tr) {
    for (const e of tr.effects) {
      if (!e.is(setMark)) continue;
      const at = e.value;
      const end = tr.newDoc.length;
      if (at === undefined || end === 0) return Decoration.none;
      const from = Math.min(at[0], end - 1);
      return Decoration.set(underline.range(from, Math.max(from + 1, Math.min(at[1], end))));
    }
    return old.map(tr.changes);
  },
  provide: (f) => EditorView.decorations.from(f),
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--plum)" },
  { tag: [tags.function(tags.variableName), tags.macroName], color: "var(--sky)" },
  { tag: tags.labelName, color: "var(--leaf)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ember)" },
  { tag: [tags.number, tags.literal], color: "var(--ink)", fontWeight: "600" },
  { tag: tags.comment, color: "var(--ink-2)" },
]);

// Variables of the style sheet reach into the shadow root.
const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { fontFamily: "var(--mono)", fontSize: "13px", lineHeight: "20px", padding: "8px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 12px" },
  ".cm-placeholder": { color: "var(--ink-2)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--mark)" },
  ".cm-matchingBracket": { backgroundColor: "var(--mark)" },
  ".wrong": { textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "4px" },
  ".cm-tooltip": { border: "1px solid var(--line-2)", borderRadius: "8px", backgroundColor: "var(--raised)", color: "var(--ink)", boxShadow: "var(--shade)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px", maxHeight: "280px" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "3px 10px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--ink)", color: "var(--paper)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionDetail": { color: "var(--ink-2)", fontFamily: "var(--sans)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionInfo": { padding: "6px 10px", maxWidth: "340px" },
});

/**
 * Puts an editor into a shadow root: there its styles are adopted sheets, which
 * the page's policy allows, while a style element would be refused.
 */
export function createEditor(root: ShadowRoot, o: Options): Editor {
  const run = () => {
    o.onRun();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: o.text,
      extensions: [
        history(),
        closeBrackets(),
        bracketMatching(),
        LRLanguage.define({ parser }),
        syntaxHighlighting(colours),
        autocompletion({ override: [completer(o.names)], icons: false, closeOnBlur: true }),
        marks,
        theme,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": o.label }),
        placeholder("An expression, such as sum by (route) (rate(requests_total[5m]))"),
        Prec.highest(
          keymap.of([
            { key: "Mod-Enter", run },
            { key: "Enter", run: (v) => (completionStatus(v.state) === "active" ? acceptCompletion(v) : run()) },
            { key: "Tab", run: acceptCompletion },
            { key: "Shift-Enter", run: (v) => (v.dispatch(v.state.replaceSelection("\n")), true) },
          ]),
        ),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.updateListener.of((u) => {
          if (!u.docChanged) return;
          o.onChange(u.state.doc.toString());
          // After an opening brace or quote the names are wanted at once.
          const at = u.state.selection.main.head;
          if (u.transactions.some((t) => t.isUserEvent("input")) && /[{,("[]$/.test(u.state.sliceDoc(Math.max(0, at - 1), at))) setTimeout(() => startCompletion(u.view), 0);
        }),
      ],
    }),
  });
  return {
    set: (text) => {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    mark: (at) => view.dispatch({ effects: setMark.of(at) }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
