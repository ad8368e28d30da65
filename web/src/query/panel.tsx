import { useEffect, useMemo, useState } from "preact/hooks";
import { formatExpression } from "../api/expression";
import type { Meta } from "../api/prom";
import { server } from "../api/server";
import { present } from "../clock";
import { money } from "../format/money";
import { count, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatStep, moment } from "../format/time";
import { describe } from "../lens/kind";
import { hashOf } from "../router";
import { spanPatch, type Span } from "../time/span";
import { canCopy, useCopy } from "../ui/copy";
import { Popover } from "../ui/popover";
import { hints, readCost, readSentence, stepsSentence, type Hint } from "./explain";
import { Graph } from "./graph";
import { Heatmap, heatOf } from "./heatmap";
import { forgetAll, keep, past } from "./history";
import { Input } from "./input";
import { Expression, views, type View } from "./model";
import type { LiveNames } from "./names";
import { Table } from "./table";

interface Props {
  letter: string;
  names: LiveNames;
  /** What the address asks. */
  asked: string;
  view: View;
  span: Span;
  step: number;
  /** Each change evaluates again. */
  tick: number;
  every: number | undefined;
  ask: (query: string, view: View) => void;
  remove: (() => void) | undefined;
  zoom: (from: number, to: number) => void;
}

/** One expression: its field, and what it comes to. */
export function ExpressionPanel(p: Props) {
  const [model] = useState(() => new Expression());
  const [{ text, revision }, setState] = useState({ text: p.asked, revision: 0 });
  const put = (t: string) => setState((old) => ({ text: t, revision: old.revision + 1 }));
  useEffect(() => put(p.asked), [p.asked]);
  useEffect(() => {
    void model.run({ query: p.asked, view: p.view, span: p.span, step: p.step });
  }, [p.asked, p.view, JSON.stringify(p.span), p.step, p.tick]);
  useEffect(() => () => model.stop(), []);
  const run = () => {
    keep(text);
    if (text === p.asked) void model.run({ query: text, view: p.view, span: p.span, step: p.step });
    else p.ask(text, p.view);
  };
  const type = (t: string) => {
    setState((old) => ({ ...old, text: t }));
    model.trouble.value = undefined;
    void model.check(t, 900);
  };
  const use = (query: string) => {
    put(query);
    keep(query);
    p.ask(query, p.view);
  };
  const trouble = model.trouble.value;
  return (
    <section class="expression" aria-label={`Expression ${p.letter}`}>
      <div class="expression-head">
        <span class="letter" aria-hidden="true">{p.letter}</span>
        <Input text={text} revision={revision} label={`PromQL expression ${p.letter}`} names={p.names} trouble={trouble} onChange={type} onRun={run} />
        <button type="button" class="button button-main" onClick={run} aria-busy={model.busy.value}>
          Run
        </button>
      </div>
      {trouble !== undefined && (
        <p class="trouble" role="alert">
          {shownText(trouble.text)}
        </p>
      )}
      <div class="expression-bar">
        <div class="segments" role="group" aria-label="View">
          {views.map((v) => (
            <button key={v} type="button" aria-pressed={p.view === v} onClick={() => p.ask(text, v)}>
              {v.charAt(0).toUpperCase() + v.slice(1)}
            </button>
          ))}
        </div>
        <Tools text={text} span={p.span} use={use} set={put} />
        {p.remove !== undefined && (
          <button type="button" class="button" onClick={p.remove} aria-label={`Remove expression ${p.letter}`}>
            Remove
          </button>
        )}
      </div>
      <Outcome {...p} model={model} use={use} />
    </section>
  );
}

function Tools({ text, span, use, set }: { text: string; span: Span; use: (q: string) => void; set: (q: string) => void }) {
  const { copied, copy } = useCopy();
  const format = () => void formatExpression(text, AbortSignal.timeout(10_000)).then((s) => s !== "" && set(s), () => undefined); // what is wrong with it is told anyway
  const share = () => copy(new URL(hashOf("query", "", { q: text, ...spanPatch(span) }), document.baseURI).href, "Address copied");
  return (
    <>
      <Popover label="History" class="menu history">
        {(close) =>
          past.value.length === 0 ? (
            <p class="dim">What you run is listed here. It stays in this browser.</p>
          ) : (
            <ul>
              {past.value.map((q) => (
                <li key={q}>
                  <button
                    type="button"
                    onClick={() => {
                      close();
                      use(q);
                    }}
                  >
                    <code>{shownText(q)}</code>
                  </button>
                </li>
              ))}
              <li>
                <button type="button" class="dim" onClick={() => { close(); forgetAll(); }}>
                  Forget all
                </button>
              </li>
            </ul>
          )
        }
      </Popover>
      <button type="button" class="button" disabled={text.trim() === ""} onClick={format}>
        Format
      </button>
      {canCopy && (
        <button type="button" class="button" disabled={text.trim() === ""} onClick={share}>
          Share
        </button>
      )}
      <span class="copied" role="status">{copied.value}</span>
    </>
  );
}

function Outcome(p: Props & { model: Expression; use: (q: string) => void }) {
  const { model } = p;
  const range = model.range.value;
  const instant = model.instant.value;
  if (p.asked.trim() === "") return <Examples names={p.names} use={p.use} />;
  if (p.view === "table") {
    if (instant === undefined) return <Waiting model={model} />;
    return (
      <div class="outcome" aria-busy={model.busy.value}>
        {instant.series.length === 0 && instant.type !== "string" ? <Nothing /> : <Table result={instant} />}
        <Caption parts={[`at ${moment(instant.at, present())}`, count(instant.series.length, "series", "series"), readSentence(instant.read)]} took={model.took.value} />
        <Notes notes={instant.notes} />
      </div>
    );
  }
  if (range === undefined) return <Waiting model={model} />;
  const total = range.series.length + range.histograms.length;
  const asHeat = p.view === "heatmap" || (range.series.length === 0 && range.histograms.length > 0);
  const view = { label: range.query, grid: range.grid, end: range.end, zoom: p.zoom };
  return (
    <div class="outcome" aria-busy={model.busy.value}>
      {total === 0 ? <Nothing /> : asHeat ? <Heatmap result={range} {...view} /> : <Graph series={range.series} {...view} />}
      <Caption parts={[`${count(total, "series", "series")}, ${count(range.points, "point")}`, stepsSentence(range.grid), readSentence(range.read), costOf(range.read, p.every)]} took={model.took.value} />
      {!asHeat && total > 1 && heatOf(range, range.grid) !== undefined && <Notes notes={["These are a histogram’s buckets: the heatmap shows them as one."]} />}
      <Notes notes={range.notes} />
      <Hints p={p} grid={range.grid} query={range.query} />
    </div>
  );
}

function Waiting({ model }: { model: Expression }) {
  return model.trouble.value === undefined ? <p class="loading" role="status"><span class="pulse" aria-hidden="true" />Evaluating …</p> : null;
}

function Nothing() {
  return <p class="none">The expression is right, but nothing matches it in this time.</p>;
}

function Caption({ parts, took }: { parts: readonly string[]; took: number }) {
  return <p class="caption dim">{[...parts.filter((s) => s !== ""), `${formatNumber(Math.round(took))} ms`].join(" · ")}</p>;
}

function costOf(read: number | undefined, every: number | undefined): string {
  const { price } = server.value;
  if (read === undefined || read === 0 || price.queried === 0) return "";
  const period = every ?? 30_000;
  return `refreshed every ${formatStep(period)} it would cost ${money(readCost(read, period, price.queried), price.currency)} a month in Amazon Managed Prometheus`;
}

function Notes({ notes }: { notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <ul class="notes">
      {notes.map((n) => <li key={n}>{shownText(n)}</li>)}
    </ul>
  );
}

function Hints({ p, grid, query }: { p: Props & { model: Expression; use: (q: string) => void }; grid: Parameters<typeof hints>[3]; query: string }) {
  const [meta, setMeta] = useState<ReadonlyMap<string, Meta>>(new Map());
  useEffect(() => void p.names.meta().then(setMeta), []);
  const leaves = p.model.leaves.value;
  const found = useMemo((): Hint[] => hints(query, leaves, (n) => describe(n, meta).type, grid), [query, leaves, meta, grid]);
  const lens = leaves.filter((l) => l.name !== "");
  if (found.length === 0 && lens.length === 0) return null;
  return (
    <ul class="hints">
      {found.map((h) => (
        <li key={h.text}>
          {shownText(h.text)}
          {h.fix !== undefined && (
            <button type="button" class="button" onClick={() => h.fix !== undefined && p.use(h.fix.query)}>
              {h.fix.label}
            </button>
          )}
        </li>
      ))}
      {lens.length > 0 && (
        <li>
          Stored samples:{" "}
          {[...new Set(lens.map((l) => l.name))].slice(0, 6).map((n, i) => (
            <span key={n}>
              {i > 0 && ", "}
              <a href={hashOf("metric", n, spanPatch(p.span))}>{shownText(n)}</a>
            </span>
          ))}
        </li>
      )}
    </ul>
  );
}

// For those who do not know PromQL yet: real names with the usual functions.
function Examples({ names, use }: { names: LiveNames; use: (q: string) => void }) {
  const [list, setList] = useState<readonly string[]>([]);
  useEffect(() => {
    void names.metrics().then((all) => {
      const counter = all.find((m) => m.type === "counter" && m.name.endsWith("_total"))?.name;
      const gauge = all.find((m) => m.type === "gauge")?.name;
      const buckets = all.find((m) => m.name.endsWith("_bucket"))?.name;
      setList([counter && `sum(rate(${counter}[5m]))`, counter && `topk(5, increase(${counter}[1h]))`, gauge, buckets && `histogram_quantile(0.9, sum by (le) (rate(${buckets}[5m])))`].filter((x): x is string => x !== undefined));
    }, () => undefined);
  }, []);
  if (list.length === 0) return null;
  return (
    <div class="examples">
      <p class="dim">For a start, with what is stored here:</p>
      <ul>
        {list.map((q) => (
          <li key={q}>
            <button type="button" class="value" onClick={() => use(q)}>
              <code>{shownText(q)}</code>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
