// Pushes with prom-client. node push.mjs URL prints one line for each answer.
import client from 'prom-client';

const registry = new client.Registry();
const runs = new client.Counter({name: 'node_runs_total', help: 'Runs.', labelNames: ['shop'], registers: [registry]});
const last = new client.Gauge({name: 'node_last', help: 'The last.', registers: [registry]});
const seconds = new client.Histogram({name: 'node_seconds', help: 'Time.', buckets: [0.5, 1], registers: [registry]});
const size = new client.Summary({name: 'node_size', help: 'Size.', percentiles: [0.5], registers: [registry]});

const [base] = process.argv.slice(2);
const gateway = new client.Pushgateway(base, {}, registry);
const zipped = new client.Pushgateway(base, {headers: {'Content-Encoding': 'gzip'}}, registry);
const totals = new client.Pushgateway(base + '/aggregate', {headers: {'X-Narthex-Temporality': 'cumulative', 'X-Narthex-Source': 'node-1'}}, registry);
const adding = new client.Pushgateway(base + '/aggregate', {}, registry);

async function say(what, promise) {
  const {resp} = await promise;
  console.log(what, resp.statusCode);
}

for (let i = 1; i <= 2; i++) {
  runs.inc({shop: 'zug'}, i);
  last.set(i);
  seconds.observe(i === 1 ? 0.25 : 4);
  size.observe(i);
  await say('push', gateway.push({jobName: 'node a/b', groupings: {instance: 'i 1'}}));
  await say('aggregate totals', totals.push({jobName: 'node-totals'}));
}
await say('pushAdd', zipped.pushAdd({jobName: 'node-add'}));
await say('push', gateway.push({jobName: 'node-gone'}));
await say('delete', gateway.delete({jobName: 'node-gone'}));
await say('aggregate', adding.pushAdd({jobName: 'node-increments'}));
await say('aggregate', adding.pushAdd({jobName: 'node-increments'}));
