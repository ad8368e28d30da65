// Arrivals and probes.
import { reads, same } from "./browser.mjs";
import { push } from "./data.mjs";

/** What was refused comes first with its reason; what arrived leads to its samples. */
export async function arrivals({ page, go, look, base, names }) {
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: `{"service":"e2e-shop","counters":[{"name":"bad <b>name</b>","add":1},{"name":"${names.orders}","labels":{"shop":"chur"},"add":1}]}` });
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: "no JSON" });
  const ids = Array.from({ length: 8 }, (_, i) => ({ name: names.ids, labels: { session: `0000000${i}-1111-4222-8333-444444444444` }, add: 1 }));
  await push(base, { service: "e2e-ids", counters: ids });
  await go("#/arrivals");
  await reads(page, ".tiles .tile:first-child", /^Last tick .* ago one each \d+ s$/);
  await reads(page, "[aria-label='Need a look'] .arrivals", /failed .* 400 .*JSON/);
  await reads(page, "[aria-label='Need a look'] .arrivals", /partial e2e-shop by push .*1 accepted · 1 rejected.*bad <b>name<\/b>.* has characters that are not allowed/);
  await look("arrivals", true);
  await page.locator(`[aria-label='Need a look'] a`, { hasText: "chur" }).click();
  await reads(page, "h1", `${names.orders} counter`);
  await reads(page, ".chips", /shop = chur/);
  await reads(page, "#series-title", "1 series");
  await go("#/arrivals?tab=cost");
  await reads(page, ".costs", /e2e-shop \d+ % [\d,]+ (< )?\$[\d.]+/);
  await look("cost");
  await go("#/arrivals?tab=limits");
  await reads(page, ".suspects", /has the label session, whose values look like a uuid, such as/);
  await look("limits");
  await go("#/arrivals?tab=destinations");
  await reads(page, ".destinations", /^up The embedded store took a tick /);
  await go("#/arrivals?tab=logs");
  await reads(page, ".none", /^No access log has come/);
}

/** Up, down with the reason, did not run; and a probe now. */
export async function probes({ page, go, look, base }) {
  const samples = (value, ...ages) => ages.map((s) => ({ value, timestamp: Date.now() - s * 1000 }));
  const labels = (name, region, more = {}) => ({ name, region, instance: "https://shop.example", module: "http_2xx", ...more });
  await push(base, {
    series: [
      { labels: { __name__: "probe_success", ...labels("e2e-up", "eu") }, as: "sample", samples: samples(1, 150, 90, 30) },
      { labels: { __name__: "probe_success", ...labels("e2e-up", "us") }, as: "sample", samples: samples(0, 150, 90, 30) },
      { labels: { __name__: "probe_failure_info", ...labels("e2e-up", "us", { phase: "tls", reason: "cert_expired" }) }, as: "sample", samples: samples(1, 30) },
      { labels: { __name__: "probe_success", ...labels("e2e-late", "eu") }, as: "sample", samples: samples(1, 1500, 1440, 1380) },
      { labels: { __name__: "probe_ssl_earliest_cert_expiry", ...labels("e2e-up", "eu") }, as: "sample", samples: samples(Date.now() / 1000 + 10.5 * 86400, 30) },
      { labels: { __name__: "probe_http_duration_seconds", ...labels("e2e-up", "eu", { phase: "tls" }) }, as: "sample", samples: samples(0.04, 150, 90, 30) },
      { labels: { __name__: "probe_http_duration_seconds", ...labels("e2e-up", "eu", { phase: "connect" }) }, as: "sample", samples: samples(0.02, 150, 90, 30) },
    ],
  });
  await go("#/probes");
  await reads(page, ".probes tr:has-text('e2e-up')", /^e2e-up https:\/\/shop\.example ● up .*▼ down tls: cert_expired 50 % 50 % 50 % 10 d$/);
  await reads(page, ".probes tr:has-text('e2e-late')", /○ did not run for 2\d min not from here 100 %/);
  await look("probes");
  await page.getByRole("link", { name: "e2e-up" }).click();
  await reads(page, ".regions", /^eu ● up us ▼ down tls: cert_expired$/);
  await reads(page, ".legend", /^connect tls$/);
  await look("probe");
  await go("#/probes");
  await page.getByRole("textbox", { name: "Target" }).fill(base + "-/healthy");
  await page.getByRole("button", { name: "Probe", exact: true }).click();
  await reads(page, ".report", /^● up in .* ms, .* resolve .* transfer .* The log$/);
  await page.getByText("The log").click();
  await reads(page, ".report pre", /status_code=200/);
  same(await page.locator(".report meter").count(), 5, "the phases of a probe over HTTP");
  await look("probe-now");
}
