import "../styles/probes.css";
import { useEffect, useState } from "preact/hooks";
import { server } from "../api/server";
import type { Route } from "../router";
import { count } from "../format/number";
import { Command } from "../ui/command";
import { Failure, Loading } from "../ui/state";
import { Detail } from "./detail";
import { Grid } from "./grid";
import { ProbesModel } from "./model";
import { RunForm } from "./run";
import type { Row } from "./matrix";

/** Targets as seen from each region: up, down, or not run. */
export function ProbesScreen({ route }: { route: Route }) {
  const [model] = useState(() => new ProbesModel());
  useEffect(() => {
    model.start();
    return () => model.stop();
  }, [model]);
  useEffect(() => {
    document.title = `${route.name === "" ? "Probes" : route.name} · narthex`;
  }, [route.name]);
  const rows = model.rows.value;
  const error = model.error.value;
  const failure = error === undefined ? null : <Failure title={rows === undefined ? "The probes can’t be read" : "What you see is not up to date"} text={error} retry={() => model.refresh()} />;
  if (rows === undefined) {
    return (
      <>
        <h1>Probes</h1>
        {failure ?? <Loading what="probes" />}
      </>
    );
  }
  if (route.name !== "") {
    return (
      <>
        {failure}
        <Detail key={route.name} route={route} row={rows.find((r) => r.name === route.name)} model={model} />
      </>
    );
  }
  return (
    <>
      <div class="screen-head">
        <h1>Probes</h1>
        {rows.length > 0 && <p role="status">{summary(rows)}</p>}
      </div>
      {failure}
      {rows.length === 0 ? <Empty /> : <Grid rows={rows} />}
      {model.canRun && <RunForm modules={model.modules.value} />}
    </>
  );
}

function summary(rows: readonly Row[]): string {
  const some = (state: string) => rows.filter((r) => r.cells.some((c) => c.state === state)).length;
  const up = rows.filter((r) => r.cells.length > 0 && r.cells.every((c) => c.state === "up")).length;
  const parts = [count(rows.length, "target"), `${up} up`, `${some("down")} down`, `${some("late")} did not run`];
  return parts.join(" · ");
}

function Empty() {
  if (server.value.known && !server.value.has.push) {
    return (
      <section class="empty">
        <h2>No probe is stored here</h2>
        <p>Targets that a narthex probes show up once it writes their results to this Prometheus. This page probes nothing itself.</p>
      </section>
    );
  }
  return (
    <section class="empty">
      <h2>Nothing is probed yet</h2>
      <p>narthex looks at pages, ports and certificates from outside. Try one from a terminal:</p>
      <Command text="narthex probe https://example.com" />
      <p>or have it done every minute, in narthex.yml:</p>
      <Command text={"probes:\n  every: 1m\n  targets:\n    - {name: shop, target: https://shop.example}"} />
    </section>
  );
}
