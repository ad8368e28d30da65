import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Narthex, NarthexError} from 'narthex';
import {answer, fake, never} from './fake.mjs';

const url = 'http://127.0.0.1:1';

/** A client with a fake fetch, and the errors that it told. */
function client(steps = [], options = {}) {
  const errors = [];
  const f = fake(...steps);
  const c = new Narthex({url, fetch: f.fetch, flushInterval: 0, onError: (e) => errors.push(e), ...options});
  return {c, errors, ...f};
}

test('what happens between two pushes is added up', async () => {
  const {c, calls, errors} = client([], {service: 'shop', labels: {region: 'eu'}});
  const orders = c.counter('orders_total', {help: 'Orders.', labels: {kind: 'web'}});
  orders.inc();
  orders.inc(2, {country: 'ch'});
  orders.inc(3, {country: 'ch', region: undefined});
  orders.inc(0.5, {country: 'ch', none: null, empty: ''});
  const before = Date.now();
  c.gauge('queue_length').set(1);
  c.gauge('queue_length').set(-7.5);
  c.histogram('latency_seconds', {buckets: 'api_latency'}).observe(0.012, {ok: true, n: 1});
  c.histogram('latency_seconds', {buckets: 'api_latency'}).observe(0.3, {n: 1, ok: true});
  c.histogram('plain').observe(1);
  assert.deepEqual(await c.flush(), {accepted: 6, rejected: 0, pending: 0});
  const common = {service: 'shop', region: 'eu'};
  const {gauges, ...rest} = calls[0].json;
  assert.deepEqual(rest, {
    counters: [
      {name: 'orders_total', labels: {kind: 'web', ...common}, add: 1},
      {name: 'orders_total', labels: {country: 'ch', kind: 'web', ...common}, add: 2.5},
      {name: 'orders_total', labels: {country: 'ch', kind: 'web', service: 'shop'}, add: 3},
    ],
    histograms: [
      {
        name: 'latency_seconds',
        labels: {n: '1', ok: 'true', ...common},
        observe: [0.012, 0.3],
        buckets: 'api_latency',
      },
      {name: 'plain', labels: common, observe: [1], buckets: 'default'},
    ],
  });
  assert.equal(gauges.length, 1);
  assert.equal(gauges[0].set, -7.5);
  assert.ok(gauges[0].timestamp >= before && gauges[0].timestamp <= Date.now());

  assert.deepEqual(await c.flush(), {accepted: 0, rejected: 0, pending: 0});
  orders.inc(4);
  await c.flush();
  assert.equal(calls.length, 2);
  assert.equal(calls[1].json.counters[0].add, 4);
  assert.notEqual(calls[0].id, calls[1].id);
  assert.deepEqual(errors, []);
});

test('observations of own bounds are counted here', async () => {
  const {c, calls} = client();
  const h = c.histogram('size', {buckets: [0.00001, 0.5, 1, 1000, 1e6, 1234567, Infinity]});
  for (const v of [0, 0.5, 0.75, 1, 999, 5e6]) h.observe(v, {a: 'b'});
  await c.flush();
  const got = calls[0].json.counters.map((x) => [x.name, x.labels.le, x.add]);
  assert.deepEqual(got, [
    ['size_bucket', '1e-05', 1],
    ['size_bucket', '0.5', 2],
    ['size_bucket', '1.0', 4],
    ['size_bucket', '1000.0', 5],
    ['size_bucket', '1e+06', 5],
    ['size_bucket', '1.234567e+06', 5],
    ['size_bucket', '+Inf', 6],
    ['size_count', undefined, 6],
    ['size_sum', undefined, 5001001.25],
  ]);
});

test('a timer observes seconds, of promises and failures too', async () => {
  const {c, calls} = client();
  const h = c.histogram('took_seconds');
  assert.equal(
    h.time(() => 1),
    1,
  );
  assert.equal(await h.time(async () => 2), 2);
  assert.throws(() => h.time(() => { throw new Error('x'); }), /x/); // prettier-ignore
  await assert.rejects(
    h.time(() => Promise.reject(new Error('y'))),
    /y/,
  );
  const seconds = h.startTimer({a: '1'})({b: '2'});
  await c.flush();
  const [first, second] = calls[0].json.histograms;
  assert.equal(first.observe.length, 4);
  assert.deepEqual(second.labels, {a: '1', b: '2'});
  assert.deepEqual(second.observe, [seconds]);
  assert.ok(seconds >= 0 && seconds < 1);
});

test('a push is tried again under its id, over flushes', async () => {
  const down = answer(503, {error: 'busy'}, {'Retry-After': '60'});
  const {c, calls, errors} = client([down, answer(401, {error: 'who?'}), new TypeError('fetch failed')]);
  c.counter('a_total').inc();
  assert.deepEqual(await c.flush(), {accepted: 0, rejected: 0, pending: 1});
  c.counter('a_total').inc(2);
  assert.deepEqual(await c.flush(), {accepted: 0, rejected: 0, pending: 2});
  assert.deepEqual(await c.flush({timeout: 50}), {accepted: 0, rejected: 0, pending: 2});
  assert.deepEqual(await c.flush({timeout: 0}), {accepted: 0, rejected: 0, pending: 2});
  assert.deepEqual(await c.flush(), {accepted: 2, rejected: 0, pending: 0});
  assert.equal(calls.length, 5);
  assert.equal(new Set(calls.slice(0, 4).map((x) => x.id + x.body)).size, 1);
  assert.equal(calls[4].json.counters[0].add, 2);
  assert.deepEqual(
    errors.map((e) => [e.kind, e.status, e.lost]),
    [
      ['unsent', 503, 0],
      ['unsent', 401, 0],
      ['unsent', undefined, 0],
      ['unsent', undefined, 0],
    ],
  );
  assert.match(errors[0].message, /^1 series are not pushed yet: 503 busy$/);
  assert.ok(errors[0] instanceof NarthexError);
});

test('within a flush tries go on until the time is over', async () => {
  const {c, calls} = client([new TypeError('fetch failed'), answer(500, 'x'), answer(429, 'x')]);
  c.counter('a_total').inc();
  assert.deepEqual(await c.flush(), {accepted: 1, rejected: 0, pending: 0});
  assert.equal(calls.length, 4);
});

test('a flush ends on time though nobody answers', async () => {
  const {c, calls, errors} = client([never(), never(false)]);
  c.counter('a_total').inc();
  for (let i = 1; i <= 2; i++) {
    const start = performance.now();
    assert.equal((await c.flush({timeout: 60})).pending, 1);
    const took = performance.now() - start;
    assert.ok(took > 40 && took < 2000, `${took} ms`);
  }
  // Two at once: one sends, the other waits, each for its own time.
  assert.equal(calls.length, 2);
  assert.equal(errors.length, 2);
  assert.equal((await c.flush()).accepted, 1);
});

test('flushes at the same time send nothing twice', async () => {
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  const {c, calls} = client([(init) => gate.then(() => fake().fetch('', init))]);
  c.counter('a_total').inc();
  const first = c.flush();
  c.counter('a_total').inc(5);
  const second = c.flush();
  const third = await c.flush({timeout: 10});
  assert.equal(third.pending, 2);
  release();
  assert.deepEqual([(await first).pending, (await second).pending], [0, 0]);
  assert.deepEqual(calls.map((x) => x.json.counters[0].add), [1, 5]); // prettier-ignore
});

test('what is refused is told and not sent again', async () => {
  const rejected = [{series: 'b', reason: 'bad name'}];
  const {c, calls, errors} = client([
    answer(200, {status: 'partial', accepted: 1, duplicate: 0, rejected}),
    answer(400, {error: 'nothing of the push', rejected}),
    answer(403, {error: 'not you'}),
    answer(200, '<html>'),
    answer(200, {status: 'duplicate', accepted: 0, duplicate: 1, rejected: []}),
  ]);
  c.counter('a_total').inc();
  c.counter('b').inc();
  assert.deepEqual(await c.flush(), {accepted: 1, rejected: 1, pending: 0});
  for (const accepted of [0, 0, 0, 1]) {
    c.counter('a_total').inc();
    assert.deepEqual(await c.flush(), {accepted, rejected: 1 - accepted, pending: 0});
  }
  assert.equal(calls.length, 5);
  assert.deepEqual(
    errors.map((e) => e.message),
    [
      '1 series were rejected: b: bad name',
      '1 series were rejected: 400 nothing of the push',
      '1 series were rejected: 403 not you',
      '1 series were rejected: 200 <html>',
    ],
  );
  assert.deepEqual(errors[0].rejected, rejected);
});

test('values that are none are told, lose nothing else, and throw nothing', async () => {
  const {c, calls, errors} = client();
  const a = c.counter('a_total');
  for (const n of [-1, NaN, Infinity, '3']) a.inc(n);
  a.inc(Number.MAX_VALUE);
  a.inc(Number.MAX_VALUE);
  c.gauge('g').set(NaN);
  const h = c.histogram('h', {buckets: [1]});
  h.observe(-1);
  h.observe(undefined);
  await c.close();
  a.inc();
  assert.equal(errors.length, 9);
  assert.ok(errors.every((e) => e.kind === 'invalid' && e.lost === 1));
  assert.match(errors[0].message, /^a_total: the increment -1 is not/);
  assert.match(errors[8].message, /closed/);
  assert.deepEqual(calls[0].json, {counters: [{name: 'a_total', labels: {}, add: Number.MAX_VALUE}]});
  const throwing = client([], {onError: () => assert.fail('not to be seen')});
  throwing.c.counter('a').inc(-1);
});

test('a name is one thing', () => {
  const {c} = client();
  c.counter('a');
  c.counter('a');
  assert.throws(() => c.gauge('a'), /a is a counter, and can't be a gauge as well/);
  c.histogram('h', {buckets: [1, 2]});
  assert.throws(() => c.histogram('h', {buckets: [1]}), /histogram of 1,2/);
  assert.throws(() => c.counter(''), /needs a name/);
  for (const buckets of [[], [2, 1], [1, 1], [NaN]]) {
    assert.throws(() => c.histogram('x' + buckets, {buckets}), TypeError);
  }
});

test('much is sent at once, and more than waits is dropped, the oldest first', async () => {
  const {c, calls, errors, steps} = client([], {maxBatch: 3, maxQueue: 2, flushTimeout: 100});
  steps.push(never());
  const a = c.counter('a_total');
  for (let i = 0; i < 12; i++) a.inc(1, {i}); // 4 pushes; the first is under way and stays
  assert.equal(calls.length, 0, 'nothing is sent before the caller is done');
  assert.deepEqual(errors.map((e) => [e.kind, e.lost]), [['dropped', 3], ['dropped', 3]]); // prettier-ignore
  const {pending} = await c.flush({timeout: 20});
  assert.equal(pending, 6);
  assert.equal(calls.length, 1);
  assert.equal(calls[0].json.counters[0].labels.i, '0');
});

test('what waits for longer than ids are remembered is dropped', async (t) => {
  const {c, calls, errors} = client([answer(503, 'x', {'Retry-After': '60'})], {maxAge: 1000});
  c.counter('a_total').inc();
  await c.flush();
  const {now} = Date;
  t.after(() => (Date.now = now));
  Date.now = () => now() + 1001;
  assert.deepEqual(await c.flush(), {accepted: 0, rejected: 0, pending: 0});
  assert.equal(calls.length, 1);
  assert.deepEqual(errors.map((e) => e.kind), ['unsent', 'dropped']); // prettier-ignore
});

test('a flush comes by itself after the interval', async () => {
  const done = Promise.withResolvers ? Promise.withResolvers() : deferred();
  const {c} = client([(init) => (done.resolve(), fake().fetch('', init))], {flushInterval: 5});
  const alive = setTimeout(() => done.reject(new Error('no flush')), 10_000); // its own timer keeps no process
  c.counter('a_total').inc();
  await done.promise;
  clearTimeout(alive);
  await c.close();
});

function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, {resolve, reject}));
  return d;
}

test('tokens are asked for at each try, and go where they belong', async (t) => {
  let n = 0;
  const {c, calls} = client([answer(503, '')], {token: async () => `t${++n}`, headers: {'X-B': '1'}});
  c.counter('a_total').inc();
  await c.flush();
  assert.deepEqual(calls.map((x) => x.headers['Authorization']), ['Bearer t1', 'Bearer t2']); // prettier-ignore
  assert.equal(calls[0].headers['X-B'], '1');

  t.after(() => ['NARTHEX_URL', 'NARTHEX_TOKEN'].forEach((k) => delete process.env[k]));
  Object.assign(process.env, {NARTHEX_URL: 'http://env:1', NARTHEX_TOKEN: 'secret'});
  const env = client([], {url: undefined});
  env.c.counter('a').inc();
  await env.c.flush();
  assert.equal(env.calls[0].url, 'http://env:1/api/v1/push');
  assert.equal(env.calls[0].headers['Authorization'], 'Bearer secret');
  const other = client();
  other.c.counter('a').inc();
  await other.c.flush();
  assert.equal(other.calls[0].headers['Authorization'], undefined);
});
