// The browser, and what all steps ask of it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
/** Patience with a loaded machine and with two ticks of 15 s, ms. */
export const patience = Number(process.env["PATIENCE_MS"] ?? 90_000);

/** Starts the browser with one page, whose reader lives east of Greenwich. */
export async function open(base, out, options = {}) {
  const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: flags, timeout: patience });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 }, timezoneId: "Asia/Kolkata", locale: "en-GB", reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"], ...options,
  });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  let seen = [];
  page.on("pageerror", (e) => seen.push(`an exception: ${e.message}`));
  page.on("dialog", (d) => {
    seen.push(`a dialog: ${d.message()}`);
    void d.dismiss();
  });
  page.on("console", (m) => {
    // What the server refused on purpose is told by the page itself.
    if (["error", "warning"].includes(m.type()) && !m.text().startsWith("Failed to load resource")) seen.push(`console ${m.type()}: ${m.text()}`);
  });
  page.on("request", (r) => {
    const u = new URL(r.url());
    // A provider is asked by the sign-in itself, with a navigation.
    if (u.protocol !== "data:" && !r.isNavigationRequest() && u.origin !== new URL(base).origin) seen.push(`a request left the origin: ${r.url()}`);
  });
  const shot = (name, fullPage = false) => page.screenshot({ path: join(out, `${name}.png`), fullPage });
  return {
    page,
    shot,
    go: (hash) => page.goto(base + hash).then(() => page.reload()),
    /** Throws what should not have happened since the last call. */
    checkQuiet() {
      const all = seen;
      seen = [];
      if (all.length > 0) throw new Error(all.join("\n"));
    },
    forget: () => void (seen = []),
    /** Takes a screenshot in both themes and has axe look at each. */
    async look(name, fullPage = false) {
      for (const colorScheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme });
        await page.waitForTimeout(150); // the chart is drawn anew
        await shot(`${name}-${colorScheme}`, fullPage);
        await axe(page, `${name}, ${colorScheme}`);
      }
    },
    close: () => browser.close(),
  };
}

async function axe(page, where) {
  // By the debugger, not by a script tag: the page's policy would rightly refuse that.
  await page.evaluate(axeSource);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), tags);
  if (violations.length === 0) return;
  const text = violations.map((v) => `${v.id}: ${v.help}\n` + v.nodes.slice(0, 3).map((n) => `  ${n.html.slice(0, 160)}`).join("\n"));
  throw new Error(`axe, ${where}:\n${text.join("\n")}`);
}

/** Waits until the page's text fits, and shows what it was if it never does. */
export async function reads(page, selector, pattern) {
  const at = page.locator(selector).first();
  const end = Date.now() + patience;
  for (;;) {
    const text = (await at.innerText({ timeout: 1000 }).catch(() => "(not there)")).replaceAll(/\s+/g, " ").trim();
    if (pattern instanceof RegExp ? pattern.test(text) : text === pattern) return text;
    if (Date.now() > end) throw new Error(`${selector} should read ${pattern}, it reads: ${text.slice(0, 500)}`);
    await page.waitForTimeout(100);
  }
}

/** Throws unless the two are the same. */
export function same(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}
