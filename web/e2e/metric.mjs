// The second screen: one metric.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { reads, same } from "./browser.mjs";
import { evil, harmless, push } from "./data.mjs";

const tile = (name) => `.tile:has(dt:text("${name}"))`;
const lens = `figure:has([aria-label="Marks"])`;
/** Where the lens says what is stored and what was made of it. */
export const lensCaption = `${lens} figcaption .caption`;

/** A counter's numbers, chart, series and samples. */
export async function counter({ page, go, look, base, names }) {
  await push(base, { service: "e2e-shop", counters: [{ name: names.orders, labels: { shop: "basel" }, add: 2 }] });
  await go(`#/metric/${names.orders}?range=15m`);
  await reads(page, "h1", `${names.orders} counter`);
  await reads(page, tile("Last value"), "Last value 14 sum over 2 series");
  await reads(page, tile("Exact increase"), "Exact increase, 15m 14 from the stored samples");
  await reads(page, tile("increase("), /^increase\(…\[15m\]\) [\d.]+ PromQL’s: extrapolated to the range’s edges$/);
  await reads(page, tile("Last sample"), /^Last sample (now|\d+ s ago) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  const caption = /^[\d,]+ samples? stored · [\d,]+ points? drawn at step 15 s( · [\d,]+ carried by the 5 min lookback)?( · .*)?$/;
  const text = await reads(page, lensCaption, caption);
  same(await page.locator(`${lens} .chart`).getAttribute("aria-label"), `Values of ${names.orders}. ${text}.`, "the chart's name for a screen reader");
  await reads(page, ".figure-box:first-of-type figcaption", /^rate\(…\[5m\]\), an average/);
  await reads(page, "#series-title", "2 series");
  same((await page.locator(".series thead th").allTextContents()).slice(1, 3), ["service 1 value", "shop 2 values"], "the labels as columns");
  await reads(page, ".samples tbody tr:first-child", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ .*\+05:30 .*shop=/);
  await look("counter", true);
}

/** What is seen can be sent to a colleague as an address. */
export async function address({ page, go, names }) {
  await go(`#/metric/${names.orders}`);
  await page.getByRole("button", { name: "15m" }).click();
  await page.locator(".controls select").selectOption("5s");
  await reads(page, lensCaption, /drawn at step 5 s/);
  await page.locator(`.series tr:has-text("bern") [aria-label^=Choose]`).click();
  await reads(page, tile("Last value"), "Last value 7");
  const q = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
  same([q.get("range"), q.get("step"), q.get("series")?.includes(`shop="bern"`)], ["15m", "5s", true], "the address");
  await page.reload();
  await reads(page, tile("Last value"), "Last value 7");
  await reads(page, ".scope", /^One of 2 series: \{.*shop="bern".*\} Show all$/);
  const pick = page.locator(`.series tr:has-text("bern") [aria-label^=Choose]`);
  same(await pick.getAttribute("aria-pressed"), "true", "the chosen series' button");
  await pick.click();
  await reads(page, tile("Last value"), "Last value 14 sum over 2 series");
  await page.getByRole("button", { name: /^Other …/ }).click();
  await page.getByRole("button", { name: "3 h", exact: true }).click();
  await reads(page, ".timepicker-more", "Last 3 h");
  await page.goBack();
  await reads(page, ".timepicker", /Other …/);
}

/** A click narrows, groups and hides; each is undone by its chip. */
export async function narrowed({ page, go, look, names }) {
  await go(`#/metric/${names.orders}?range=15m`);
  await page.getByTitle("Only shop = bern").click();
  await reads(page, tile("Last value"), "Last value 7");
  await reads(page, ".chips", "shop = bern ×");
  await page.getByLabel("Undo: shop = bern").click();
  await reads(page, tile("Last value"), "Last value 14 sum over 2 series");
  await page.locator(`.series tr:has-text("bern") [aria-label^=Hide]`).click();
  await reads(page, tile("Last value"), "Last value 7");
  await page.getByLabel("Undo: 1 hidden").click();
  await page.getByRole("button", { name: "shop 2 values" }).click();
  await reads(page, ".label-menu .panel", /Without this label there would be 1 series instead of 2: 50 % less to pay for\./);
  await look("label-menu");
  await page.getByRole("button", { name: "Group by it" }).click();
  await reads(page, "#series-title", "2 groups of 2 series");
  await reads(page, captionSelector0, /^[\d,]+ samples stored in 2 series · [\d,]+ points drawn at step 15 s, computed from them$/);
  await look("grouped");
}

const captionSelector0 = ".figure-box:last-of-type .caption";

/** A drag zooms in, back leads out; the arrow keys read the chart step by step. */
export async function zoomed({ page, go, names }) {
  await go(`#/metric/${names.orders}?range=15m`);
  const box = await page.locator(`${lens} .u-over`).boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await reads(page, ".timepicker-more", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d – \d\d:\d\d:\d\d$/);
  const q = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
  const length = (Date.parse(q.get("to")) - Date.parse(q.get("from"))) / 60_000;
  if (length < 3 || length > 4.5) throw new Error(`a quarter of 15 min was dragged over, and ${length} min are shown`);
  await page.goBack();
  await reads(page, ".timepicker-more", /^Other …/);
  await page.locator(`${lens} .chart`).focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await reads(page, `${lens} .readout`, /^\d\d:\d\d:\d\d (nothing drawn|[\d,]+ (fresh|carried).*)$/);
}

/** A histogram is seen as one: where observations fell, quantiles, and the count's samples. */
export async function histograms({ page, go, look, base, names }) {
  await push(base, { service: "e2e-shop", histograms: [{ name: names.latency, labels: { route: "/a" }, observe: [0.003, 0.02] }] });
  await push(base, { histograms: [{ name: names.native, observe: [0.003, 0.02], buckets: "native" }] });
  for (const [name, range] of [[names.latency, "buckets, each as high"], [names.native, "native buckets on a logarithmic axis"]]) {
    await go(`#/metric/${name}?range=15m`);
    await reads(page, "h1", `${name} histogram`);
    await reads(page, tile("Observations"), /^Observations 6/);
    await reads(page, ".figure-box:nth-of-type(1) figcaption", new RegExp(range));
    await reads(page, ".figure-box:nth-of-type(2) .legend", /^p50 [\d.]+ p90 [\d.]+ p99 [\d.]+$/);
    await reads(page, lensCaption, /^\d+ samples? stored · /);
  }
  await look("native-histogram");
  await go(`#/metric/${names.latency}?range=15m`);
  await reads(page, ".figure-box:nth-of-type(2) .legend", /^p50/);
  await look("classic-histogram", true);
}

/** What is seen can be taken along. */
export async function taken({ page, go, out, base, names }) {
  await go(`#/metric/${names.logins}`);
  const copied = async (item, says) => {
    await page.getByRole("button", { name: "Copy as …" }).click();
    await page.getByRole("button", { name: item }).click();
    await reads(page, ".copied", says);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  same(await copied(/^PromQL/, "PromQL copied"), `rate(${names.logins}[5m])`, "the copied PromQL");
  const curl = await copied(/^curl/, "curl command copied");
  if (!curl.startsWith(`curl -G '${base}api/v1/query'`) || !curl.includes(`query=${names.logins}[1h`)) throw new Error(`the curl command is ${curl}`);
  const csv = (await copied(/^CSV ?stored/, "CSV copied")).split("\r\n");
  same([csv[0], csv.length, csv[3].split(",").slice(1).join()], ["time,timestamp_ms,value,from", 5, csv[3].split(",")[1] + ",3,me"], "the CSV");
  const test = join(out, "logins.test.yml");
  writeFileSync(test, await copied(/^promtool test ?stored/, "Test copied"));
  execFileSync("promtool", ["test", "rules", test]); // throws unless it passes
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
  await lensOnThree(ctx, await ctx.pushThreeUpdates(ctx));
}

/** The lens on three samples of these times. */
export async function lensOnThree({ page, go, look, names }, times) {
  await go(`#/metric/${names.logins}?step=15s`);
  await reads(page, lensCaption, "3 samples stored · 46 points drawn at step 15 s · 43 carried by the 5 min lookback");
  await reads(page, `${lens} .key`, "stored drawn, fresh carried hidden");
  const want = times.map((t) => new Date(t).toISOString().replace("T", " ").replace("Z", "")).reverse();
  same(await page.locator(".samples tbody td:first-child").allInnerTexts(), want, "the stored times, newest first");
  same(await page.locator(".samples tbody td.strong").allInnerTexts(), ["3", "2", "1"], "the stored values");
  await reads(page, tile("Exact increase"), /^Exact increase, 1h 2 from the first stored sample on$/);
  await look("three-updates-15s");
  await page.getByRole("button", { name: "Why flat / empty / jagged?" }).click();
  await reads(page, "[data-finding=carried]", /^43 of 46 points repeat a stored sample .* Draw stored samples only Query without carrying$/);
  await reads(page, "[data-finding=extrapolated]", /^increase\(\) says 3[\d.]*, the samples say 2 /);
  await look("why");
  await page.getByRole("button", { name: "Draw stored samples only" }).click();
  await reads(page, ".chips", /stored samples only ×/);
  await go(`#/metric/${names.logins}?step=10m`);
  await reads(page, lensCaption, "3 samples stored · 0 points drawn at step 10 min · 3 hidden: no step fell on them");
  await look("three-updates-10m");
  await page.getByRole("button", { name: "Why flat / empty / jagged?" }).click();
  await reads(page, "[data-finding=hidden]", /^All 3 stored samples are hidden The step, 10 min, is longer than the 5 min that PromQL looks back/);
  await page.getByRole("button", { name: "Step 1 min shows all" }).click();
  await reads(page, lensCaption, /^3 samples stored · \d+ points drawn at step 1 min · \d+ carried by the 5 min lookback$/);
}

/** As in CVE-2026-40179: names and values are written by strangers. */
export async function hostile({ page, go, look, names }) {
  await go(`#/metric/${names.hostile}?range=15m`);
  await reads(page, "#series-title", "4 series");
  const cells = await page.locator(".series tbody td.label .value").evaluateAll((all) => all.map((e) => e.textContent));
  for (const v of harmless) {
    if (!cells.includes(v)) throw new Error(`${v} is not shown as it is: ${cells.join(" | ")}`);
  }
  await page.getByRole("button", { name: "who 4 values" }).click();
  await page.keyboard.press("Escape");
  await page.locator(".chart").first().hover();
  await page.getByTitle(`Only who = ${evil[1]}`).click();
  await reads(page, ".chips", `who = ${evil[1]} ×`);
  await page.reload();
  await reads(page, ".chips", `who = ${evil[1]} ×`);
  await page.getByLabel(`Undo: who = ${evil[1]}`).click();
  await reads(page, "#series-title", "4 series");
  await page.locator(".samples tbody tr").first().waitFor();
  same(await page.locator("main img, main script").count(), 0, "elements made from label values");
  await look("hostile", true);
}

/** No data is an answer, too. */
export async function missing({ page, go, look, names }) {
  await go("#/metric/e2e_never_pushed");
  await reads(page, "main .empty", /^No sample within 1 h Nor in the last 24 hours\..* Nothing was stored in the last 24 hours .* Show the last 30 days$/);
  await look("missing");
  await go(`#/metric/${names.orders}?where=shop%3Dbasle`);
  await reads(page, "[data-finding=no-match]", /^No series has shop = “basle” shop has 3 values in the last day, “basle” is not one of them\. shop = basel shop = bern shop = chur Without this filter$/);
  await look("no-match");
  await page.getByRole("button", { name: "shop = basel" }).click();
  await reads(page, tile("Last value"), "Last value 7");
  await go("#/nowhere");
  await reads(page, "h1", "There is nothing at this address");
}

/** The server's sentence reaches the reader, be it down or one may not look; trying again mends it. */
export async function failing({ page, go, look, names }) {
  const away = { status: 503, errorType: "unavailable", error: "the store is being moved: try again in a minute" };
  const forbidden = { status: 403, errorType: "forbidden", error: "token:ci may not do that: it wants the scope query" };
  for (const [name, hash, api, title, ready, { status, errorType, error }] of [
    ["failing-list", "#/", "**/api/v1/label/**", "The metrics can’t be read", ".list-name", away],
    ["failing-metric", `#/metric/${names.room}`, "**/api/v1/query?**", "The metric can’t be read", ".samples", away],
    ["forbidden-arrivals", "#/arrivals", "**/api/v1/arrivals?**", "The arrivals can’t be read", ".arrivals", forbidden],
    ["forbidden-probes", "#/probes", "**/api/v1/query?**", "The probes can’t be read", ".probes", forbidden],
  ]) {
    await page.route(api, (r) => r.fulfill({ status, contentType: "application/json", body: JSON.stringify({ status: "error", errorType, error }) }));
    try {
      await go(hash);
      await reads(page, "[role=alert]", `${title} ${error} Try again`);
      await look(name);
      const again = page.waitForRequest(api);
      await page.getByRole("button", { name: "Try again" }).click();
      await again;
    } finally {
      await page.unroute(api);
    }
    // The page also tries by itself: then the button is gone before anybody finds it.
    await page.evaluate(() => document.querySelector("[role=alert] button")?.click());
    await page.locator(ready).first().waitFor();
    same(await page.locator("[role=alert]").count(), 0, "alerts after trying again");
  }
}
