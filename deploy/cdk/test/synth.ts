import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {App, Stack} from 'aws-cdk-lib';

/** template is what CloudFormation gets, as far as the tests look at it. */
export interface Template {
  Resources: Record<string, Resource>;
}

export interface Resource {
  Type: string;
  DeletionPolicy?: string;
  Properties: Record<string, any>;
}

/** bundle is a directory like the one make dist makes, with programs that are empty. */
export function bundle(): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'narthex-dist-'));
  for (const program of ['bootstrap', 'bootstrap-view']) {
    fs.writeFileSync(path.join(dir, `${program}-arm64.zip`), program);
  }
  return dir;
}

/** Synth is a cloud assembly: a template for each stack, and the directory of the assets. */
export interface Synth {
  readonly templates: Record<string, Template>;
  readonly dir: string;
}

/** synthApp makes all stacks of an app. */
export function synthApp(fill: (app: App) => void): Synth {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'narthex-cdk-'));
  const context = {'@aws-cdk/core:defaultCrossStackReferences': 'strong'};
  const app = new App({outdir: dir, analyticsReporting: false, context});
  fill(app);
  const {stacks} = app.synth();
  return {templates: Object.fromEntries(stacks.map((s) => [s.stackName, s.template as Template])), dir};
}

/** synth makes one stack. */
export function synth(fill: (stack: Stack) => void): {template: Template; dir: string} {
  const {templates, dir} = synthApp((app) => fill(new Stack(app, 'narthex')));
  return {template: templates['narthex']!, dir};
}

/** all returns the resources of a type. */
export function all(t: Template, type: string): Resource[] {
  return Object.values(t.Resources).filter((r) => r.Type === type);
}
