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
    await reads(page, ".command:nth-of-type(1) code", `curl -d '{"counters":[{"name":"hello_total","labels":{"from":"me"},"add":1}]}' ${base}api/v1/push`);
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
  await reads(page, row(names.orders), new RegExp(`^${names.orders} counter 2 sum 12 (now|\\d+ s ago)$`));
  await reads(page, row(names.room), new RegExp(`^${names.room} gauge 1 21\\.25 (now|\\d+ s ago)$`));
  await reads(page, row(names.hostile), new RegExp(`^${names.hostile} counter 3 sum 6 `));
  const exact = await page.locator(`${row(names.room)} time`).getAttribute("title");
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC\n.* \+05:30 here$/.test(exact ?? "")) throw new Error(`the exact time is ${exact}`);
  await go("#/");
  await page.locator(".list-value").first().waitFor();
  await reads(page, "main [role=status]", /^\d+ metrics of the last 24 h$/);
  await look("list");
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
  await reads(page, ".none", /^No metric’s name contains “no such metric”\. Show all$/);
  await page.getByRole("button", { name: "Show all" }).click();
  await page.locator(".list-name").first().waitFor();
}

/** On a phone both screens fit the width. */
export async function phone({ page, go, look, names }) {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const [name, hash, ready] of [
    ["phone-list", "#/?q=e2e", ".list-value"],
    ["phone-metric", `#/metric/${names.orders}?range=15m`, ".samples"],
  ]) {
    await go(hash);
    await page.locator(ready).first().waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) throw new Error(`${hash} is ${over} pixels wider than the phone`);
    await look(name, true);
  }
}
