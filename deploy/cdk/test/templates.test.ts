import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import {test} from 'node:test';
import {names, template} from '../scripts/templates.ts';
import {errors} from './validate.ts';

const dir = path.join(import.meta.dirname, '../../cloudformation');

test('each template is committed as the constructs make it, needs no CDK, and is valid', () => {
  assert.deepEqual(fs.readdirSync(dir).sort(), names.map((n) => `${n}.json`).sort());
  for (const name of names) {
    const made = template(name) as {Resources: Record<string, {Type: string}>};
    const text = fs.readFileSync(path.join(dir, `${name}.json`), 'utf8');
    assert.deepEqual(JSON.parse(text), made, 'npm run templates writes them anew');
    assert.deepEqual(errors(name, made), []);
    assert.doesNotMatch(text, /Custom::|BootstrapVersion|cdk-/);
    assert.ok(Buffer.byteLength(text) < 51_200, 'CloudFormation takes 51,200 bytes from a command line');
  }
});

test('the validator finds what is wrong', () => {
  const bad = {Resources: {F: {Type: 'AWS::SQS::Queue', Properties: {VisibilityTimeot: 3}}}};
  assert.equal(errors('bad', bad).length, 1);
});
