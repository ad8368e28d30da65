/**
 * Deploys what a file says: `npx cdk deploy --all -c file=narthex.deploy.json`. docs/deploy.md has examples. For
 * anything beyond it, use the constructs in an app of your own.
 */
import * as fs from 'node:fs';
import {App, Stack} from 'aws-cdk-lib';
import * as sns from 'aws-cdk-lib/aws-sns';
import {Narthex, type NarthexProps, probeRegions, Workspace} from './src/index.ts';

interface Deployment extends Omit<NarthexProps, 'alarms' | 'destination'> {
  readonly name?: string;
  readonly region?: string;
  /** The ARN of a workspace that is there already. */
  readonly workspaceArn?: string;
  /** The ARN of the topic that alarms go to. */
  readonly alarmTopic?: string;
  /** Further regions to probe from. */
  readonly probeRegions?: string[];
}

const app = new App();
const file = app.node.tryGetContext('file') as string | undefined;
const {name = 'narthex', ...wanted}: Deployment = file ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
const account = process.env['CDK_DEFAULT_ACCOUNT'];
const region = wanted.region ?? process.env['CDK_DEFAULT_REGION'];
const stack = new Stack(app, name, {
  env: {account, region},
  crossRegionReferences: (wanted.probeRegions ?? []).length > 0,
  description: 'narthex: Prometheus for code that has no server to scrape',
});
const narthex = new Narthex(stack, 'Narthex', {
  ...wanted,
  destination: wanted.workspaceArn ? Workspace.of(stack, 'Workspace', wanted.workspaceArn) : undefined,
  alarms: wanted.alarmTopic ? sns.Topic.fromTopicArn(stack, 'Alarms', wanted.alarmTopic) : undefined,
});
if (wanted.probeRegions) {
  if (!wanted.probe)
    throw new Error('probeRegions says from where, but probe does not say what: give it targets');
  const {destination} = narthex;
  probeRegions(app, `${name}-probe`, wanted.probeRegions, {
    ...wanted.probe,
    destination,
    bundle: wanted.bundle,
  });
}
