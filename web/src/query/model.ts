import { signal } from "@preact/signals";
import { ApiError, isAbort, messageOf } from "../api/client";
import { evaluateInstant, evaluateRange, parseExpression, type InstantResult, type RangeResult } from "../api/expression";
import { present } from "../clock";
import type { Grid } from "../lens/lens";
import { gridOf, type Span } from "../time/span";
import { leaves, type Leaf } from "./explain";
import { errorPlace, type Span as Place } from "./place";

/** How a result is looked at. */
export const views = ["graph", "table", "heatmap"] as const;
export type View = (typeof views)[number];

/** What was asked: the same question is not asked twice. */
export interface Question {
  query: string;
  view: View;
  span: Span;
  step: number;
}

/** What went wrong, and where in the expression. */
export interface Trouble {
  text: string;
  at: Place | undefined;
}

/** One expression and what it came to. */
export class Expression {
  readonly range = signal<(RangeResult & { grid: Grid; end: number; query: string }) | undefined>(undefined);
  readonly instant = signal<(InstantResult & { at: number; query: string }) | undefined>(undefined);
  readonly trouble = signal<Trouble | undefined>(undefined);
  readonly busy = signal(false);
  readonly leaves = signal<readonly Leaf[]>([]);
  /** How long the answer took, ms. */
  readonly took = signal(0);
  #abort = new AbortController();
  #parse = new AbortController();
  #timer: number | undefined;

  /** Evaluates; what is under way is dropped. */
  async run(q: Question): Promise<void> {
    this.stop();
    if (q.query.trim() === "") {
      this.range.value = this.instant.value = this.trouble.value = undefined;
      return;
    }
    this.#abort = new AbortController();
    const { signal: stop } = this.#abort;
    this.busy.value = true;
    const began = performance.now();
    try {
      const { grid, end } = gridOf(q.span, q.step, present());
      if (q.view === "table") this.instant.value = { ...(await evaluateInstant(q.query, end, stop)), at: end, query: q.query };
      else this.range.value = { ...(await evaluateRange(q.query, grid, stop)), grid, end, query: q.query };
      this.trouble.value = undefined;
      this.took.value = performance.now() - began;
      void this.check(q.query, 0);
    } catch (e) {
      if (isAbort(e)) return;
      const { at, text } = errorPlace(q.query, messageOf(e));
      this.trouble.value = { at, text };
    }
    if (!stop.aborted) this.busy.value = false;
  }

  /** Has the server parse the expression after a while, to show errors as one types. */
  async check(query: string, after: number): Promise<void> {
    this.#parse.abort();
    clearTimeout(this.#timer);
    const stop = (this.#parse = new AbortController()).signal;
    if (after > 0) await new Promise((r) => (this.#timer = window.setTimeout(r, after)));
    if (stop.aborted || query.trim() === "") return;
    try {
      this.leaves.value = leaves(await parseExpression(query, stop));
      if (after > 0) this.trouble.value = undefined;
    } catch (e) {
      // A backend may lack the call: then errors show when the query is run.
      if (isAbort(e) || !(e instanceof ApiError) || e.kind !== "bad_data") return;
      const { at, text } = errorPlace(query, e.message);
      // That it is not finished yet is known to whoever is typing.
      if (at !== undefined && !/unexpected end of input/.test(text)) this.trouble.value = { at, text };
    }
  }

  /** Ends all that is under way. */
  stop(): void {
    this.#abort.abort();
    this.busy.value = false;
  }
}
