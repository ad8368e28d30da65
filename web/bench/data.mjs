// What is in the store, pushed as any client would.
export const metrics = 10_000;
export const series = 100;
export const points = 11_000;
export const step = 15;

const at = (s) => Math.round(s * 1000);

async function push(url, body) {
  const res = await fetch(url + "api/v1/push", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!res.ok) throw new Error(`the push was answered ${res.status}: ${(await res.text()).slice(0, 300)}`);
}

/** Fills the store: a chart of many series over two days, and many metrics. Returns the chart's first and last second. */
export async function fill(url) {
  const end = Math.floor(Date.now() / 1000 / step) * step - step;
  const start = end - (points - 1) * step;
  const batch = 500;
  for (let i = 0; i < points; i += batch) {
    const n = Math.min(batch, points - i);
    await push(url, {
      series: Array.from({ length: series }, (_, s) => ({
        labels: { __name__: "wave", series: String(s) },
        as: "sample",
        samples: Array.from({ length: n }, (_, k) => ({ timestamp: at(start + (i + k) * step), value: Math.round((s + Math.sin((i + k + s * 40) / 90)) * 1e4) / 1e4 })),
      })),
    });
  }
  for (let i = 0; i < metrics; i += 2000) {
    await push(url, { service: "bench", gauges: Array.from({ length: 2000 }, (_, k) => ({ name: `service_${String((i + k) % 40).padStart(2, "0")}_metric_${String(i + k).padStart(5, "0")}`, set: i + k })) });
  }
  return { start, end };
}
