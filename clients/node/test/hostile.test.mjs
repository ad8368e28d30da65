// What requests bring, what a server may answer, and what must not be told.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {test} from 'node:test';
import {Narthex, pushTimeseries} from 'narthex';
import {answer, fake} from './fake.mjs';

function client(steps = [], options = {}) {
  const errors = [];
  const f = fake(...steps);
  const c = new Narthex({
    url: 'http://127.0.0.1:1',
    fetch: f.fetch,
    flushInterval: 0,
    onError: (e) => errors.push(e),
    ...options,
  });
  return {c, errors, ...f};
}

/** A server on the loopback, until the test ends. */
async function serve(t, handler) {
  const s = createServer(handler);
  s.listen(0, '127.0.0.1');
  await once(s, 'listening');
  t.after(() => (s.closeAllConnections(), s.close()));
  return `http://127.0.0.1:${s.address().port}`;
}

const unprintable = JSON.parse('{"toString": 1, "valueOf": 2}'); // String() of it throws

test('nothing that records throws, whatever a request brought', async () => {
  const {c, errors, calls} = client();
  const values = [
    unprintable,
    Object.create(null),
    Symbol('x'),
    10n,
    'a\nFORGED LINE',
    'x'.repeat(3e6),
    [],
    {},
  ];
  for (const v of values) {
    c.counter('a_total').inc(v);
    c.gauge('g').set(v);
    c.histogram('h').observe(v);
    c.histogram('b', {buckets: [1]}).observe(v);
    c.counter('b_total').inc(1, {country: v});
  }
  for (const e of errors) {
    assert.equal(e.kind, 'invalid');
    assert.ok(e.message.length < 300, `a message of ${e.message.length} characters`);
    assert.doesNotMatch(e.message, /[\x00-\x1f]/); // eslint-disable-line no-control-regex
  }
  await c.flush();
  const kept = calls.flatMap((x) => x.json.counters.map((s) => s.labels.country ?? ''));
  for (const v of kept) assert.ok(v.length < 100, `a label value of ${v.length} characters`);
});

test('a label that is too long loses itself, not the others', async () => {
  const {c, errors, calls} = client();
  c.counter('a_total').inc(1, {agent: 'x'.repeat(20 << 20)});
  c.counter('a_total').inc(1, {agent: 'y'});
  await c.flush();
  assert.deepEqual(
    calls.map((x) => x.json.counters.map((s) => s.labels.agent)),
    [['y']],
  );
  assert.match(
    errors[0].message,
    /^a_total: it can't be recorded: its labels have 209715\d\d characters, more than 1048576$/,
  );
});

test('a push is bounded in bytes too', async () => {
  const {c, calls} = client();
  for (let i = 0; i < 900; i++) c.counter('a_total').inc(1, {agent: String(i).padStart(8000, 'x')});
  await c.flush();
  assert.ok(calls.length >= 3, `${calls.length} pushes`);
  assert.ok(Math.max(...calls.map((x) => x.body.length)) < 3e6);
  assert.equal(calls.reduce((n, x) => n + x.json.counters.length, 0), 900); // prettier-ignore
});

test('no name of a label touches prototypes', async () => {
  const {c, calls} = client();
  const labels = JSON.parse('{"__proto__": "p", "constructor": "c"}');
  c.counter('a_total', {labels}).inc();
  c.counter('a_total').inc();
  await c.flush();
  assert.deepEqual(
    calls[0].body,
    '{"counters":[{"name":"a_total","labels":{"__proto__":"p","constructor":"c"},"add":1},{"name":"a_total","labels":{},"add":1}]}',
  );
  assert.equal({}.p, undefined);
});

test('an answer is read up to a bound', async (t) => {
  let sent = 0;
  const url = await serve(t, (_, res) => {
    res.on('error', () => {});
    const more = () => {
      while (!res.destroyed && sent < 1 << 30 && res.write(Buffer.alloc(1 << 20, 'x'))) sent += 1 << 20;
    };
    res.on('drain', more);
    more();
  });
  const {c, errors} = client([], {url, fetch: undefined, timeout: 4000});
  c.counter('a_total').inc();
  assert.deepEqual(await c.flush({timeout: 5000}), {accepted: 0, rejected: 0, pending: 1});
  assert.match(errors[0].message, /the answer is longer than/);
  assert.ok(sent < 64 << 20, `${sent} bytes were read`);
});

test('redirects are not followed, and lose nothing', async (t) => {
  const seen = [];
  const other = await serve(t, (req, res) => {
    seen.push(req.headers);
    res.end('{"accepted": 1, "rejected": []}');
  });
  for (const status of [301, 302, 303, 307, 308]) {
    const url = await serve(t, (_, res) =>
      res.writeHead(status, {location: other + '/there?key=s3cret'}).end(),
    );
    const {c, errors} = client([], {
      url,
      fetch: undefined,
      token: 'hunter',
      headers: {'X-Api-Key': 'hunter'},
    });
    c.counter('a_total').inc();
    assert.deepEqual(await c.flush({timeout: 200}), {accepted: 0, rejected: 0, pending: 1});
    assert.match(errors[0].message, new RegExp(`${status} .*redirects to ${other}/there: set url`));
    const r = await pushTimeseries(
      {labels: {__name__: 'x'}, samples: [{value: 1}]},
      {url, token: 'hunter', retryFor: 0},
    );
    assert.equal(r.status, status);
  }
  assert.deepEqual(seen, []);
});

test('no secret is told', async (t) => {
  const url = await serve(t, (_, res) => res.end('{"accepted": 1, "rejected": []}'));
  for (const options of [
    {token: 'hunter\n2'},
    {token: 'hunter€'},
    {token: () => 'hunter\0'},
    {headers: {'X-Key': 'hunter\r\nX: y'}},
  ]) {
    const {c, errors} = client([], {url, fetch: undefined, ...options});
    c.counter('a_total').inc();
    await c.flush({timeout: 100});
    assert.equal(errors.length, 1);
    for (let e = errors[0]; e instanceof Error; e = e.cause) assert.doesNotMatch(String(e.stack), /hunter/);
    assert.match(errors[0].message, /can't be sent in a header/);
  }
  for (const bad of [
    'http://me:hunter@:0:1/',
    'http://me:hunter@nar thex/',
    'http://me:%hunter@x/',
    'ftp://me:hunter@x/',
  ]) {
    assert.throws(
      () => new Narthex({url: bad}),
      (e) =>
        !JSON.stringify({...e, s: String(e.stack), c: String(e.cause)}).includes('hunter') &&
        /url/.test(e.message),
    );
  }
});

test('an answer that is malformed is no reason to throw', async () => {
  for (const json of [
    {accepted: 1, rejected: null},
    {accepted: 1, rejected: 'all'},
    {accepted: 0, rejected: [null, 1, {series: 'a\u001b[2Jb', reason: {}}]},
    {accepted: -5, rejected: {}},
    {accepted: 1e300, duplicate: 'x', rejected: []},
  ]) {
    const {c, errors} = client([answer(200, json)]);
    c.counter('a_total').inc();
    const r = await c.flush();
    assert.equal(r.accepted + r.rejected, 1);
    assert.ok(r.accepted === 0 || r.accepted === 1);
    for (const e of errors) {
      assert.equal(e.kind, 'rejected');
      assert.doesNotMatch(e.message, /[\x00-\x1f]/); // eslint-disable-line no-control-regex
    }
    const series = {labels: {__name__: 'x'}, samples: [{value: 1}]};
    const f = fake(answer(200, json));
    const result = await pushTimeseries(series, {url: 'http://127.0.0.1:1', fetch: f.fetch});
    assert.ok(Array.isArray(result.receipt.rejected));
  }
});
