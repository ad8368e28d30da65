// Arrivals and probes.
import { reads, same } from "./browser.mjs";
import { evil, harmless, push } from "./data.mjs";

/** What was refused comes first with its reason; what arrived leads to its samples. */
export async function arrivals({ page, go, look, base, names }) {
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: `{"service":"e2e-shop","counters":[{"name":"bad <b>name</b>","add":1},{"name":"${names.orders}","labels":{"shop":"chur"},"add":1}]}` });
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: "no JSON" });
  const ids = Array.from({ length: 8 }, (_, i) => ({ name: names.ids, labels: { session: `0000000${i}-1111-4222-8333-444444444444` }, add: 1 }));
  await push(base, { service: "e2e-ids", counters: ids });
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: `{"service":"e2e-till","counters":[{"name":"sold_total","add":-1}]}` });
  await go("#/arrivals");
  await reads(page, ".tiles .tile:first-child", /^Last tick .* ago one each \d+ s$/);
  await reads(page, "[aria-label='Need a look'] .arrivals", /failed .* 400 .*JSON/);
  await reads(page, "[aria-label='Need a look'] .arrivals", /partial e2e-shop by push .*1 accepted · 1 rejected.*bad <b>name<\/b>.* has characters that are not allowed/);
  await reads(page, "[aria-label='Need a look'] .arrivals", /rejected e2e-till by push 1 rejected.* sold_total/);
  await reads(page, ".tiles .tile:nth-child(3)", /^Rejected series [1-9]\d* at all doors, since the start$/);
  await look("arrivals", true);
  await page.locator(`[aria-label='Need a look'] a`, { hasText: "chur" }).click();
  await reads(page, "h1", `${names.orders} counter`);
  await reads(page, ".chips", /shop = chur/);
  await reads(page, "#series-title", "1 series");
  await go("#/arrivals?tab=cost");
  await reads(page, ".costs", /e2e-shop (< )?\d+ % [\d,]+ (< )?\$[\d.]+/);
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

/** Names of metrics and labels, values of le, targets, regions and services that would be markup: on every screen they are text. */
export async function hostileNames({ page, go, look, base }) {
  const now = Date.now();
  const sample = (labels, value = 1) => ({ labels, as: "sample", samples: [60, 30, 5].map((s, i) => ({ value: value * (i + 1), timestamp: now - s * 1000 })) });
  const [img, script] = evil;
  const name = `${img}_total`;
  await push(base, {
    service: script,
    series: [
      sample({ __name__: name, [script]: img }),
      ...[img, script, "+Inf", "1"].map((le, i) => sample({ __name__: "evil_seconds_bucket", le }, i + 1)),
      sample({ __name__: "evil_seconds_count" }, 4),
      sample({ __name__: "evil_seconds_sum" }, 4),
      sample({ __name__: "probe_success", name: img, region: script, instance: evil[3], module: img }, 0),
      sample({ __name__: "probe_failure_info", name: img, region: script, instance: evil[3], module: img, phase: img, reason: script }),
    ],
  });
  await fetch(base + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ service: script, counters: [{ name, labels: { a: img }, add: -1 }] }) });
  const q = encodeURIComponent;
  const screens = [
    ["#/?by=service", ".group", script],
    [`#/metric/${q(name)}?range=15m`, ".series tbody", img],
    ["#/metric/evil_seconds?range=15m", ".figure-head", "Where observations fell"],
    [`#/metric/${q(name)}?where=${q(`${script}=${img}`)}&by=${q(script)}`, ".chips", script],
    [`#/query?q=${q(`{__name__=${JSON.stringify(name)}}`)}&view=table`, ".result tbody", img],
    [`#/query?q=evil_seconds_bucket&range=15m`, ".lines", script],
    [`#/query?q=evil_seconds_bucket&view=heatmap&range=15m`, ".outcome", "steps"],
    [`#/query?q=${q(`${script} ${img}`)}`, ".trouble", ""],
    ["#/probes", ".probes tbody", img],
    [`#/probes/${q(img)}`, ".regions", script],
    ["#/arrivals", ".arrivals", img],
    ["#/arrivals?tab=cost", ".costs", script],
    ["#/arrivals?tab=limits", ".costs", script],
    [`#/nowhere/${q(script)}`, "h1", "There is nothing"],
  ];
  for (const [hash, where, text] of screens) {
    await go(hash);
    await page.locator(where, { hasText: text }).first().waitFor();
    same(await page.locator("body img, main script, body iframe").count(), 0, `elements made from names on ${hash}`);
  }
  await go("#/probes");
  await reads(page, ".probes tbody", new RegExp(`did not run|down ${img.replace(/[()]/g, ".")}: `));
  if (!(await page.locator(".probes").innerText()).includes(harmless[3])) throw new Error("control characters are not shown by their pictures");
  await look("hostile-names");
}
