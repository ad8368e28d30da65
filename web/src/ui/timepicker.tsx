import { useState } from "preact/hooks";
import { now as clockNow, present } from "../clock";
import { formatStep, stamp, utc } from "../format/time";
import { zone } from "../prefs";
import { lengthOf, moved, quick, relative, shortDuration, type Span } from "../time/span";
import { parseDuration } from "../promql";
import { Popover } from "./popover";

/** Chooses a stretch of time: the last so long, or from one moment to another. */
export function TimePicker({ span, choose }: { span: Span; choose: (s: Span) => void }) {
  const fixed = span.kind === "fixed";
  return (
    <div class="timepicker">
      <div class="segments" role="group" aria-label="Range">
        {quick.map((ms) => (
          <button key={ms} type="button" aria-pressed={!fixed && span.ms === ms} onClick={() => choose({ kind: "last", ms })}>
            {shortDuration(ms)}
          </button>
        ))}
      </div>
      <Popover label={<Label span={span} />} class="timepicker-more">
        {(close) => (
          <Panel
            span={span}
            choose={(s) => {
              choose(s);
              close();
            }}
          />
        )}
      </Popover>
      <div class="segments" role="group" aria-label="Move in time">
        <button type="button" aria-label="Earlier" title="Earlier" onClick={() => choose(moved(span, present(), -0.5))}>
          ←
        </button>
        <button type="button" aria-label="Later" title="Later" disabled={!fixed} onClick={() => choose(later(span))}>
          →
        </button>
        <button type="button" aria-label="Longer" title="Longer (drag over a chart for shorter)" onClick={() => choose(moved(span, present(), 0, 2))}>
          ⤢
        </button>
      </div>
    </div>
  );
}

// At the present a fixed stretch becomes the last so long again.
function later(s: Span): Span {
  const next = moved(s, present(), 0.5);
  return next.kind === "fixed" && next.to >= present() ? { kind: "last", ms: Math.round(lengthOf(s) / 1000) * 1000 } : next;
}

function Label({ span }: { span: Span }) {
  if (span.kind === "last") return quick.includes(span.ms) ? <>Other …<span class="sr"> time than the last {formatStep(span.ms)}</span></> : <>Last {formatStep(span.ms)}</>;
  const from = stamp(span.from);
  const to = stamp(span.to);
  return (
    <>
      {from.slice(0, 19)} – {from.slice(0, 10) === to.slice(0, 10) ? to.slice(11, 19) : to.slice(0, 19)}
    </>
  );
}

function Panel({ span, choose }: { span: Span; choose: (s: Span) => void }) {
  const end = span.kind === "fixed" ? span.to : clockNow.peek();
  const [from, setFrom] = useState(field(end - lengthOf(span)));
  const [to, setTo] = useState(field(end));
  const [length, setLength] = useState("");
  const ms = parseDuration(length.trim());
  const [a, b] = [moment(from), moment(to)];
  const ok = a !== undefined && b !== undefined && b - a >= 1000;
  return (
    <div class="timepanel">
      <div>
        <h3>The last …</h3>
        <ul>
          {relative.map((r) => (
            <li key={r}>
              <button type="button" aria-pressed={span.kind === "last" && span.ms === r} onClick={() => choose({ kind: "last", ms: r })}>
                {formatStep(r)}
              </button>
            </li>
          ))}
        </ul>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (ms !== undefined) choose({ kind: "last", ms });
          }}
        >
          <label>
            <span class="sr">Other length</span>
            <input value={length} placeholder="such as 45m" spellcheck={false} autocomplete="off" onInput={(e) => setLength(e.currentTarget.value)} />
          </label>
          <button type="submit" class="button" disabled={ms === undefined}>
            Show
          </button>
        </form>
      </div>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (ok) choose({ kind: "fixed", from: a, to: b });
        }}
      >
        <h3>From … to …, {zone.value === "utc" ? "UTC" : "the time here"}</h3>
        <label>
          <span>From</span>
          <input type="datetime-local" step="1" value={from} onInput={(e) => setFrom(e.currentTarget.value)} />
        </label>
        <label>
          <span>To</span>
          <input type="datetime-local" step="1" value={to} onInput={(e) => setTo(e.currentTarget.value)} />
        </label>
        {!ok && <p class="failed">It must end after it begins.</p>}
        <button type="submit" class="button" disabled={!ok}>
          Show
        </button>
      </form>
    </div>
  );
}

// The value of a field for a local time, which is UTC if that is chosen.
function field(t: number): string {
  return stamp(t).slice(0, 19).replace(" ", "T");
}

function moment(s: string): number | undefined {
  const t = Date.parse(zone.value === "utc" ? s + "Z" : s);
  return Number.isFinite(t) && utc(t).length > 6 ? t : undefined;
}
