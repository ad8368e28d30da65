// Compiled, not run: a program that uses prometheus-remote-write compiles with narthex's functions instead.
import * as theirs from 'prometheus-remote-write';
import {Narthex, pushMetrics, pushTimeseries, withNarthex} from '../src/index.js';

type Theirs = typeof theirs;
export const functions: Pick<Theirs, 'pushTimeseries' | 'pushMetrics'> = {pushTimeseries, pushMetrics};

// A function that is typed as theirs wants it (aws-sigv4-fetch and the global one are below).
type TheirFetch = NonNullable<NonNullable<Parameters<Theirs['pushTimeseries']>[1]>['fetch']>;
export async function program(own: TheirFetch): Promise<string | undefined> {
  const config = {
    url: 'http://localhost:9201',
    auth: {username: 'a', password: 'b'},
    proto: undefined,
    console: undefined,
    verbose: false,
    timing: false,
    fetch: own,
    labels: undefined,
    headers: undefined,
    timeout: 1,
  };
  await pushMetrics({queue_depth_total: 100}, config);
  await pushMetrics({queue_depth_total: 100}, {...config, console, fetch});
  const {status, statusText, errorMessage} = await pushTimeseries(
    {labels: {__name__: 'a', service: 'SQS'}, samples: [{value: 1, timestamp: Date.now()}, {value: 2}]},
    config,
  );
  return errorMessage ?? `${status satisfies number} ${statusText}`;
}

// A handler keeps its types.
export const handler: (event: {n: number}, context: {awsRequestId: string}) => Promise<string> = withNarthex(
  async (event: {n: number}, context: {awsRequestId: string}) => `${event.n} ${context.awsRequestId}`,
  new Narthex({fetch}),
);
// @ts-expect-error a counter has no set
new Narthex().counter('a').set(1);
// @ts-expect-error labels are not lists
new Narthex().gauge('a').set(1, {a: ['b']});
