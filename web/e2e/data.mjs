// The data of a run, pushed as any client would.

/** The names of this run: a store that has seen another run does not disturb. */
export function names() {
  const tag = Date.now().toString(36);
  return { orders: `e2e_${tag}_orders_total`, room: `e2e_${tag}_temperature_celsius`, logins: `e2e_${tag}_logins_total`, hostile: `e2e_${tag}_hostile_total`, latency: `e2e_${tag}_latency_seconds`, ids: `e2e_${tag}_ids_total`, native: `e2e_${tag}_native_seconds` };
}

/** Label values that would be markup, or worse, where text is not kept text. */
export const evil = [`<img src=x onerror=alert(1)>`, `"><script>alert(2)</script>`, `{{7*7}} \${7*7} \\" 'x'`, "bell\u0007 null-like\u0001 \u202eright to left"];

/** What the page shows of the last of them: pictures and numbers in place of what plays tricks. */
export const harmless = [...evil.slice(0, 3), "bell␇ null-like␁ ‹U+202E›right to left"];

/** Sends one push and throws unless all of it was accepted. A page about another backend takes none: its narthex does. */
export async function push(base, body) {
  const res = await fetch(base.replace(/backends\/[^/]+\/$/, "") + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const text = await res.text();
  if (res.status !== 200 || !/"status":\s*"accepted"/.test(text)) throw new Error(`the push was answered ${res.status}: ${text}`);
}

/** One order in the shop of Basel: the first thing that arrives. */
export async function pushFirst({ base, names }) {
  await push(base, { service: "e2e-shop", counters: [{ name: names.orders, labels: { shop: "basel" }, add: 5 }] });
}

/** All else but the three updates. */
export async function pushAll({ base, names }) {
  await push(base, {
    service: "e2e-shop",
    counters: [{ name: names.orders, labels: { shop: "bern" }, add: 7 }],
    histograms: [{ name: names.latency, labels: { route: "/a" }, observe: [0.003, 0.02, 0.02, 0.7] }],
  });
  await push(base, {
    histograms: [{ name: names.native, observe: [0.003, 0.02, 0.02, 0.7], buckets: "native" }],
    counters: [...evil.map((v, i) => ({ name: names.hostile, labels: { who: v, n: String(i) }, add: i + 1 }))],
    gauges: [{ name: names.room, labels: { room: "kitchen" }, set: 21.25 }],
  });
}

/**
 * Three samples with their own times, as in the question "why are there so many
 * points?": t+7 s, t+95 s, t+20 min 3 s, t being a multiple of ten minutes. The
 * next multiple after the last sample has passed, so that a step of ten minutes
 * could have shown it, and so has the lookback, so that all is drawn at 15 s.
 */
export async function pushThreeUpdates({ base, names }) {
  const t = Math.floor((Date.now() - 31 * 60_000) / 600_000) * 600_000;
  const times = [t + 7123, t + 95_456, t + 1_203_789];
  await push(base, { series: [{ labels: { __name__: names.logins, from: "me" }, as: "sample", samples: times.map((timestamp, i) => ({ value: i + 1, timestamp })) }] });
  return times;
}
