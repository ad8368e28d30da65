// The third screen: PromQL.
import { reads, same } from "./browser.mjs";
import { harmless, push } from "./data.mjs";

const hash = (q, more = "") => `#/query?q=${encodeURIComponent(q)}${more}`;
const inEditor = (page) => page.evaluate(() => document.querySelector(".editor").shadowRoot.querySelector(".cm-content").innerText);

/** One types an expression with completion from what is stored, and runs it. */
export async function typed({ page, go, look, names }) {
  await go("#/query");
  await reads(page, ".examples", /^For a start, with what is stored here: sum\(rate\(/);
  await page.locator(".editor .cm-content").click();
  await page.keyboard.type(names.orders.slice(0, -7));
  await page.locator(".cm-tooltip-autocomplete li", { hasText: names.orders }).first().waitFor();
  await look("query-completion");
  const offered = (text) => page.locator(".cm-tooltip-autocomplete li", { hasText: text }).first();
  await offered(names.orders).click();
  await page.keyboard.type("{sh");
  await offered("shop").click();
  await offered("basel").click();
  const text = await inEditor(page);
  if (!text.startsWith(`${names.orders}{shop="basel"`)) throw new Error(`the editor has ${text}`);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await reads(page, ".lines", /shop="basel".* 7$/);
  await reads(page, ".outcome > .caption", /^1 series, [\d,]+ points? · 241 steps, one each 15 s; each shows the newest sample that is not older than 5 min · [\d,]+ stored samples read · .* a month in Amazon Managed Prometheus · [\d,]+ ms$/);
  await reads(page, ".hints", new RegExp(`^${names.orders} is a counter: .*Show the rate Stored samples: ${names.orders}$`));
  await page.getByRole("button", { name: "Show the rate" }).click();
  await page.waitForFunction(() => location.hash.includes("rate%28") || location.hash.includes("rate("));
  await look("query-graph");
  await page.getByRole("button", { name: "History" }).click();
  await reads(page, ".history ul li", /^rate\(/);
}

/** An error stands at its place, in words. */
export async function wrong({ page, go, look, names }) {
  await go(hash(`sum(rate(${names.orders}[5m)`));
  await reads(page, ".trouble", /^unexpected "\)" in .*expected/);
  await page.locator(".editor .wrong").waitFor();
  same(await page.locator(".editor .wrong").innerText(), ")", "what is underlined");
  await look("query-wrong");
}

/** The same as numbers, as a heatmap, and several at once; the address has it all. */
export async function viewed({ page, go, look, base, names }) {
  const rate = `sum by (le) (rate(${names.latency}_bucket[5m]))`;
  await push(base, { service: "e2e-shop", histograms: [{ name: names.latency, labels: { route: "/a" }, observe: [0.03] }] });
  await go(hash(`${names.orders}`, `&q=${encodeURIComponent(rate)}&view=table&view=heatmap&range=15m`));
  await reads(page, ".expression:nth-of-type(1) .result", new RegExp(`${names.orders}{.*shop="basel"} 7 `));
  await reads(page, ".expression:nth-of-type(2) .chart", "");
  await page.locator(`[aria-label^="Heatmap of sum by (le)"]`).waitFor();
  await look("query-two", true);
  await go(hash(`sum(rate(${names.native}[5m]))`, "&view=heatmap&range=15m"));
  await page.locator(`[aria-label^="Heatmap of sum(rate("]`).waitFor();
  await go(hash(`${names.orders}[1m]`, "&view=table"));
  await reads(page, ".result thead", "Series Stored samples");
  await go(hash(`${names.hostile}`, "&view=table"));
  await page.locator(".result td.label").first().waitFor();
  const cells = (await page.locator(".result td.label").allTextContents()).join("\n");
  for (const v of harmless.slice(0, 1).concat(harmless.slice(3))) if (!cells.includes(v)) throw new Error(`${v} is not shown: ${cells}`);
  same(await page.locator("main img, main script").count(), 0, "elements made from label values");
}
