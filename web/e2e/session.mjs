// What a person meets who has to sign in: the way in, a session that ends, the
// way out. The provider asks nothing.
import { reads, same } from "./browser.mjs";

/** Where the browser is sent to sign in, as it was last. */
function watched({ page }) {
  const asked = [];
  page.on("request", (r) => r.isNavigationRequest() && r.url().includes("code_challenge") && asked.push(new URL(r.url())));
  return asked;
}

/** An address is opened without a session: the way leads by the provider, with PKCE, to the same view. */
export async function signedIn(ctx) {
  const { page, base } = ctx;
  const asked = watched(ctx);
  await page.goto(base + "#/query?q=1%2B1&view=table", { waitUntil: "networkidle" });
  same(asked.map((u) => [u.searchParams.get("response_type"), u.searchParams.get("code_challenge_method"), u.searchParams.get("code_challenge")?.length]), [["code", "S256", 43]], "what the provider was asked");
  same(asked[0].searchParams.has("code_verifier"), false, "the verifier stays here");
  same(page.url(), base + "#/query?q=1%2B1&view=table", "where the sign-in ends");
  await reads(page, ".who", "jane.doe@example.com");
  await reads(page, ".result", /2/);
}

/** A session ends elsewhere: the page says so, and leads back to where one was. */
export async function expired(ctx, view, selector, pattern) {
  const { page, base, look, go } = ctx;
  await go(view);
  await reads(page, selector, pattern);
  // What is fetched ahead is there: without a session it would be refused.
  await page.waitForFunction(() => [...document.querySelectorAll("link[rel=stylesheet]")].filter((l) => l.sheet !== null).length > 2);
  await page.evaluate((path) => fetch(path, { method: "POST" }), new URL(base).pathname.replace(/backends\/.*$/, "") + "-/signout");
  await reads(page, "main h1", "Please sign in"); // by itself: what is seen is asked for again
  same(await page.locator(".who").count(), 0, "a name although nobody is signed in");
  await look("signed-out");
  await page.getByRole("link", { name: "Sign in" }).click();
  await reads(page, selector, pattern);
  same(page.url(), base + view, "where one is after signing in again");
}

/** One signs out: the session is over, and whoever reads is asked to sign in. */
export async function signedOut(ctx) {
  const { page, base, go, shot } = ctx;
  await go("#/");
  await reads(page, ".who", "jane.doe@example.com");
  await shot("account");
  // The page itself would lead to the provider, which signs one in again without a word.
  await page.route((u) => u.href.split("#")[0] === base, (r) => r.fulfill({ contentType: "text/html", body: "<h1>Left</h1>" }));
  const out = page.waitForResponse((r) => r.url().endsWith("-/signout") && r.request().method() === "POST");
  await page.getByRole("button", { name: "Sign out" }).click();
  same((await out).status(), 200, "signing out");
  await reads(page, "h1", "Left");
  const read = await page.context().request.get(new URL("api/v1/query?query=1", base).href);
  same([read.status(), (await read.json()).signIn], [401, "-/signin"], "reading without a session");
}

/** Somebody who may not come in is told so, by name, and may come as somebody else. */
export async function forbidden({ page, base, shot }) {
  await page.goto(base);
  await reads(page, "body", /You are signed in, but may not come in here: .* it wants the scope query/);
  await page.getByRole("link", { name: "Sign in again" }).waitFor();
  await shot("no-permission");
}
