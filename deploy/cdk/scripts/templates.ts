/**
 * Writes the plain CloudFormation templates into the directory that it is given: the same constructs, with
 * parameters, for those without the CDK.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import {App, BootstraplessSynthesizer, CfnParameter, Stack} from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import {NarthexLogs, NarthexProbe, NarthexPush, Store, type Uploaded, Workspace} from '../src/index.ts';

type Fill = (stack: Stack, common: {destination: Workspace; bundle: Uploaded}) => void;

const templates: Record<string, {description: string; fill: Fill}> = {
  push: {
    description: 'narthex: takes pushes and writes totals to Amazon Managed Prometheus',
    fill(stack, common) {
      new NarthexPush(stack, 'Push', {...common, store: new Store(stack, 'Store', {empty: false})});
    },
  },
  probe: {
    description:
      'narthex: probes targets from this region and writes what it finds to Amazon Managed Prometheus',
    fill(stack, common) {
      new NarthexProbe(stack, 'Probe', {
        ...common,
        targets: [],
        store: new Store(stack, 'Store', {empty: false}),
      });
    },
  },
  logs: {
    description:
      'narthex: counts the access logs in a bucket; the template push has the ledger that it counts in',
    fill(stack, common) {
      const ledger = new CfnParameter(stack, 'LedgerBucket', {description: 'The bucket of the stack push'});
      const store = new Store(stack, 'Store', {
        bucket: s3.Bucket.fromBucketName(stack, 'Ledger', ledger.valueAsString),
      });
      new NarthexLogs(stack, 'Logs', {...common, store, empty: false});
    },
  },
};

/** template makes one of them. */
export function template(name: string): unknown {
  const app = new App({
    analyticsReporting: false,
    context: {'@aws-cdk/core:defaultCrossStackReferences': 'strong'},
  });
  const {description, fill} = templates[name]!;
  const stack = new Stack(app, `narthex-${name}`, {synthesizer: new BootstraplessSynthesizer(), description});
  const parameter = (id: string, about: string, initial?: string) =>
    new CfnParameter(stack, id, {description: about, default: initial}).valueAsString;
  const bundle: Uploaded = {
    bucket: s3.Bucket.fromBucketName(
      stack,
      'Code',
      parameter('CodeBucket', 'Where the zip files of make dist are, in this region'),
    ),
    prefix: parameter('CodePrefix', 'What their names begin with, such as narthex/v1/', ''),
    config: parameter(
      'Config',
      'narthex.yml: its text, or the address of a file beside the zip files, s3://CODEBUCKET/CODEPREFIXname.yml',
      '{}',
    ),
  };
  const arn = parameter('WorkspaceArn', 'The ARN of the workspace that samples go to, in any region');
  fill(stack, {destination: Workspace.of(stack, 'Workspace', arn), bundle});
  return app.synth().getStackByName(stack.stackName).template;
}

export const names = Object.keys(templates);

if (process.argv[1] && path.basename(process.argv[1]) === 'templates.ts') {
  const dir = process.argv[2];
  if (!dir) throw new Error('usage: templates.ts DIRECTORY');
  fs.mkdirSync(dir, {recursive: true});
  for (const name of names) {
    fs.writeFileSync(path.join(dir, `${name}.json`), JSON.stringify(template(name), null, 2) + '\n');
  }
}
