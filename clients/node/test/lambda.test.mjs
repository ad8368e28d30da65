import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Narthex, withNarthex} from 'narthex';
import {fake, never} from './fake.mjs';

const url = 'http://127.0.0.1:1';
const context = (ms) => ({getRemainingTimeInMillis: () => ms});

test('what a handler recorded is pushed before its answer leaves', async () => {
  const {fetch, calls} = fake();
  const client = new Narthex({url, fetch, flushInterval: 0});
  const runs = client.counter('runs_total');
  const handler = withNarthex(async (event) => {
    runs.inc(event.n);
    if (event.fail) throw new Error('failed');
    return event.n + 1;
  }, client);
  assert.equal(await handler({n: 1}, context(3000)), 2);
  assert.equal(calls.length, 1);
  await assert.rejects(handler({n: 2, fail: true}, context(3000)), /failed/);
  assert.equal(calls[1].json.counters[0].add, 2);
  assert.equal(await withNarthex(() => 'sync', client)({}, undefined), 'sync');
  assert.equal(calls.length, 2);
});

test('the push takes no longer than the invocation has left, and goes with the next one', async () => {
  const {fetch, calls} = fake(never(false));
  const errors = [];
  const client = new Narthex({url, fetch, flushInterval: 0, onError: (e) => errors.push(e.kind)});
  const handler = withNarthex(() => client.counter('runs_total').inc(), client, {margin: 4900});
  const start = performance.now();
  await handler({}, context(5000));
  const took = performance.now() - start;
  assert.ok(took < 2500, `${took} ms`); // 100 and what the machine takes
  await handler({}, context(200)); // no time at all
  assert.equal(calls.length, 1);
  await handler({}, context(60_000));
  assert.equal(calls.length, 4);
  assert.equal(calls[1].id, calls[0].id);
  assert.deepEqual(errors, ['unsent', 'unsent']);
});

test('in Lambda no timer runs', async (t) => {
  t.after(() => delete process.env['AWS_LAMBDA_FUNCTION_NAME']);
  process.env['AWS_LAMBDA_FUNCTION_NAME'] = 'f';
  t.mock.timers.enable({apis: ['setTimeout']});
  const {fetch, calls} = fake();
  const client = new Narthex({url, fetch});
  client.counter('a').inc();
  t.mock.timers.tick(3600_000);
  assert.equal(calls.length, 0);
});
