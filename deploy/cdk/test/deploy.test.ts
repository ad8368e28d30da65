import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import {describe, test} from 'node:test';
import {Stack} from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import {
  type Door,
  NarthexLogs,
  NarthexProbe,
  NarthexPush,
  NarthexView,
  RemoteWrite,
  Store,
  Workspace,
} from '../src/index.ts';
import {shapes} from './shapes.ts';
import {summary} from './summary.ts';
import {errors} from './validate.ts';
import {all, bundle, synth, synthApp, type Resource, type Template} from './synth.ts';

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource?: unknown;
  Principal?: unknown;
  Condition?: unknown;
}

const list = <T>(v: T | T[] | undefined): T[] => (v === undefined ? [] : Array.isArray(v) ? v : [v]);

/** grants are the statements of all roles, each with the id of its policy. */
function grants(t: Template): [string, Statement][] {
  return Object.entries(t.Resources)
    .filter(([, r]) => r.Type === 'AWS::IAM::Policy' || r.Type === 'AWS::IAM::Role')
    .flatMap(([id, r]) => {
      const documents = [
        r.Properties['PolicyDocument'],
        ...list<any>(r.Properties['Policies']).map((p) => p.PolicyDocument),
      ];
      return documents
        .filter(Boolean)
        .flatMap((d) => list<Statement>(d.Statement).map((s): [string, Statement] => [id, s]));
    });
}

for (const [name, fill] of Object.entries(shapes)) {
  describe(`the shape ${name}`, () => {
    const {templates, dir} = synthApp(fill);
    const each = Object.values(templates);

    test('is valid for CloudFormation', () => {
      for (const [stack, template] of Object.entries(templates))
        assert.deepEqual(errors(stack, template), []);
    });

    test('grants what is needed and no more', () => {
      const statements = each.flatMap(grants);
      assert.ok(statements.length > 2);
      for (const [id, s] of statements) {
        assert.equal(s.Effect, 'Allow');
        for (const action of list(s.Action)) {
          assert.doesNotMatch(action, /\*/, `${id} may ${action}`);
          assert.doesNotMatch(action, /^(iam|sts):/, `${id} may ${action}`);
        }
        for (const resource of list(s.Resource)) {
          assert.notEqual(resource, '*', `${id} may ${list(s.Action).join(', ')} on everything`);
        }
      }
    });

    test('is closed to the public', () => {
      // The page is for browsers, which can't sign: whoever opens it has to sign in.
      const page = (f: unknown) => JSON.stringify(f).includes('ViewFunction');
      for (const url of each.flatMap((t) => all(t, 'AWS::Lambda::Url'))) {
        assert.equal(
          url.Properties['AuthType'],
          page(url.Properties['TargetFunctionArn']) ? 'NONE' : 'AWS_IAM',
        );
      }
      for (const p of each.flatMap((t) => all(t, 'AWS::Lambda::Permission'))) {
        if (!page(p.Properties['FunctionName'])) assert.notEqual(p.Properties['Principal'], '*');
      }
      for (const route of each.flatMap((t) => all(t, 'AWS::ApiGatewayV2::Route'))) {
        assert.notEqual(route.Properties['AuthorizationType'] ?? 'NONE', 'NONE');
      }
      for (const b of each.flatMap((t) => all(t, 'AWS::S3::Bucket'))) {
        assert.deepEqual(b.Properties['PublicAccessBlockConfiguration'], {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        });
      }
    });

    test('encrypts at rest and on the way', () => {
      for (const b of each.flatMap((t) => all(t, 'AWS::S3::Bucket')))
        assert.ok(b.Properties['BucketEncryption']);
      for (const q of each.flatMap((t) => all(t, 'AWS::SQS::Queue')))
        assert.equal(q.Properties['SqsManagedSseEnabled'], true);
      const guarded = [
        ...each.flatMap((t) => all(t, 'AWS::S3::BucketPolicy')),
        ...each.flatMap((t) => all(t, 'AWS::SQS::QueuePolicy')),
      ];
      const stores =
        each.flatMap((t) => all(t, 'AWS::S3::Bucket')).length +
        each.flatMap((t) => all(t, 'AWS::SQS::Queue')).length;
      const tls = guarded.filter((p) =>
        list<Statement>(p.Properties['PolicyDocument'].Statement).some(
          (s) =>
            s.Effect === 'Deny' && JSON.stringify(s.Condition) === '{"Bool":{"aws:SecureTransport":"false"}}',
        ),
      );
      assert.equal(tls.length, stores);
    });

    test('leaves nothing when it is deleted', () => {
      for (const [id, r] of each.flatMap((t) => Object.entries(t.Resources))) {
        assert.notEqual(r.DeletionPolicy, 'Retain', `${id} stays`);
      }
      for (const g of each.flatMap((t) => all(t, 'AWS::Logs::LogGroup')))
        assert.ok(g.Properties['RetentionInDays']);
    });

    test('is what it was', () => {
      const file = path.join(import.meta.dirname, 'snapshots', `${name}.txt`);
      const got = Object.entries(templates)
        .map(([stack, t]) => `# ${stack}\n\n${summary(t, dir)}`)
        .join('\n');
      if (process.env['UPDATE']) fs.writeFileSync(file, got);
      assert.equal(got, fs.readFileSync(file, 'utf8'), 'UPDATE=1 npm test writes what it is now');
    });
  });
}

const workspace = 'arn:aws:aps:eu-central-1:123456789012:workspace/ws-1';

test('a public address has to be asked for, and to say who may come in', () => {
  const make = (auth?: Record<string, unknown>) =>
    synth((stack) => {
      const destination = Workspace.of(stack, 'Workspace', workspace);
      const settings = auth && {auth};
      new NarthexPush(stack, 'Push', {destination, bundle: bundle(), door: {kind: 'public-url'}, settings});
    });
  assert.throws(() => make(), /settings\.auth/);
  const {template} = make({tokens: [{name: 'ci', hash: 'sha256:00', scopes: ['push']}]});
  assert.deepEqual(
    all(template, 'AWS::Lambda::Url').map((u) => u.Properties['AuthType']),
    ['NONE'],
  );

  assert.throws(
    () =>
      synth((stack) => {
        const destination = Workspace.of(stack, 'Workspace', workspace);
        new NarthexProbe(stack, 'Probe', {destination, bundle: bundle(), targets: [], pull: true});
      }),
    /settings\.auth/,
  );
});

test('a caller that may push may invoke the function by its address', () => {
  const {template} = synth((stack) => {
    const destination = Workspace.of(stack, 'Workspace', workspace);
    const push = new NarthexPush(stack, 'Push', {destination, bundle: bundle()});
    push.grantPush(new iam.Role(stack, 'Caller', {assumedBy: new iam.AccountRootPrincipal()}));
  });
  const actions = grants(template)
    .filter(([id]) => id.startsWith('Caller'))
    .flatMap(([, s]) => list(s.Action));
  assert.deepEqual(actions.sort(), ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl']);
});

test('a token of an issuer opens the HTTP API', () => {
  const {template} = synth((stack) => {
    const destination = Workspace.of(stack, 'Workspace', workspace);
    const door = {kind: 'api-jwt', issuer: 'https://issuer.example', audience: ['narthex']} satisfies Door;
    new NarthexPush(stack, 'Push', {destination, bundle: bundle(), door});
  });
  const [authorizer] = all(template, 'AWS::ApiGatewayV2::Authorizer') as [Resource];
  assert.deepEqual(authorizer.Properties['JwtConfiguration'], {
    Audience: ['narthex'],
    Issuer: 'https://issuer.example',
  });
  for (const r of all(template, 'AWS::ApiGatewayV2::Route'))
    assert.equal(r.Properties['AuthorizationType'], 'JWT');
});

test('probes of all regions write to the region that has the workspace', () => {
  const {templates} = synthApp(shapes['probe']!);
  const probes = Object.values(templates)
    .flatMap((t) => all(t, 'AWS::Lambda::Function'))
    .filter((f) => f.Properties['Runtime'] === 'provided.al2023');
  const regions = probes.map((f) => f.Properties['Environment'].Variables['NARTHEX_REMOTE_WRITE_SIGV4']);
  assert.deepEqual(regions, ['eu-central-1', 'eu-central-1', 'eu-central-1']);
});

test('other receivers: the header is a secret that only the writer may read', () => {
  const {template} = synth((stack) => {
    const destination = new RemoteWrite(stack, 'Mimir', {
      url: 'https://mimir.example/api/v1/push',
      authorizationSecret: 'mimir',
    });
    new NarthexPush(stack, 'Push', {destination, bundle: bundle()});
  });
  const readers = grants(template).filter(([, s]) =>
    list(s.Action).includes('secretsmanager:GetSecretValue'),
  );
  assert.equal(readers.length, 1);
  assert.match(readers[0]![0], /Tick/);
  assert.doesNotMatch(JSON.stringify(readers[0]![1].Resource), /^"\*"/);
});

test('the viewer lets nobody in without a claim', () => {
  assert.throws(
    () =>
      synth((stack) => {
        const signIn = {issuer: 'https://login.example', clientId: 'narthex', claims: {}};
        new NarthexView(stack, 'View', {
          workspace: Workspace.of(stack, 'W', workspace),
          signIn,
          bundle: bundle(),
        });
      }),
    /claims is empty/,
  );
});

test('a store that is to be kept is kept', () => {
  const {template} = synth((stack) => {
    new Store(stack, 'Store', {removalPolicy: 'retain' as never});
  });
  assert.deepEqual(
    all(template, 'AWS::S3::Bucket').map((b) => b.DeletionPolicy),
    ['Retain'],
  );
});

test('logs from a bucket that is there already', () => {
  const {template} = synth((stack) => {
    const destination = Workspace.of(stack, 'Workspace', workspace);
    const from = s3.Bucket.fromBucketName(stack, 'From', 'somebodys-logs');
    new NarthexLogs(stack, 'Logs', {
      destination,
      store: new Store(stack, 'Store'),
      bucket: from,
      prefix: 'cdn/',
      bundle: bundle(),
    });
  });
  const reads = grants(template).filter(([, s]) => list(s.Action).includes('s3:GetObject'));
  assert.ok(reads.some(([, s]) => JSON.stringify(s.Resource).includes(':s3:::somebodys-logs/cdn/*')));
  assert.deepEqual(
    grants(template).filter(([, s]) => list(s.Resource).includes('*')),
    [],
  );
});

test('what is wrong is said when the template is made', () => {
  const stack = () => new Stack();
  assert.throws(() => Workspace.of(stack(), 'W', 'ws-1'), /not the ARN of a workspace/);
  assert.throws(() => new Workspace(stack(), 'W', {outOfOrderSeconds: 3600}), /takes 0 to 600/);
  assert.throws(
    () =>
      new NarthexPush(stack(), 'P', {destination: Workspace.of(stack(), 'W', workspace), bundle: '/nowhere'}),
    /make dist/,
  );
});
