import { useState } from "preact/hooks";
import type { Arrival } from "../api/arrivals";
import { now } from "../clock";
import { count, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { formatAge, span, stamp } from "../format/time";
import { replaceRoute, type Route } from "../router";
import { labelsOf, samplesOf } from "./link";

interface Props {
  arrivals: readonly Arrival[];
  all: boolean;
  route: Route;
  filter: string;
  set: (filter: string) => Route;
}

const first = 40;

/** The last pushes: those that failed or had something rejected, then the others. */
export function PushList({ arrivals, all, filter, set }: Props) {
  const shown = matching(arrivals, filter);
  const bad = shown.filter(needsLook);
  const good = shown.filter((a) => !needsLook(a)).sort((a, b) => b.received - a.received);
  return (
    <>
      <div class="list-head arrivals-head">
        <label class="filter">
          <span class="sr">Filter by source, id, metric or reason</span>
          <input type="search" id="filter" placeholder="Source, id, metric, reason" autocomplete="off" spellcheck={false} value={filter} onInput={(e) => replaceRoute(set(e.currentTarget.value))} />
          <kbd class="wide" aria-hidden="true">/</kbd>
        </label>
        <p class="dim" role="status">
          {filter === "" ? `The last ${count(arrivals.length, "request")}` : `${formatNumber(shown.length)} of the last ${count(arrivals.length, "request")}`}
          {!all && ", those of yours"}
        </p>
      </div>
      {arrivals.length === 0 && (
        <p class="none">
          Nothing was pushed since narthex began. <a href="#/">How to send something</a>
        </p>
      )}
      {arrivals.length > 0 && shown.length === 0 && <p class="none">None of them has “{filter}”.</p>}
      {bad.length > 0 && <Group title="Need a look" list={bad} />}
      {good.length > 0 && <Group title="Arrived" list={good} />}
    </>
  );
}

/** Whether something of it was not taken. */
export function needsLook(a: Arrival): boolean {
  return a.status === "failed" || a.rejected.length > 0 || a.status === "rejected";
}

function matching(all: readonly Arrival[], filter: string): readonly Arrival[] {
  const words = filter.toLowerCase().split(/\s+/).filter((w) => w !== "");
  if (words.length === 0) return all;
  return all.filter((a) => {
    const text = [a.id, a.door, a.source, a.identity, a.status, a.error, ...a.rejected.flatMap((r) => [r.series, r.reason]), ...a.examples.map((e) => e.series)].join(" ").toLowerCase();
    return words.every((w) => text.includes(w));
  });
}

function Group({ title, list }: { title: string; list: readonly Arrival[] }) {
  const [shown, setShown] = useState(first);
  const rest = list.length - shown;
  return (
    <section class="block" aria-label={title}>
      <h2>
        {title} <span class="dim">{formatNumber(list.length)}</span>
      </h2>
      <ol class="arrivals">
        {list.slice(0, shown).map((a) => (
          <Item key={`${a.identity} ${a.id} ${a.received} ${a.error}`} a={a} />
        ))}
      </ol>
      {rest > 0 && (
        <button type="button" class="button more" onClick={() => setShown(shown + 100)}>
          Show {Math.min(100, rest)} more of {formatNumber(rest)}
        </button>
      )}
    </section>
  );
}

const doors: Readonly<Record<string, string>> = { push: "push", emf: "EMF", otlp: "OTLP", remote_write: "remote write", group: "Pushgateway group", aggregate: "aggregation" };

function Item({ a }: { a: Arrival }) {
  return (
    <li class={needsLook(a) ? "bad" : undefined}>
      <div class="arrival-line">
        <time dateTime={new Date(a.received).toISOString()} title={stamp(a.received)}>
          {formatAge(a.received, now.value)}
        </time>
        <span class={`badge status-${a.status}`}>{a.status}</span>
        <span class="who">
          {sourceOf(a) === "" ? <span class="dim">no service</span> : <b>{shownText(sourceOf(a))}</b>} <span class="dim">by {doors[a.door] ?? shownText(a.door)}{a.identity !== "" && `, ${shownText(a.identity)}`}</span>
          {a.times > 1 && <span class="badge">{formatNumber(a.times)} times</span>}
        </span>
        <Fate a={a} />
      </div>
      {a.error !== "" && (
        <p class="reason">
          {a.code > 0 && <b>{a.code} </b>}
          {shownText(a.error)}
        </p>
      )}
      {a.rejected.map((r, i) => (
        <p class="reason" key={i}>
          {r.series !== "" && <code>{shownText(r.series)}</code>} {shownText(r.reason)}
        </p>
      ))}
      {a.examples.length > 0 && (
        <p class="became">
          {a.examples.map((s, i) => (
            <a key={i} href={samplesOf(a, s)} title="The stored samples">
              <code>{shownText(s.series)}</code>
            </a>
          ))}
          {a.series > a.examples.length && <span class="dim">and {formatNumber(a.series - a.examples.length)} more</span>}
        </p>
      )}
      {a.warnings.map((w) => (
        <p class="warning" key={w}>
          {shownText(w)}
        </p>
      ))}
      {a.id !== "" && <p class="id dim">id {shownText(a.id)}</p>}
    </li>
  );
}

// Of a push of which nothing was taken, the refused series say who it was.
function sourceOf(a: Arrival): string {
  return a.source || (labelsOf(a.rejected[0]?.series ?? "").find(([n]) => n === "service" || n === "job")?.[1] ?? "");
}

// When it could be seen, or that it can't yet.
function Fate({ a }: { a: Arrival }) {
  const taken = [a.accepted > 0 && `${formatNumber(a.accepted)} accepted`, a.duplicate > 0 && `${formatNumber(a.duplicate)} known before`, a.rejected.length > 0 && `${formatNumber(a.rejected.length)} rejected`].filter((x) => x !== false);
  const when = a.written === undefined ? (a.status === "pending" ? "waits for the next tick" : "") : a.written <= a.received ? "stored at once" : `stored after ${span(a.written - a.received)}`;
  return <span class="fate dim">{[...taken, when].filter((x) => x !== "").join(" · ")}</span>;
}
