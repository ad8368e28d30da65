// The first screen: the list of metrics, empty and filled.
import { reads, same } from "./browser.mjs";
import { pushFirst } from "./data.mjs";

/** An empty store shows the command; what arrives then shows up by itself. */
export async function empty(ctx) {
  const { page, go, look, base, names } = ctx;
  // A store with other people's metrics is made to look empty until the push.
  let pretend = true;
  await page.route("**/api/v1/label/__name__/values*", async (r) => {
    if (!pretend) return r.continue();
    await r.fulfill({ contentType: "application/json", body: `{"status":"success","data":[]}` });
  });
  try {
    await go("#/");
    await reads(page, "h1", "Nothing has arrived yet");
    await reads(page, ".command:nth-of-type(1) code", `curl -d '{"counters":[{"name":"hello_total","labels":{"from":"me"},"add":1}]}' ${base.replace(/backends\/[^/]+\/$/, "")}api/v1/push`);
    await reads(page, ".command:nth-of-type(2) code", "narthex push hello_total+=1");
    await look("empty");
    await pushFirst(ctx);
    pretend = false;
    await page.getByRole("link", { name: names.orders }).waitFor(); // no reload
  } finally {
    await page.unroute("**/api/v1/label/__name__/values*");
  }
}

function row(name) {
  return `tr:has(a[href="#/metric/${name}"])`;
}

/** A row says what the metric is and what it was last. */
export async function filled({ page, go, look, names }) {
  await go("#/?q=" + names.orders.slice(0, 12));
  const numbers = String.raw`≈ [\d,]+ (< )?\$[\d.]+ (now|\d+ s ago)$`;
  await reads(page, row(names.orders), new RegExp(`^${names.orders}( new)? counter 2 sum 12 ${numbers}`));
  await reads(page, row(names.room), new RegExp(`^${names.room}( new)? gauge 1 21\\.25 ${numbers}`));
  await reads(page, row(names.hostile), new RegExp(`^${names.hostile}( new)? counter 4 sum 10 ${numbers}`));
  // Three names are stored, one histogram is shown.
  await reads(page, row(names.latency), new RegExp(`^${names.latency}( new)? histogram 14 4 obs\\. ${numbers}`));
  same(await page.locator(`${row(names.orders)} .spark path`).count(), 2, "the small chart");
  const exact = await page.locator(`${row(names.room)} time`).getAttribute("title");
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC\n.* \+05:30 here$/.test(exact ?? "")) throw new Error(`the exact time is ${exact}`);
  await go("#/");
  await page.locator(".list-value").first().waitFor();
  await reads(page, "main [role=status]", /^\d+ metrics of the last 24 h$/);
  await look("list");
}

/** What somebody else has stored is listed, whatever is known of it. */
export async function filledElsewhere({ page, go, look, names }) {
  await go("#/?q=" + names.orders);
  await reads(page, row(names.orders), new RegExp(`^${names.orders}( new)? .* 1 5 `));
  await look("function-list");
}

/** The list is sorted by numbers, narrowed and grouped. */
export async function arranged({ page, go, look, names }) {
  const tag = names.orders.slice(0, 12);
  const shown = () => page.locator(".list-name a").allInnerTexts();
  await go("#/?q=" + tag);
  await page.locator(".list-name").first().waitFor();
  await page.getByRole("button", { name: "Series" }).click();
  await reads(page, ".list .list-name a", names.latency);
  same(await page.locator("th[aria-sort]").getAttribute("aria-sort"), "descending", "the sorted column");
  same((await shown()).slice(0, 2), [names.latency, names.hostile], "the order by series");
  await page.getByLabel("Type").selectOption("gauge");
  await reads(page, "main [role=status]", /^1 of \d+ metrics/);
  same(await shown(), [names.room], "the gauges");
  await page.getByLabel("Type").selectOption("");
  await page.getByLabel("Show").selectOption("silent");
  await reads(page, ".none", /is silent/);
  await page.getByLabel("Show").selectOption("");
  await page.getByLabel("Group").selectOption("service");
  await reads(page, ".group", "▾ e2e-shop 2 metrics");
  await look("list-groups");
  await page.getByRole("button", { name: /e2e-shop/ }).click();
  same((await shown()).includes(names.orders), false, "a closed group's metrics are seen");
  same(new URL(page.url()).hash.includes("by=service"), true, "groups in the address");
}

/** No mouse is needed from the filter to a metric. */
export async function keyboard({ page, go, names }) {
  await go("#/");
  await page.locator("#filter").waitFor();
  await page.keyboard.press("/");
  const part = names.room.replace("_celsius", "").toUpperCase();
  await page.keyboard.type(part, { delay: 5 });
  await reads(page, "main [role=status]", /^1 of \d+ metrics/);
  same(await page.locator("mark").allInnerTexts(), [part.toLowerCase()], "what is marked in the names");
  same(new URL(page.url()).hash, `#/?q=${part}`, "the address");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await reads(page, "h1", `${names.room} gauge`);
  await page.goBack();
  same(await page.locator("#filter").inputValue(), part, "the filter after going back");
  await page.keyboard.press("/");
  await page.keyboard.type("no such metric");
  await reads(page, ".none", /^No metric has “no such metric” in its name or help\. Show all$/);
  await page.getByRole("button", { name: "Show all" }).click();
  await page.locator(".list-name").first().waitFor();
}

/** On a phone all screens fit the width; between it and a desk, and on paper, the list keeps its names. */
export async function phone({ page, go, look, names }) {
  await page.setViewportSize({ width: 800, height: 1000 });
  await go("#/?q=e2e");
  for (const media of ["screen", "print"]) {
    await page.emulateMedia({ media });
    const { width } = await page.locator(".list-name").first().boundingBox();
    if (width < 150) throw new Error(`a name has ${width} pixels on a ${media} of 800`);
  }
  await page.emulateMedia({ media: null });
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, hash, ready] of [
    ["phone-list", "#/?q=e2e", ".list-value"],
    ["phone-query", `#/query?q=${names.orders}`, ".lines"],
    ["phone-arrivals", "#/arrivals", ".arrivals"],
    ["phone-probes", "#/probes", ".probes"],
    ["phone-metric", `#/metric/${names.orders}?range=15m`, ".samples"],
  ]) {
    await go(hash);
    await page.locator(ready).first().waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) throw new Error(`${hash} is ${over} pixels wider than the phone`);
    await look(name, true);
  }
}
