import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {pushMetrics, pushTimeseries} from 'narthex';
import {answer, fake, never} from './fake.mjs';

const theirs = createRequire(import.meta.url)('prometheus-remote-write');
const url = 'http://127.0.0.1:1';
const one = {labels: {__name__: 'a_total', x: 'own'}, samples: [{value: 1.5, timestamp: 1767225600000}]};

test('a series goes to the push API as it is, with the options added', async () => {
  const {fetch, calls} = fake();
  const result = await pushTimeseries([one, {...one, as: 'delta'}], {
    url,
    fetch,
    labels: {x: 'common', service: 'SQS'},
    headers: {'X-A': 'b'},
    auth: {username: 'u', password: 'p'},
  });
  assert.equal(result.status, 200);
  assert.equal(result.errorMessage, undefined);
  assert.equal(result.receipt.accepted, 2);
  const [{url: to, method, headers, json}] = calls;
  assert.equal(to, url + '/api/v1/push');
  assert.equal(method, 'POST');
  assert.equal(headers['Content-Type'], 'application/json');
  assert.equal(headers['X-A'], 'b');
  assert.equal(headers['Authorization'], 'Basic dTpw');
  const want = {...one, labels: {x: 'own', service: 'SQS', __name__: 'a_total'}};
  assert.deepEqual(json, {series: [want, {...want, as: 'delta'}]});
});

test('metrics are series by their names, at the time of the call', async () => {
  const {fetch, calls} = fake();
  const before = Date.now();
  await pushMetrics({a: 1, b: -2}, {url, fetch, labels: {service: 's'}});
  const {series} = calls[0].json;
  assert.deepEqual(
    series.map((s) => [s.labels, s.samples[0].value]),
    [
      [{service: 's', __name__: 'a'}, 1],
      [{service: 's', __name__: 'b'}, -2],
    ],
  );
  const {timestamp} = series[0].samples[0];
  assert.ok(timestamp >= before && timestamp <= Date.now());
});

test('addresses with and without a path, with credentials and behind a prefix', async () => {
  for (const [given, want, auth] of [
    ['http://h:9091', 'http://h:9091/api/v1/push'],
    ['http://h:9091/', 'http://h:9091/api/v1/push'],
    ['http://h/api/v1/write', 'http://h/api/v1/push'],
    ['http://h/prod/api/v1/push/', 'http://h/prod/api/v1/push'],
    ['https://h/prod', 'https://h/prod/api/v1/push'],
    ['https://u:p%40@h', 'https://h/api/v1/push', 'Basic dTpwQA=='],
  ]) {
    const {fetch, calls} = fake();
    await pushTimeseries(one, {url: given, fetch});
    assert.equal(calls[0].url, want);
    assert.equal(calls[0].headers['Authorization'], auth);
  }
});

test('tries go on under one id with one body', async () => {
  const {fetch, calls} = fake(
    new TypeError('fetch failed'),
    answer(503, {error: 'later'}, {'Retry-After': '0'}),
    answer(429, {error: 'slower'}),
  );
  const result = await pushTimeseries(one, {url, fetch});
  assert.equal(result.status, 200);
  assert.equal(calls.length, 4);
  assert.equal(new Set(calls.map((c) => c.id)).size, 1);
  assert.equal(new Set(calls.map((c) => c.body)).size, 1);
  assert.match(calls[0].id, /^[0-9a-f-]{36}$/);
});

test('what is final is not tried again, and what is out of time neither', async () => {
  let f = fake(answer(400, {status: 'error', error: 'no good'}));
  assert.deepEqual(await pushTimeseries(one, {url, fetch: f.fetch}), {
    status: 400,
    statusText: 'status 400',
    errorMessage: 'no good',
  });
  assert.equal(f.calls.length, 1);
  f = fake(answer(503, 'busy', {'Retry-After': '60'}));
  assert.equal((await pushTimeseries(one, {url, fetch: f.fetch})).errorMessage, 'busy');
  assert.equal(f.calls.length, 1);
  f = fake(new TypeError('fetch failed'));
  await assert.rejects(pushTimeseries(one, {url, fetch: f.fetch, retryFor: 0}), /fetch failed/);
  f = fake(never(), never(false));
  const slow = {url, fetch: f.fetch, timeout: 20, retryFor: 0};
  await assert.rejects(pushTimeseries(one, slow), /aborted|no answer within 20 ms/);
  await assert.rejects(pushTimeseries(one, slow), /no answer within 20 ms/);
});

test('what was not taken is told, and an answer that is no receipt is none', async () => {
  const rejected = [{series: 'a', reason: 'bad name'}];
  const partial = {id: 'i', status: 'partial', accepted: 1, duplicate: 0, rejected};
  let r = await pushTimeseries([one, one], {url, fetch: fake(answer(200, partial)).fetch});
  assert.equal(r.status, 200);
  assert.equal(r.errorMessage, 'a: bad name');
  assert.deepEqual(r.receipt, partial);
  r = await pushTimeseries(one, {url, fetch: fake(answer(200, '<html>')).fetch});
  assert.equal(r.errorMessage, "the answer is not narthex's: <html>");
});

test('the results are those of prometheus-remote-write', async () => {
  const cases = [
    [[[], {url}]],
    [[one, {}]],
    [[one, {url}], answer(200, {accepted: 1, rejected: []})],
    [[one, {url}], answer(400, 'bad')],
    [[one, {url}], answer(404, 'not here')],
  ];
  for (const [[series, options], given] of cases) {
    const results = [];
    for (const push of [theirs.pushTimeseries, pushTimeseries]) {
      const fetch = async () => given;
      const {receipt, ...rest} = await push(series, {...options, fetch});
      results.push({errorMessage: undefined, ...rest});
    }
    assert.deepEqual(results[1], results[0]);
  }
});

test('verbose and timing speak to the given console', async () => {
  for (const [status, want] of [
    [
      200,
      [
        ['info', 'Serialized in'],
        ['info', 'Write request sent'],
      ],
    ],
    [
      400,
      [
        ['info', 'Serialized in'],
        ['warn', 'Failed to send write request, error'],
      ],
    ],
  ]) {
    const said = [];
    const logger = {info: (s) => said.push(['info', s]), warn: (s) => said.push(['warn', s])};
    const {fetch} = fake(answer(status, {accepted: 1, rejected: []}));
    await pushTimeseries(one, {url, fetch, verbose: true, timing: true, console: logger});
    assert.deepEqual(said, want);
  }
});
