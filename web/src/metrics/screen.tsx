import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { maxNames } from "../api/prom";
import { count, formatNumber } from "../format/number";
import { describe } from "../lens/kind";
import { replaceRoute } from "../router";
import { Failure, Loading } from "../ui/state";
import { Empty } from "./empty";
import { filterNames, ListModel } from "./model";
import { moveFocus } from "./keys";
import { Row } from "./row";
import { useWindow } from "./window";

/** The list of all metrics: the first screen. */
export function MetricsScreen({ filter }: { filter: string }) {
  const [model] = useState(() => new ListModel());
  useEffect(() => {
    document.title = "Metrics · narthex";
    model.start();
    return () => model.stop();
  }, [model]);
  const names = model.names.value;
  const error = model.error.value;
  if (names === undefined) {
    return (
      <>
        <h1>Metrics</h1>
        {error === undefined ? <Loading what="metrics" /> : <Failure title="The metrics can’t be read" text={error} retry={() => model.refresh()} />}
      </>
    );
  }
  if (names.length === 0) return <Empty />;
  return (
    <>
      {error !== undefined && <Failure title="What you see is not up to date" text={error} retry={() => model.refresh()} />}
      <List model={model} names={names} filter={filter} />
    </>
  );
}

function List({ model, names, filter }: { model: ListModel; names: readonly string[]; filter: string }) {
  const shown = useMemo(() => filterNames(names, filter), [names, filter]);
  const body = useRef<HTMLTableSectionElement>(null);
  const row = useRowHeight();
  const w = useWindow(body, row, shown.length);
  const seen = shown.slice(w.first, w.end);
  const key = seen.join("\n");
  useEffect(() => {
    const t = setTimeout(() => model.show(seen), 80);
    return () => clearTimeout(t);
  }, [key]);
  const meta = model.meta.value;
  const stats = model.stats.rows.value;
  return (
    <div onKeyDown={moveFocus}>
      <div class="list-head">
        <h1>Metrics</h1>
        <Filter filter={filter} />
        <p class="dim" role="status">
          {shown.length === names.length ? count(names.length, "metric") : `${formatNumber(shown.length)} of ${count(names.length, "metric")}`}
          <span class="wide"> of the last 24 h</span>
          {names.length === maxNames ? ", the first by name" : ""}
        </p>
      </div>
      {shown.length === 0 ? (
        <p class="none">
          No metric’s name contains “{filter}”.{" "}
          <button type="button" class="button" onClick={() => replaceRoute({ screen: "metrics", filter: "" })}>
            Show all
          </button>
        </p>
      ) : (
        <table class="list" aria-rowcount={shown.length + 1} aria-label="Metrics">
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col">Metric</th>
              <th scope="col">Type</th>
              <th scope="col" class="num">Series</th>
              <th scope="col" class="num">Last value</th>
              <th scope="col" class="num">Last sample</th>
            </tr>
          </thead>
          <tbody ref={body}>
            {w.first > 0 && <Space height={w.first * row} />}
            {seen.map((n, i) => (
              <Row key={n} name={n} described={describe(n, meta)} stats={stats.get(n)} filter={filter} index={w.first + i} />
            ))}
            {w.end < shown.length && <Space height={(shown.length - w.end) * row} />}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Filter({ filter }: { filter: string }) {
  return (
    <label class="filter">
      <span class="sr">Filter metrics by name</span>
      <input
        type="search"
        id="filter"
        placeholder="Filter by name"
        autocomplete="off"
        spellcheck={false}
        maxLength={200}
        value={filter}
        onInput={(e) => replaceRoute({ screen: "metrics", filter: e.currentTarget.value })}
      />
      <kbd class="wide" aria-hidden="true">/</kbd>
    </label>
  );
}

// Stands for the rows that are not drawn, so that the scrollbar tells the truth.
function Space({ height }: { height: number }) {
  return (
    <tr aria-hidden="true" class="space">
      <td colSpan={5} style={{ height: `${height}px` }} />
    </tr>
  );
}

// Rows have one height, in wide and in narrow windows; the style sheet has the same two.
function useRowHeight(): number {
  const [narrow, setNarrow] = useState(() => matchMedia("(max-width: 640px)").matches);
  useEffect(() => {
    const m = matchMedia("(max-width: 640px)");
    const on = () => setNarrow(m.matches);
    m.addEventListener("change", on);
    return () => m.removeEventListener("change", on);
  }, []);
  return narrow ? 62 : 37;
}
