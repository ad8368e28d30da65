import { Fragment } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { maxNames } from "../api/prom";
import { now } from "../clock";
import { count, formatNumber } from "../format/number";
import { shownText } from "../format/text";
import { param, patched, replaceRoute, type Route } from "../router";
import { Failure, Loading } from "../ui/state";
import { depthOf, filterFamilies, formatOrder, linesOf, parseOrder, prefixes, sorted, stateOf, type Column, type Line, type Order } from "./arrange";
import { Empty } from "./empty";
import type { Family } from "./family";
import { Head, type Narrowing } from "./head";
import { ListModel } from "./model";
import { moveFocus } from "./keys";
import { Row } from "./row";
import { several } from "./services";
import { useWindow } from "./window";

/** The list of all metrics: the first screen. */
export function MetricsScreen({ route }: { route: Route }) {
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
      <List model={model} route={route} />
    </>
  );
}

function narrowingOf(r: Route): Narrowing {
  return { filter: param(r, "q"), type: param(r, "type"), state: param(r, "state"), by: param(r, "by") };
}

function List({ model, route }: { model: ListModel; route: Route }) {
  const n = narrowingOf(route);
  const order = parseOrder(param(route, "sort"));
  const families = model.families.value;
  const depth = depthOf(order, n.state);
  const matching = useMemo(() => filterFamilies(families, n.filter).filter((f) => n.type === "" || f.type === n.type), [families, n.filter, n.type]);
  useEffect(() => model.showAll(matching, depth), [matching, depth]);
  useEffect(() => {
    if (n.by !== "" && n.by !== "prefix") model.group(n.by);
  }, [n.by]);
  const stats = model.stats.rows.value;
  // Only an order or a state by numbers has to be found anew when numbers come.
  const known = depth === undefined ? undefined : stats;
  const shown = useMemo(() => {
    const some = n.state === "" ? matching : matching.filter((f) => stateOf(stats.get(f.name), now.peek()) === n.state);
    return sorted(some, stats, order);
  }, [matching, n.state, order.column, order.reverse, known]);
  const services = model.services.byName.value;
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const lines = useMemo(() => {
    const groupOf = n.by === "" ? undefined : n.by === "prefix" ? prefixes(matching) : (f: Family) => model.services.groupOf(f);
    return linesOf(shown, groupOf, closed);
  }, [shown, n.by, services, closed]);
  const toggle = (g: string) => setClosed(new Set(closed.has(g) ? [...closed].filter((c) => c !== g) : [...closed, g]));
  const missing = depth === undefined ? 0 : model.stats.missing.value;
  const grouping = model.services.error.value;
  return (
    <div onKeyDown={moveFocus}>
      <Head route={route} now={n} families={families} shown={shown.length} labels={model.services.labels.value} note={(model.names.value ?? []).length === maxNames ? ", the first by name" : ""} />
      {missing > 0 && (
        <p class="progress" role="status">
          <progress max={matching.length} value={matching.length - missing} aria-label="Numbers read" /> Reading the numbers of all metrics: {formatNumber(missing)} to go
        </p>
      )}
      {n.by !== "" && grouping !== undefined && <Failure title="The groups can’t be read" text={grouping} retry={() => model.group(n.by)} />}
      {shown.length === 0 ? <None route={route} n={n} waiting={missing > 0} /> : <Table {...{ model, lines, n, order, route, toggle }} />}
    </div>
  );
}

function None({ route, n, waiting }: { route: Route; n: Narrowing; waiting: boolean }) {
  const what = [n.filter !== "" && `has “${n.filter}” in its name or help`, n.type !== "" && `is a ${n.type}`, n.state !== "" && `is ${n.state}`].filter((x) => x !== false);
  return (
    <p class="none">
      {waiting ? `None so far ${what.join(" and ")}.` : `No metric ${what.join(" and ")}.`}{" "}
      <button type="button" class="button" onClick={() => replaceRoute(patched(route, { q: "", type: "", state: "" }))}>
        Show all
      </button>
    </p>
  );
}

const heads: readonly { column: Column; title: string; num?: boolean; hint?: string }[] = [
  { column: "name", title: "Metric" },
  { column: "type", title: "Type" },
  { column: "series", title: "Series", num: true, hint: "Series that had a sample in the last day" },
  { column: "value", title: "Last value", num: true, hint: "The sum over all series; of gauges the lowest and the highest" },
  { column: "samples", title: "Samples a day", num: true },
  { column: "cost", title: "A month", num: true, hint: "What taking in the samples costs a month at the configured price" },
  { column: "age", title: "Last sample", num: true },
];

interface TableProps {
  model: ListModel;
  lines: readonly Line[];
  n: Narrowing;
  order: Order;
  route: Route;
  toggle: (group: string) => void;
}

function Table({ model, lines, n, order, route, toggle }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const row = useRowHeight();
  const w = useWindow(body, row, lines.length);
  const seen = lines.slice(w.first, w.end);
  const key = seen.map((l) => (l.kind === "family" ? l.family.name : l.name)).join("\n");
  useEffect(() => {
    const t = setTimeout(() => model.show(seen.flatMap((l) => (l.kind === "family" ? [l.family] : []))), 80);
    return () => clearTimeout(t);
  }, [key]);
  const stats = model.stats.rows.value;
  const arrived = model.arrived.value;
  const known = [...stats.values()].filter((s) => s.day !== undefined);
  const tellsNew = known.filter((s) => s.day?.fresh === true).length * 2 < known.length;
  const sort = (column: Column) => {
    const numeric = column !== "name" && column !== "type";
    const reverse = order.column === column ? !order.reverse : numeric && column !== "age";
    replaceRoute(patched(route, { sort: formatOrder({ column, reverse }) }));
  };
  return (
    <table class="list" aria-rowcount={lines.length + 1} aria-label="Metrics">
      <thead>
        <tr aria-rowindex={1}>
          {heads.map((h) => (
            <Fragment key={h.column}>
              {h.column === "samples" && <th scope="col" class="head-spark">Last 3 h</th>}
              <th scope="col" class={`head-${h.column}${h.num === true ? " num" : ""}`} aria-sort={order.column === h.column ? (order.reverse ? "descending" : "ascending") : undefined}>
                <button type="button" class="sort" title={h.hint} onClick={() => sort(h.column)}>
                  {order.column === h.column && <i aria-hidden="true">{order.reverse ? "↓" : "↑"}</i>}
                  {h.title}
                </button>
              </th>
            </Fragment>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        {w.first > 0 && <Space height={w.first * row} />}
        {seen.map((l, i) =>
          l.kind === "family" ? (
            <Row key={l.family.name} family={l.family} stats={stats.get(l.family.name)} filter={n.filter} index={w.first + i} arrived={l.family.members.some((m) => arrived.has(m))} tellsNew={tellsNew} />
          ) : (
            <Group key={"group " + l.name} line={l} by={n.by} index={w.first + i} toggle={toggle} />
          ),
        )}
        {w.end < lines.length && <Space height={(lines.length - w.end) * row} />}
      </tbody>
    </table>
  );
}

function Group({ line, by, index, toggle }: { line: Extract<Line, { kind: "group" }>; by: string; index: number; toggle: (g: string) => void }) {
  const name = line.name === "" ? (by === "prefix" ? "others" : `without ${by}`) : line.name === several && by !== "prefix" ? `of several ${by}s` : line.name;
  return (
    <tr class="group" aria-rowindex={index + 2}>
      <th scope="rowgroup" colSpan={heads.length + 1}>
        <button type="button" aria-expanded={line.open} onClick={() => toggle(line.name)}>
          <i aria-hidden="true">{line.open ? "▾" : "▸"}</i> {shownText(name)} <span class="dim">{count(line.count, "metric")}</span>
        </button>
      </th>
    </tr>
  );
}

// Stands for the rows that are not drawn, so that the scrollbar tells the truth.
function Space({ height }: { height: number }) {
  return (
    <tr aria-hidden="true" class="space">
      <td colSpan={heads.length + 1} style={{ height: `${height}px` }} />
    </tr>
  );
}

// Rows have one height, in wide and in narrow windows; the style sheet has the same two.
function useRowHeight(): number {
  const [narrow, setNarrow] = useState(() => matchMedia("(max-width: 720px)").matches);
  useEffect(() => {
    const m = matchMedia("(max-width: 720px)");
    const on = () => setNarrow(m.matches);
    m.addEventListener("change", on);
    return () => m.removeEventListener("change", on);
  }, []);
  return narrow ? 62 : 37;
}
