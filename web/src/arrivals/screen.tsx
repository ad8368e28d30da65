import "../styles/arrivals.css";
import { useEffect, useState } from "preact/hooks";
import { server } from "../api/server";
import { param, patched, type Route } from "../router";
import { Failure, Loading } from "../ui/state";
import { CostSection } from "./cost";
import { DestinationsSection } from "./destinations";
import { LedgerTiles } from "./ledger";
import { LimitsSection } from "./limits";
import { ArrivalsModel, type Loaded } from "./model";
import { LogsSection } from "./logs";
import { PushList } from "./pushes";

const tabs = [
  ["", "Pushes"],
  ["logs", "Log objects"],
  ["cost", "Cost"],
  ["limits", "Limits"],
  ["destinations", "Destinations"],
] as const;

/** What arrives, what became of it, and what it costs. */
export function ArrivalsScreen({ route }: { route: Route }) {
  const [model] = useState(() => new ArrivalsModel());
  useEffect(() => {
    document.title = "Arrivals · narthex";
    model.start();
    return () => model.stop();
  }, [model]);
  const tab = param(route, "tab");
  if (server.value.known && !server.value.has.push) return <NoDoors />;
  return (
    <>
      <div class="screen-head">
        <h1>Arrivals</h1>
        <label class="check">
          <input type="checkbox" checked={model.live.value} onChange={(e) => (model.live.value = e.currentTarget.checked)} />
          <span>Live</span>
        </label>
        <button type="button" class="button" onClick={() => model.refresh()}>
          Refresh
        </button>
      </div>
      <LedgerTiles ledger={model.ledger.value} destinations={model.destinations.value.value ?? []} />
      <nav class="tabs" aria-label="What to look at">
        {tabs.map(([key, title]) => (
          <a key={key} href={`#/arrivals${key === "" ? "" : `?tab=${key}`}`} aria-current={tab === key ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Part model={model} route={route} tab={tab} />
    </>
  );
}

function Part({ model, route, tab }: { model: ArrivalsModel; route: Route; tab: string }) {
  const retry = () => model.refresh();
  switch (tab) {
    case "logs":
      return <Shown of={model.logs.value} what="log objects" retry={retry}>{(v) => <LogsSection logs={v} />}</Shown>;
    case "cost":
      return <Shown of={model.costs.value} what="costs" retry={retry}>{(v) => <CostSection costs={v} />}</Shown>;
    case "limits":
      return <Shown of={model.limits.value} what="limits" retry={retry}>{(v) => <LimitsSection {...v} />}</Shown>;
    case "destinations":
      return <Shown of={model.destinations.value} what="destinations" retry={retry}>{(v) => <DestinationsSection destinations={v} />}</Shown>;
    default:
      return <Shown of={model.arrivals.value} what="arrivals" retry={retry}>{(v) => <PushList {...v} route={route} filter={param(route, "q")} set={(q) => patched(route, { q })} />}</Shown>;
  }
}

// What is loaded, or that it is not, and why.
function Shown<T>({ of, what, retry, children }: { of: Loaded<T>; what: string; retry: () => void; children: (v: T) => preact.ComponentChildren }) {
  return (
    <>
      {of.error !== undefined && <Failure title={of.value === undefined ? `The ${what} can’t be read` : "What you see is not up to date"} text={of.error} retry={retry} />}
      {of.value === undefined ? of.error === undefined && <Loading what={what} /> : children(of.value)}
    </>
  );
}

function NoDoors() {
  return (
    <section class="empty">
      <h1>Nothing is pushed here</h1>
      <p>This page looks at a Prometheus API alone. Arrivals, receipts and costs are seen on the page of the narthex that takes the pushes.</p>
    </section>
  );
}
