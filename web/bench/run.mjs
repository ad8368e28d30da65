// Measures the page in Chromium over a real store, filled through the doors:
// 10,000 metrics, and a graph of 100 series of 11,000 points each; beside
// Prometheus's own page and vmui, where they can be had, over the same store.
//
//	node bench/run.mjs
//
// The sides take turns, ROUNDS times (3). NARTHEX names the program (built if it
// is not set), NARTHEX_BENCH_JSON a file for the figures: a JSON array of {name,
// unit, side, values}. Figures are of this machine: compare those of one run.
import { writeFileSync } from "node:fs";
import { chromium } from "playwright-core";
import { fill, metrics, points, series, step } from "./data.mjs";
import { narthex, prometheusPage, stopAll, vmui } from "./sides.mjs";

const rounds = Math.max(3, Number(process.env["ROUNDS"] ?? 3));
const patience = 20_000; // what takes longer is given up
const ends = Date.now() + 165_000; // a peer that takes too long is not tried again
const results = new Map();

function note(side, name, unit, value) {
  const key = `${name} ${side}`;
  const r = results.get(key) ?? { name, unit, side, values: [] };
  r.values.push(Math.round(value * 10) / 10);
  results.set(key, r);
}

// Of an even number it is the mean of the two in the middle.
function median(vs) {
  const s = [...vs].sort((a, b) => a - b);
  return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2;
}

// What sixty frames took while something is done in each.
const took = (page, what, selector) =>
  page.evaluate(async ([what, selector]) => {
    const over = selector === undefined ? null : document.querySelector(selector);
    const took = [];
    let last = performance.now();
    for (let i = 0; i < 60; i++) {
      if (what === "scroll") window.scrollTo(0, i * 5000);
      else {
        const box = over.getBoundingClientRect();
        over.dispatchEvent(new MouseEvent("mousemove", { clientX: box.left + 20 + i * 10, clientY: box.top + 60, bubbles: true }));
      }
      await new Promise((r) => requestAnimationFrame(r));
      const t = performance.now();
      took.push(t - last);
      last = t;
    }
    return took;
  }, [what, selector]);

async function frames(page, what, selector) {
  const all = await took(page, what, selector);
  return { median: median(all), worst: Math.max(...all) };
}

async function heap(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = await cdp.send("Runtime.getHeapUsage");
  return (usedSize + backingStorageSize) / 2 ** 20; // objects, and the arrays of numbers beside them
}

// The chart is drawn: what each side shows then.
function sideOf(name, base, { start, end }) {
  const seconds = end - start;
  const iso = (s) => new Date(s * 1000).toISOString();
  const minute = iso(end).slice(0, 16).replace("T", " ");
  switch (name) {
    case "narthex":
      return { name, first: base, list: ".list-name", chart: `${base}#/query?q=wave&step=${step}s&from=${iso(start)}&to=${iso(end)}`, drawn: ".lines li", over: ".u-over" };
    case "prometheus-ui":
      return { name, first: base + "classic/graph", chart: `${base}classic/graph?g0.expr=wave&g0.tab=0&g0.range_input=${seconds}s&g0.step_input=${step}&g0.end_input=${encodeURIComponent(minute)}`, drawn: ".rickshaw_graph svg path", over: ".rickshaw_graph .detail" };
    default:
      return { name, first: base + "vmui/", chart: `${base}vmui/#/?g0.expr=wave&g0.range_input=${seconds}s&g0.end_input=${iso(end).slice(0, 19)}&g0.step_input=${step}s&g0.tab=0`, drawn: ".vm-legend-item", over: ".u-over" };
  }
}

async function firstPaint(browser, side) {
  const page = await browser.newPage();
  const began = Date.now();
  await page.goto(side.first);
  if (side.list !== undefined) {
    await page.locator(side.list).first().waitFor({ timeout: patience });
    note(side.name, `first rows of ${metrics} metrics`, "ms", Date.now() - began);
  }
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0, null, { timeout: patience });
  note(side.name, "first paint", "ms", await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  if (side.list !== undefined) await listed(page, side);
  await page.close();
}

async function listed(page, side) {
  const f = await frames(page, "scroll");
  note(side.name, "frame while scrolling the list", "ms", f.median);
  note(side.name, "worst frame while scrolling the list", "ms", f.worst);
  note(side.name, "heap with the list", "MiB", await heap(page));
  await page.locator("#filter").focus();
  const typed = Date.now();
  await page.locator("#filter").fill("metric_09999");
  await page.locator("mark").first().waitFor({ timeout: patience });
  note(side.name, "from typing to the filtered list", "ms", Date.now() - typed);
}

async function chart(browser, side) {
  const page = await browser.newPage();
  await page.addInitScript(() => window.localStorage.setItem("SERIES_LIMITS", JSON.stringify({ value: JSON.stringify({ table: 100, chart: 200, code: 100 }) }))); // vmui's
  const began = Date.now();
  await page.goto(side.chart);
  await page.locator(side.drawn).first().waitFor({ timeout: patience });
  // Until the frame after it has begun: only then the graph itself is on the screen.
  await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r)))));
  const figure = `graph of ${series} series x ${points} points`;
  note(side.name, `${figure}: drawn, answer included`, "ms", Date.now() - began);
  const f = await frames(page, "move", side.over);
  note(side.name, `${figure}: frame while the cursor moves`, "ms", f.median);
  note(side.name, `${figure}: worst frame while the cursor moves`, "ms", f.worst);
  note(side.name, `${figure}: heap`, "MiB", await heap(page));
  if (process.env["SHOTS"] !== undefined) await page.screenshot({ path: `${process.env["SHOTS"]}/${side.name}.png` });
  await page.close();
}

async function measure(browser, sides) {
  const failed = new Set();
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      if (failed.has(side.name) || (side.name !== "narthex" && Date.now() > ends)) continue;
      try {
        await firstPaint(browser, side);
        await chart(browser, side);
      } catch (e) {
        if (side.name === "narthex") throw e;
        failed.add(side.name);
        console.log(`${side.name}: given up after ${patience / 1000} s: ${e.message.split("\n")[0]}`);
      }
    }
  }
}

async function waitForMetrics(url) {
  for (;;) {
    const res = await fetch(`${url}api/v1/query?query=${encodeURIComponent('count({__name__=~"service_.+"})')}`);
    if (Number((await res.json()).data.result[0]?.value[1]) >= metrics) return;
    await new Promise((r) => setTimeout(r, 500));
  }
}

let browser;
try {
  const url = await narthex();
  const stretch = await fill(url);
  const found = { narthex: url, "prometheus-ui": await prometheusPage(url), vmui: await vmui(url) };
  await waitForMetrics(url); // their tick
  for (const [name, at] of Object.entries(found)) if (at === undefined) console.log(`${name}: not found here, so it is not compared`);
  if (found["prometheus-ui"] !== undefined) console.log("prometheus-ui is the classic page of the installed prometheus. The page of Prometheus 3 is built into its releases alone: its Go module has the source without the build, npm only the parser and the editor's mode");
  browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info"] });
  await measure(browser, Object.entries(found).filter(([, at]) => at !== undefined).map(([name, at]) => sideOf(name, at, stretch)));
  const all = [...results.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const r of all) console.log(`${r.name.padEnd(72)} ${r.side.padEnd(14)} ${median(r.values).toFixed(1).padStart(9)} ${r.unit.padEnd(4)} ${r.values.length} rounds, ${Math.min(...r.values)} to ${Math.max(...r.values)}`);
  if (process.env["NARTHEX_BENCH_JSON"] !== undefined) writeFileSync(process.env["NARTHEX_BENCH_JSON"], JSON.stringify(all) + "\n");
} finally {
  await browser?.close();
  stopAll();
}
process.exit(0);
