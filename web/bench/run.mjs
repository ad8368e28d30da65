// Measures the committed build in Chromium over invented answers, so that the
// browser's work alone is seen: first paint and scrolling of a list of 10,000
// metrics, and a graph of 100 series of 11,000 points.
//
//	node bench/run.mjs
//
// Figures are of this machine: compare them with others of the same run.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const dist = new URL("../../viewer/dist/", import.meta.url).pathname;
const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const metrics = 10_000;
const series = 100;
const points = 11_000;
const names = Array.from({ length: metrics }, (_, i) => `service_${String(i % 40).padStart(2, "0")}_metric_${String(i).padStart(5, "0")}_total`);

const success = (data) => JSON.stringify({ status: "success", data });

function matrix(q) {
  const [start, end, step] = ["start", "end", "step"].map((k) => Number(q.get(k)));
  const n = Math.round((end - start) / step) + 1;
  return { resultType: "matrix", result: Array.from({ length: series }, (_, s) => ({ metric: { __name__: "wave", series: String(s) }, values: Array.from({ length: n }, (_, i) => [start + i * step, String(s + Math.sin((i + s * 40) / 90))]) })) };
}

function answer(path, q) {
  if (path.endsWith("label/__name__/values")) return q.get("match[]") === null ? names : [];
  if (path.endsWith("query_range")) return q.get("query") === "wave" ? matrix(q) : { resultType: "matrix", result: [] };
  if (path.endsWith("api/v1/query")) {
    const asked = names.filter((n) => (q.get("query") ?? "").includes(n));
    return { resultType: "vector", result: asked.flatMap((n) => ["count", "sum", "min", "max"].map((viewer_stat) => ({ metric: { __name__: n, viewer_stat }, value: [Date.now() / 1000, "3"] }))) };
  }
  return path.endsWith("metadata") ? {} : [];
}

const server = createServer((req, res) => {
  const url = new URL(req.url, "http://localhost");
  if (!url.pathname.startsWith("/api/")) {
    const file = join(dist, url.pathname === "/" ? "index.html" : url.pathname);
    if (!existsSync(file)) return res.writeHead(404).end();
    res.writeHead(200, { "Content-Type": kinds[extname(file)] ?? "application/octet-stream" });
    return createReadStream(file).pipe(res);
  }
  let body = "";
  req.on("data", (c) => (body += c));
  req.on("end", () => res.writeHead(200, { "Content-Type": "application/json" }).end(success(answer(url.pathname, req.method === "POST" ? new URLSearchParams(body) : url.searchParams))));
});

const median = (vs) => [...vs].sort((a, b) => a - b)[Math.floor(vs.length / 2)];

// What sixty frames took while the page is scrolled, or the cursor is moved over a chart.
const frames = (page, what) =>
  page.evaluate(async (what) => {
    const over = document.querySelector(".u-over");
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
    took.sort((a, b) => a - b);
    return { median: took[30], worst: took[59] };
  }, what);

async function heap(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = await cdp.send("Runtime.getHeapUsage");
  return (usedSize + backingStorageSize) / 2 ** 20; // objects, and the arrays of numbers beside them
}

await new Promise((r) => server.listen(0, "127.0.0.1", r));
const base = `http://127.0.0.1:${server.address().port}/`;
const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info"] });
const line = (what, v, unit) => console.log(`${what.padEnd(52)} ${v.toFixed(1).padStart(9)} ${unit}`);
try {
  const paints = [];
  const lists = [];
  for (let i = 0; i < 5; i++) {
    const page = await browser.newPage();
    const began = Date.now();
    await page.goto(base);
    await page.locator(".list-name").first().waitFor();
    lists.push(Date.now() - began);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN));
    await page.close();
  }
  line(`list of ${metrics} metrics: first paint (median of 5)`, median(paints), "ms");
  line("  its first rows are there", median(lists), "ms");
  const page = await browser.newPage();
  await page.goto(base);
  await page.locator(".list-name").first().waitFor();
  const scrolling = await frames(page, "scroll");
  line("  a frame while scrolling, median of 60", scrolling.median, "ms");
  line("  the worst", scrolling.worst, "ms");
  line("  rows in the page", await page.locator(".list tbody tr:not(.space)").count(), "");
  line("  heap", await heap(page), "MiB");
  await page.locator("#filter").focus();
  const typed = Date.now();
  await page.locator("#filter").fill("metric_09999");
  await page.locator("mark").first().waitFor();
  line("  from typing to the filtered list", Date.now() - typed, "ms");
  const graph = await browser.newPage();
  const began = Date.now();
  const seconds = (points - 1) * 15;
  await graph.goto(`${base}#/query?q=wave&step=15s&from=2026-11-01T00:00:00Z&to=${new Date(Date.parse("2026-11-01T00:00:00Z") + seconds * 1000).toISOString()}`);
  await graph.locator(".lines li").first().waitFor({ timeout: 120_000 });
  line(`graph of ${series} series x ${points} points: drawn, answer included`, Date.now() - began, "ms");
  const hovering = await frames(graph, "move");
  line("  a frame while the cursor moves, median of 60", hovering.median, "ms");
  line("  the worst", hovering.worst, "ms");
  line("  heap", await heap(graph), "MiB");
} finally {
  await browser.close();
  server.close();
}
