import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {Duration, RemovalPolicy} from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import {Construct} from 'constructs';
import type {Settings} from './settings.ts';

/**
 * Uploaded are the zip files of `make dist` in a bucket, for templates that have to work without the CDK. The
 * configuration is not in the zip then but in the environment.
 */
export interface Uploaded {
  readonly bucket: s3.IBucket;
  /** What the names begin with, such as narthex/v1/. */
  readonly prefix: string;
  /** narthex.yml: its text, or s3://bucket/key, or ssm:/name; what the construct says of it if it is not given. */
  readonly config?: string;
}

/** Bundle is the directory that `make dist` writes (dist/ of the repository if it is not given), or Uploaded. */
export type Bundle = string | Uploaded;

export interface ProgramProps {
  /** bootstrap is the function, bootstrap-view the viewer. */
  readonly program: 'bootstrap' | 'bootstrap-view';
  readonly bundle?: Bundle;
  readonly architecture?: lambda.Architecture;
  readonly description: string;
  /** narthex.yml; empty if the environment has it. */
  readonly settings: Settings;
  readonly environment?: Record<string, string>;
  readonly memory: number;
  readonly timeout: Duration;
  /** How many may run at once; unreserved if it is not given. */
  readonly concurrency?: number;
  /** How long the function's own log is kept. */
  readonly logRetention?: logs.RetentionDays;
}

/**
 * Program is one of narthex's functions: an executable for provided.al2023, narthex.yml in a layer, a role that may
 * write its own log and nothing else, and that log, which goes with the stack.
 */
export class Program extends lambda.Function {
  constructor(scope: Construct, id: string, props: ProgramProps) {
    const architecture = props.architecture ?? lambda.Architecture.ARM_64;
    const log = new logs.LogGroup(scope, `${id}Log`, {
      retention: props.logRetention ?? logs.RetentionDays.TWO_WEEKS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(scope, `${id}Role`, {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: props.description,
    });
    log.grantWrite(role);
    super(scope, id, {
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture,
      handler: 'bootstrap',
      code: code(props, architecture),
      description: props.description,
      memorySize: props.memory,
      timeout: props.timeout,
      reservedConcurrentExecutions: props.concurrency,
      environment: {...configuration(props), ...props.environment},
      layers: layered(props) ? [layer(scope, id, props)] : undefined,
      role,
      logGroup: log,
      loggingFormat: lambda.LoggingFormat.JSON,
    });
    if (typeof props.bundle === 'object' && props.bundle.config !== undefined) {
      // The configuration may lie beside the zip files.
      const {bucket, prefix} = props.bundle;
      const file = bucket.arnForObjects(`${prefix}*.yml`);
      iam.Grant.addToPrincipal({grantee: this, actions: ['s3:GetObject'], resourceArns: [file]});
    }
  }
}

/** code is the zip file that make dist made, as it is. */
function code({program, bundle}: ProgramProps, architecture: lambda.Architecture): lambda.Code {
  const zip = `${program}-${architecture === lambda.Architecture.ARM_64 ? 'arm64' : 'amd64'}.zip`;
  if (typeof bundle === 'object') return lambda.Code.fromBucketV2(bundle.bucket, bundle.prefix + zip);
  const file = path.join(bundle ?? path.join(import.meta.dirname, '../../../dist'), zip);
  if (!fs.existsSync(file)) {
    throw new Error(`${file} is not there: run make dist, or say with bundle where the functions are`);
  }
  return lambda.Code.fromAsset(file);
}

/** layered reports whether narthex.yml is in a layer, and not in the environment. */
function layered({bundle, settings}: ProgramProps): boolean {
  return typeof bundle !== 'object' && Object.keys(settings).length > 0;
}

/** layer has narthex.yml, which Lambda unpacks into /opt. */
function layer(scope: Construct, id: string, {settings, architecture}: ProgramProps): lambda.LayerVersion {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'narthex-settings-'));
  fs.writeFileSync(path.join(dir, 'narthex.yml'), JSON.stringify(settings, null, 2) + '\n'); // JSON is YAML
  return new lambda.LayerVersion(scope, `${id}Settings`, {
    code: lambda.Code.fromAsset(dir),
    compatibleArchitectures: [architecture ?? lambda.Architecture.ARM_64],
    description: 'narthex.yml',
  });
}

/** configuration is the environment that says where narthex.yml is, or what would be in it. */
function configuration({bundle, settings}: ProgramProps): Record<string, string> {
  if (typeof bundle !== 'object') return {NARTHEX_CONFIG: '/opt/narthex.yml'};
  if (bundle.config === undefined) return {NARTHEX_CONFIG: JSON.stringify(settings)};
  const {roles, mode} = settings.lambda as {roles: string[]; mode: string};
  return {
    NARTHEX_CONFIG: bundle.config,
    NARTHEX_ROLES: roles.join(','),
    NARTHEX_MODE: mode,
    ...(settings.scrape_interval && {NARTHEX_INTERVAL: settings.scrape_interval}),
  };
}
