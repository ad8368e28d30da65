// A stand-in for fetch: it records the requests and answers from a list.

/** A receipt for all of a request, as narthex gives it. */
export function accept(body) {
  const n = Object.values(JSON.parse(body)).reduce((sum, list) => sum + list.length, 0);
  return answer(200, {id: 'x', status: 'accepted', accepted: n, duplicate: 0, rejected: []});
}

/** An answer with a JSON body. */
export function answer(status, json, headers = {}) {
  return {
    status,
    statusText: `status ${status}`,
    headers: new Headers(headers),
    text: async () => (typeof json === 'string' ? json : JSON.stringify(json)),
  };
}

/** Makes a fetch. Each of the steps is an answer, an error to throw, or a function; then all is accepted. */
export function fake(...steps) {
  const calls = [];
  const fetch = async (url, init) => {
    calls.push({url, ...init, json: JSON.parse(init.body), id: init.headers['Idempotency-Key']});
    const step = steps.shift();
    if (step instanceof Error) throw step;
    if (typeof step === 'function') return step(init);
    return step ?? accept(init.body);
  };
  return {fetch, calls, steps};
}

/** A fetch that never answers, but obeys its signal if told to. */
export function never(obey = true) {
  return (init) =>
    new Promise((_, reject) => {
      if (obey) init.signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
}
