// Drives a narthex that looks at several backends: "short", whose lookback is a
// minute, "usual", and its own store. All have what is pushed.
//
//	node e2e/backends.mjs URL OUTDIR
import { mkdirSync } from "node:fs";
import { open, reads, same } from "./browser.mjs";
import { names, pushThreeUpdates } from "./data.mjs";
import { lensCaption } from "./metric.mjs";
import { run } from "./steps.mjs";

const [url, out = "e2e-out"] = process.argv.slice(2);
const base = url.endsWith("/") ? url : url + "/";
mkdirSync(out, { recursive: true });
const opened = await open(base, out);
const ctx = { ...opened, base, names: names() };
const picker = ctx.page.getByLabel("Backend");

// At steps of 15 s a minute shows a sample four times, and five minutes twenty times.
async function lookbacks({ page, go, look, names }) {
  await pushThreeUpdates(ctx);
  await go(`#/metric/${names.logins}?step=15s`);
  await reads(page, lensCaption, "3 samples stored · 12 points drawn at step 15 s · 9 carried by the 1 min lookback");
  same(await picker.inputValue(), "short", "the backend");
  await look("backend-short");
  await page.getByRole("button", { name: "Why flat / empty / jagged?" }).click();
  await reads(page, "[data-finding=carried]", /shows a sample again at each step for up to 1 min,/);
  await go(`#/query?q=${names.logins}&step=15s`);
  await reads(page, ".outcome > .caption", /each shows the newest sample that is not older than 1 min/);
  await go("#/");
  await reads(page, ".facets", /silent for 1 min or more/);
}

async function switched({ page, go, look, names }) {
  const place = `#/metric/${names.logins}?step=15s`;
  await go(place);
  await picker.selectOption("usual");
  await reads(page, lensCaption, "3 samples stored · 46 points drawn at step 15 s · 43 carried by the 5 min lookback");
  same(page.url(), `${base}backends/usual/${place}`, "the address at the other backend");
  same(await picker.inputValue(), "usual", "the backend");
  await look("backend-usual");
  await picker.selectOption("embedded");
  await page.waitForURL(`${base}backends/embedded/${place}`);
  await reads(page, lensCaption, /43 carried by the 5 min lookback$/);
  // Arrivals are narthex's own, whatever is looked at.
  await page.getByRole("link", { name: "Arrivals" }).click();
  await reads(page, ".arrivals", new RegExp(`accepted .*${names.logins}`));
  await picker.selectOption("short");
  await page.waitForURL(`${base}#/arrivals`);
  await page.locator(".arrivals").first().waitFor();
}

const failed = await run(ctx, [
  ["captions have the backend's lookback", lookbacks],
  ["another backend is chosen, and the place is kept", switched],
]);
await opened.close();
process.exit(failed === 0 ? 0 : 1);
