import { server } from "../api/server";
import { count, formatNumber } from "../format/number";
import { formatStep } from "../format/time";
import { lookback } from "../lens/lens";
import { patched, replaceRoute, type Patch, type Route } from "../router";
import type { Family } from "./family";

/** What narrows and groups the list. All of it is in the address. */
export interface Narrowing {
  filter: string;
  type: string;
  state: string;
  by: string;
}

/** The title, the filter and the ways to narrow the list. */
export function Head(p: { route: Route; now: Narrowing; families: readonly Family[]; shown: number; labels: readonly string[]; note: string }) {
  const set = (patch: Patch) => replaceRoute(patched(p.route, patch));
  const types = [...new Set(p.families.map((f) => f.type))].sort();
  return (
    <>
      <div class="list-head">
        <h1>Metrics</h1>
        <label class="filter">
          <span class="sr">Filter metrics by name or help</span>
          <input type="search" id="filter" placeholder="Filter by name or help" autocomplete="off" spellcheck={false} maxLength={200} value={p.now.filter} onInput={(e) => set({ q: e.currentTarget.value })} />
          <kbd class="wide" aria-hidden="true">/</kbd>
        </label>
        <p class="dim" role="status">
          {p.shown === p.families.length ? count(p.shown, "metric") : `${formatNumber(p.shown)} of ${count(p.families.length, "metric")}`}
          <span class="wide"> of the last 24 h</span>
          {p.note}
        </p>
      </div>
      <div class="facets">
        {types.length > 1 && (
          <label class="select">
            <span>Type</span>
            <select value={p.now.type} onChange={(e) => set({ type: e.currentTarget.value })}>
              <option value="">all</option>
              {types.map((t) => <option key={t} value={t}>{t}</option>)}
            </select>
          </label>
        )}
        <label class="select">
          <span>Show</span>
          <select value={p.now.state} onChange={(e) => set({ state: e.currentTarget.value })}>
            <option value="">all</option>
            <option value="new">new since an hour</option>
            <option value="silent">silent for {formatStep(lookback.value)} or more</option>
          </select>
        </label>
        <label class="select">
          <span>Group</span>
          <select value={p.now.by} onChange={(e) => set({ by: e.currentTarget.value })}>
            <option value="">no groups</option>
            <option value="prefix">by first word</option>
            {p.labels.map((l) => <option key={l} value={l}>by {l}</option>)}
          </select>
        </label>
        {server.value.has.push && (
          <a class="facet-link" href="#/arrivals?tab=cost">
            What does it cost?
          </a>
        )}
      </div>
    </>
  );
}
