import {type App, Stack} from 'aws-cdk-lib';
import {
  Narthex,
  NarthexLogs,
  NarthexPush,
  NarthexView,
  probeRegions,
  Store,
  Workspace,
} from '../src/index.ts';
import {bundle} from './synth.ts';

/** shapes are what people deploy. */
export const shapes: Record<string, (app: App) => void> = {
  all(app) {
    const stack = new Stack(app, 'narthex');
    const narthex = new Narthex(stack, 'Narthex', {
      bundle: bundle(),
      push: {interval: 15},
      logs: {source: {preset: 'article'}},
      probe: {targets: [shop], every: 15},
      view: {signIn},
    });
    narthex.logs?.fromLoadBalancers();
  },
  probe(app) {
    const home = new Stack(app, 'home', {
      env: {account, region: 'eu-central-1'},
      crossRegionReferences: true,
    });
    const destination = new Workspace(home, 'Workspace', {retentionDays: 400, outOfOrderSeconds: 600});
    probeRegions(app, 'probe', ['eu-central-1', 'us-west-2', 'ap-southeast-1'], {
      destination,
      bundle: bundle(),
      targets: [shop],
    });
  },
  push(app) {
    const stack = new Stack(app, 'narthex');
    const destination = Workspace.of(stack, 'Workspace', existing);
    new NarthexPush(stack, 'Push', {destination, bundle: bundle(), door: {kind: 'api-iam'}});
  },
  logs(app) {
    const stack = new Stack(app, 'narthex');
    const destination = Workspace.of(stack, 'Workspace', existing);
    const store = new Store(stack, 'Store');
    new NarthexLogs(stack, 'Logs', {destination, store, bundle: bundle(), prefix: 'cdn/'});
  },
  view(app) {
    const stack = new Stack(app, 'narthex');
    const workspace = Workspace.of(stack, 'Workspace', existing);
    new NarthexView(stack, 'View', {workspace, signIn, bundle: bundle()});
  },
};

const signIn = {
  issuer: 'https://login.example',
  clientId: 'narthex',
  clientSecret: 'narthex/client',
  claims: {groups: 'sre'},
};
const account = '123456789012';
const existing = `arn:aws:aps:eu-central-1:${account}:workspace/ws-01234567-89ab-cdef-0123-456789abcdef`;
const shop = {name: 'shop', target: 'https://shop.example', module: 'http_2xx'};
