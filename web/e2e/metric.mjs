// The second screen: one metric.
import { reads, same } from "./browser.mjs";
import { evil, push } from "./data.mjs";

const tile = (name) => `.tile:has(dt:text("${name}"))`;
const captionSelector = "figure:first-of-type figcaption .caption";

/** A counter's numbers, chart, series and samples. */
export async function counter({ page, go, look, base, names }) {
  await push(base, { counters: [{ name: names.orders, labels: { shop: "basel" }, add: 2 }] });
  await go(`#/metric/${names.orders}?range=15m`);
  await reads(page, "h1", `${names.orders} counter`);
  await reads(page, tile("Last value"), "Last value 14 sum over 2 series");
  await reads(page, tile("Exact increase"), "Exact increase, 15m 14 from the stored samples");
  await reads(page, tile("increase("), /^increase\(…\[15m\]\) [\d.]+ PromQL’s: extrapolated to the range’s edges$/);
  await reads(page, tile("Last sample"), /^Last sample (now|\d+ s ago) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  const caption = /^[\d,]+ samples? stored · [\d,]+ points? drawn at step 15 s( · [\d,]+ carried by the 5 min lookback)?( · .*)?$/;
  const text = await reads(page, captionSelector, caption);
  same(await page.locator(".chart").first().getAttribute("aria-label"), `Values of ${names.orders}. ${text}.`, "the chart's name for a screen reader");
  await reads(page, ".figure-box:nth-of-type(2) figcaption", /^rate\(…\[5m\]\), an average/);
  await reads(page, "#series-title", "2 series");
  const heads = await page.locator(".series thead th").allInnerTexts();
  if (!heads.includes("shop")) throw new Error(`the labels are no columns: ${heads.join(", ")}`);
  await reads(page, ".samples tbody tr:first-child", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ .*\+05:30 .*shop=/);
  await look("counter", true);
}

/** What is seen can be sent to a colleague as an address. */
export async function address({ page, go, names }) {
  await go(`#/metric/${names.orders}`);
  await page.getByRole("link", { name: "15m" }).click();
  await page.locator(".select select").selectOption("5s");
  await reads(page, captionSelector, /drawn at step 5 s/);
  await page.locator(`.series tr:has-text("bern") button`).click();
  await reads(page, tile("Last value"), "Last value 7");
  const q = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
  same([q.get("range"), q.get("step"), q.get("series")?.includes(`shop="bern"`)], ["15m", "5s", true], "the address");
  await page.reload();
  await reads(page, tile("Last value"), "Last value 7");
  await reads(page, ".scope", /^One of 2 series: \{.*shop="bern".*\} Show all$/);
  same(await page.locator(`.series tr:has-text("bern") button`).getAttribute("aria-pressed"), "true", "the chosen series' button");
  await page.locator(`.series tr:has-text("bern")`).click();
  await reads(page, tile("Last value"), "Last value 14 sum over 2 series");
}

/** A gauge has no rate, but a spread. */
export async function gauge({ page, go, look, names }) {
  await go(`#/metric/${names.room}?range=15m`);
  await reads(page, tile("Last value"), "Last value 21.25");
  await reads(page, tile("Lowest stored"), "Lowest stored 21.25");
  same(await page.locator(".figure-box").count(), 1, "the number of charts");
  const first = page.locator(".samples tbody tr").first();
  same(await first.locator(".strong").innerText(), "21.25", "the newest sample's value");
  const utc = await first.locator("td").first().innerText();
  const [day, time, offset] = (await first.locator(".here").innerText()).split(" ");
  same([Date.parse(`${day}T${time}${offset}`), offset], [Date.parse(utc.replace(" ", "T") + "Z"), "+05:30"], "the two times of a sample");
  await look("gauge");
}

/** Three samples were stored, whatever is drawn. */
export async function threeUpdates(ctx) {
  const { page, go, look, names } = ctx;
  const times = await ctx.pushThreeUpdates(ctx);
  await go(`#/metric/${names.logins}?step=15s`);
  await reads(page, captionSelector, "3 samples stored · 46 points drawn at step 15 s · 43 carried by the 5 min lookback");
  const want = times.map((t) => new Date(t).toISOString().replace("T", " ").replace("Z", "")).reverse();
  same(await page.locator(".samples tbody td:first-child").allInnerTexts(), want, "the stored times, newest first");
  same(await page.locator(".samples tbody td.strong").allInnerTexts(), ["3", "2", "1"], "the stored values");
  await reads(page, tile("Exact increase"), /^Exact increase, 1h 2 from the first stored sample on$/);
  await look("three-updates-15s");
  await go(`#/metric/${names.logins}?step=10m`);
  await reads(page, captionSelector, "3 samples stored · 0 points drawn at step 10 min · 3 hidden: no step fell on them");
  await look("three-updates-10m");
}

/** As in CVE-2026-40179: names and values are written by strangers. */
export async function hostile({ page, go, look, names }) {
  await go(`#/metric/${names.hostile}?range=15m`);
  await reads(page, "#series-title", "3 series");
  const cells = await page.locator(".series tbody td.label").allInnerTexts();
  for (const v of evil) {
    if (!cells.includes(v)) throw new Error(`${v} is not shown as it is: ${cells.join(" | ")}`);
  }
  await page.locator(".series tbody tr").first().click();
  await page.locator(".chart").first().hover();
  await page.reload();
  await page.locator(".samples tbody tr").first().waitFor();
  same(await page.locator("main img, main script").count(), 0, "elements made from label values");
  await look("hostile", true);
}

/** No data is an answer, too. */
export async function missing({ page, go, look }) {
  await go("#/metric/e2e_never_pushed");
  await reads(page, "main .empty", /^No sample within 1 h Nor in the last 24 hours\./);
  await look("missing");
  await go("#/nowhere");
  await reads(page, "h1", "There is nothing at this address");
}

/** The server's sentence reaches the reader, and trying again mends it. */
export async function failing({ page, go, look, names }) {
  const text = "the store is being moved: try again in a minute";
  for (const [hash, api, title] of [
    ["#/", "**/api/v1/label/**", "The metrics can’t be read"],
    [`#/metric/${names.room}`, "**/api/v1/query?**", "The metric can’t be read"],
  ]) {
    await page.route(api, (r) => r.fulfill({ status: 503, contentType: "application/json", body: JSON.stringify({ status: "error", errorType: "unavailable", error: text }) }));
    try {
      await go(hash);
      await reads(page, "[role=alert]", `${title} ${text} Try again`);
      await look(hash === "#/" ? "failing-list" : "failing-metric");
    } finally {
      await page.unroute(api);
    }
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(hash === "#/" ? ".list-name" : ".samples").first().waitFor();
    same(await page.locator("[role=alert]").count(), 0, "alerts after trying again");
  }
}
