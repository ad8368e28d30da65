// Drives the viewer as a function through a real browser: signed in, over
// another Prometheus, with neither pushes nor probes of its own.
//
//	node e2e/function.mjs URL PUSHURL OUTDIR
//
// URL is the function's, behind a sign-in at a provider that asks nothing.
// PUSHURL is a narthex that writes to the Prometheus that the function shows.
// The exit code is 0 if all holds, 1 if something does not.
import { mkdirSync } from "node:fs";
import { open, reads, same } from "./browser.mjs";
import { names, pushFirst, pushThreeUpdates } from "./data.mjs";
import { filledElsewhere } from "./list.mjs";
import { lensOnThree } from "./metric.mjs";
import { run } from "./steps.mjs";
import { expired, signedIn, signedOut } from "./session.mjs";

const [base, pushTo, out = "e2e-out"] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const opened = await open(base, out, { ignoreHTTPSErrors: true });
const ctx = { ...opened, base, names: names() };
const from = { ...ctx, base: pushTo };

async function queried({ page, go, look, names }) {
  await go(`#/query?q=${names.orders}&view=table`);
  await reads(page, ".result", new RegExp(`${names.orders}{.*shop="basel"} 5$`));
  await go(`#/query?q=${names.logins}&range=6h`);
  await reads(page, ".outcome > .caption", /^1 series, \d+ points? · \d+ steps, .* not older than 5 min/);
  await look("function-query");
}

// What it does not have it does not pretend to have.
async function absent({ page, go, look }) {
  await go("#/arrivals");
  await reads(page, "main h1", "Nothing is pushed here");
  same(await page.locator("nav a").allInnerTexts(), ["Metrics", "Query", "Probes"], "the screens");
  await look("function-arrivals");
  await go("#/probes");
  await reads(page, "main .empty", /^No probe is stored here /);
  same(await page.getByRole("button", { name: "Probe", exact: true }).count(), 0, "a form that nobody would answer");
  await look("function-probes");
}

const failed = await run(ctx, [
  ["the way in, with PKCE, ends where one wanted to be", signedIn],
  ["what is stored is listed", async () => { await pushFirst(from); await filledElsewhere(ctx); }],
  ["three updates: stored, drawn, carried and hidden", async () => lensOnThree(ctx, await pushThreeUpdates(from))],
  ["an expression as table and graph", queried],
  ["no arrivals, no probes", absent],
  ["a session that ended leads back to the same view", () => expired(ctx, `#/metric/${ctx.names.orders}?range=15m`, "main h1", `${ctx.names.orders} unknown`)],
  ["the way out", signedOut],
]);
await opened.close();
process.exit(failed === 0 ? 0 : 1);
