// Signs in to a narthex in a real browser and reads what a person would see.
//
//	node e2e/signin.mjs URL OUTDIR [forbidden]
//
// URL is where the page is, behind a sign-in at a provider that asks nothing;
// with "forbidden" it lets somebody come who may not. The exit code is 0 if all
// holds, 1 if something does not.
import { mkdirSync } from "node:fs";
import { open, same } from "./browser.mjs";
import * as session from "./session.mjs";
import { run } from "./steps.mjs";

const [base, out = "e2e-out", who] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const opened = await open(base, out, { ignoreHTTPSErrors: true });
const ctx = { ...opened, base };
const status = (path, init) => ctx.page.evaluate(([p, i]) => fetch(p, i).then((r) => r.status), [path, init ?? {}]);

// No script reads the session, and it goes nowhere else.
async function cookies({ page }) {
  same(await status("api/v1/query?query=1"), 200, "reading with the session");
  same(await page.evaluate(() => document.cookie), "", "what a script reads of it");
  const all = await page.context().cookies();
  const mine = all.find((c) => c.name === "__Host-narthex");
  same([mine?.httpOnly, mine?.secure, mine?.sameSite, mine?.path], [true, true, "Lax", "/"], "the session's cookie");
  same(all.some((c) => c.name === "__Host-narthex-signin"), false, "the sign-in's own cookie");
}

// Another origin can neither frame the page nor read or end the session.
async function elsewhere({ page, base }) {
  const other = await page.context().newPage();
  await other.route("https://elsewhere.example/**", (r) => r.fulfill({ contentType: "text/html", body: `<iframe src="${base}"></iframe>` }));
  await other.goto("https://elsewhere.example/", { waitUntil: "networkidle" });
  const read = await other.evaluate((u) => fetch(u, { credentials: "include" }).then((r) => r.text(), (e) => String(e)), base + "api/v1/query?query=1");
  same(/Failed to fetch/.test(read), true, `another origin reads ${read}`);
  await other.evaluate((u) => fetch(u, { method: "POST", credentials: "include", mode: "no-cors" }).then(() => "sent", () => "refused"), base + "-/signout"); // what came of it is seen below
  const frame = other.frames().find((f) => f !== other.mainFrame());
  same(/<main|id="app"/.test((await frame?.content().catch(() => "")) ?? ""), false, "the page in a frame");
  await other.close();
  await page.bringToFront();
  same(await status("api/v1/query?query=1"), 200, "the session after that");
}

const failed = await run(ctx, who === "forbidden" ? [["somebody who may not come in is told so", session.forbidden]] : [
  ["the way in, with PKCE, ends where one wanted to be", session.signedIn],
  ["the session is a cookie that no script reads", cookies],
  ["another origin gets nothing", elsewhere],
  ["a session that ended leads back to the same view", (c) => session.expired(c, "#/?q=hello&sort=-name", "main h1", /Nothing has arrived yet|Metrics/)],
  ["also from another backend's page", (c) => session.expired({ ...c, base: base + "backends/embedded/", go: (h) => c.page.goto(base + "backends/embedded/" + h).then(() => c.page.reload()) }, "#/", "main h1", /Nothing has arrived yet|Metrics/)],
  ["the way out", session.signedOut],
]);
await opened.close();
process.exit(failed === 0 ? 0 : 1);
