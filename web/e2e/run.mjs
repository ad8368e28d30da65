// Drives a running narthex through the viewer in a real browser and says what
// a person would read there.
//
//	node e2e/run.mjs URL OUTDIR
//
// URL (or NARTHEX_URL) is where the page is, with its path; OUTDIR takes the
// screenshots, E2E_ONLY is a pattern of the steps to try (all). CHROMIUM names the browser, /usr/bin/chromium if it is not set.
// The data is pushed to URL/api/v1/push under names of this run, so the store
// may have other metrics. The exit code is 0 if all holds, 1 if something does
// not, 2 if it could not be tried.
import { mkdirSync } from "node:fs";
import { open } from "./browser.mjs";
import { pushAll, pushThreeUpdates, names } from "./data.mjs";
import * as list from "./list.mjs";
import * as metric from "./metric.mjs";
import * as others from "./others.mjs";
import * as query from "./query.mjs";
import { run } from "./steps.mjs";

const [url = process.env["NARTHEX_URL"], out = "e2e-out"] = process.argv.slice(2);
if (!url) {
  console.error("usage: node e2e/run.mjs URL OUTDIR");
  process.exit(2);
}
const base = url.endsWith("/") ? url : url + "/";
mkdirSync(out, { recursive: true });

const steps = [
  ["an empty store says how to send, and fills by itself", list.empty],
  ["push the rest of the data", pushAll],
  ["the list shows name, type, series, value and age", list.filled],
  ["the list is filtered by typing, and walked with the keyboard", list.keyboard],
  ["the list is sorted, narrowed and grouped", list.arranged],
  ["a counter: value, rate, exact increase beside PromQL's", metric.counter],
  ["ranges, steps and a chosen series are in the address", metric.address],
  ["series are filtered, grouped and hidden by a click", metric.narrowed],
  ["a chart is zoomed by a drag and read by the keyboard", metric.zoomed],
  ["histograms: heatmap, quantiles, samples", metric.histograms],
  ["a gauge: value and spread, exact times in UTC and here", metric.gauge],
  ["three updates: stored, drawn, carried and hidden", metric.threeUpdates],
  ["what is seen is copied as PromQL, curl, CSV and a promtool test", metric.taken],
  ["markup in label values stays text", metric.hostile],
  ["an expression is typed with completion and run", query.typed],
  ["an error is told at its place", query.wrong],
  ["results as table, graph and heatmap, of classic and native histograms", query.viewed],
  ["arrivals: refused first, samples, cost, limits, destinations", others.arrivals],
  ["probes: up, down, did not run, phases, one made now", others.probes],
  ["a metric that is not there says so", metric.missing],
  ["the server's errors are shown in its words", metric.failing],
  ["names that would be markup are text on every screen", others.hostileNames, "only where names may be so"],
  ["phone width has nothing beside the page", list.phone],
];

const only = new RegExp(process.env["E2E_ONLY"] ?? "");
const chosen = steps.filter(([what, , special]) => only.test(what) && (special === undefined || only.source !== "(?:)"));
const opened = await open(base, out).catch((e) => {
  console.error(`The browser does not start: ${e.message}`);
  process.exit(2);
});
const failed = await run({ ...opened, base, out, names: names(), pushThreeUpdates }, chosen);
await opened.close();
console.log(failed === 0 ? `all ${chosen.length} hold; screenshots in ${out}` : `${failed} of ${chosen.length} do not hold; screenshots in ${out}`);
process.exit(failed === 0 && chosen.length > 0 ? 0 : 1);
