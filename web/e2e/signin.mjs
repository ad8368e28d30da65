// Signs in to a narthex in a real browser and reads what a person would see.
//
//	node e2e/signin.mjs URL OUTDIR
//
// URL is where the page is, behind a sign-in at a provider that asks nothing.
// The exit code is 0 if all holds, 1 if something does not.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, out = "e2e-out"] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "narthex-e2e-")), {
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ignoreHTTPSErrors: true,
  viewport: { width: 1280, height: 800 },
});
try {
  const page = browser.pages()[0];
  const elsewhere = [];
  const complaints = [];
  page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
  page.on("request", (r) => {
    // The provider is asked by the sign-in itself, with a navigation.
    if (!r.url().startsWith(new URL(url).origin) && !r.url().startsWith("data:") && !r.isNavigationRequest()) elsewhere.push(r.url());
  });

  await page.goto(url, { waitUntil: "networkidle" });
  assert.equal(page.url().split("#")[0], url, "after the sign-in one is on the page that one wanted");
  assert.match(await page.title(), /narthex/i);
  const status = (path, init) => page.evaluate(([p, i]) => fetch(p, i).then((r) => r.status), [path, init ?? {}]);
  assert.equal(await status("api/v1/query?query=1"), 200, "the page reads with the session");
  assert.equal(await page.evaluate(() => document.cookie), "", "no script reads the session");
  await page.screenshot({ path: join(out, "signed-in.png") });

  const cookies = await browser.cookies();
  const session = cookies.find((c) => c.name === "__Host-narthex");
  assert.ok(session, `there is a session: ${cookies.map((c) => c.name)}`);
  assert.deepEqual([session.httpOnly, session.secure, session.sameSite, session.path], [true, true, "Lax", "/"]);
  assert.equal(cookies.find((c) => c.name === "__Host-narthex-signin"), undefined, "the sign-in's own cookie is gone");

  // Another origin can neither frame the page nor read with the session.
  const other = await browser.newPage();
  await other.route("https://elsewhere.example/**", (r) => r.fulfill({ contentType: "text/html", body: `<iframe src="${url}"></iframe>` }));
  await other.goto("https://elsewhere.example/", { waitUntil: "networkidle" });
  const theirs = await other.evaluate((u) => fetch(u, { credentials: "include" }).then((r) => r.text(), (e) => String(e)), url + "api/v1/query?query=1");
  assert.match(theirs, /Failed to fetch/, "another origin reads nothing");
  await other.evaluate((u) => fetch(u, { method: "POST", credentials: "include", mode: "no-cors" }).then(() => "sent", () => "refused"), url + "-/signout"); // what came of it is seen below
  const frame = other.frames().find((f) => f !== other.mainFrame());
  assert.ok(!frame || !/<main|id="app"/.test(await frame.content().catch(() => "")), "the page is not framed");
  await other.close();

  await page.bringToFront();
  assert.equal(await status("api/v1/query?query=1"), 200, "nobody else has signed one out");
  assert.equal(await status("-/signout", { method: "POST" }), 200);
  assert.equal(await status("api/v1/query?query=1"), 401, "signed out");
  assert.deepEqual(elsewhere, [], "no request leaves the origin");
  const csp = complaints.filter((c) => /Content.Security.Policy|Refused to/i.test(c));
  assert.deepEqual(csp, [], "the policy allows what the page does");
  console.log("signed in, read, signed out");
} finally {
  await browser.close();
}
