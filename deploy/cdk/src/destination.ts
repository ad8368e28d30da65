import {ArnFormat, Fn, RemovalPolicy, Stack, Token} from 'aws-cdk-lib';
import * as aps from 'aws-cdk-lib/aws-aps';
import * as iam from 'aws-cdk-lib/aws-iam';
import {Construct} from 'constructs';

/**
 * Destination is where samples go by remote write: a workspace of Amazon Managed Prometheus, new or not, or any
 * other address.
 */
export interface Destination {
  /** The environment that makes a function write there. */
  readonly environment: Record<string, string>;
  /** The workspace, if it is one of Amazon Managed Prometheus. */
  readonly workspace?: Workspace;
  /** Lets a function write there. */
  grantWrite(to: iam.IGrantable): void;
}

export interface WorkspaceProps {
  readonly alias?: string;
  /** How long samples are kept, in days; Amazon's default is 150. */
  readonly retentionDays?: number;
  /**
   * How much older than the newest one a sample may be, in seconds, at most 600. Counters of narthex are in order
   * and do not need it; samples that are pushed with times of their own do. Amazon's default is 60.
   */
  readonly outOfOrderSeconds?: number;
  /** RETAIN keeps the samples when the stack is deleted; by default they go with it. */
  readonly removalPolicy?: RemovalPolicy;
}

/** Workspace is a workspace of Amazon Managed Prometheus. */
export class Workspace extends Construct implements Destination {
  readonly arn: string;
  readonly region: string;
  /** The base of its API, with a slash at its end. */
  readonly endpoint: string;

  /** of names a workspace that is there already, in any region. */
  static of(scope: Construct, id: string, arn: string): Workspace {
    return new Workspace(scope, id, {}, arn);
  }

  constructor(scope: Construct, id: string, props: WorkspaceProps = {}, existing?: string) {
    super(scope, id);
    if (existing !== undefined) {
      if (Token.isUnresolved(existing)) {
        this.arn = existing;
        this.region = Fn.select(3, Fn.split(':', existing));
        const name = Fn.select(1, Fn.split('/', existing));
        this.endpoint = `https://aps-workspaces.${this.region}.amazonaws.com/workspaces/${name}/`;
        return;
      }
      const parts = existing.split(':'); // arn:aws:aps:REGION:ACCOUNT:workspace/ID
      const [kind, name] = (parts[5] ?? '').split('/');
      if (parts[2] !== 'aps' || kind !== 'workspace' || !name || !parts[3]) {
        throw new Error(
          `${existing} is not the ARN of a workspace: want arn:aws:aps:REGION:ACCOUNT:workspace/ws-…`,
        );
      }
      this.arn = existing;
      this.region = parts[3];
      this.endpoint = `https://aps-workspaces.${this.region}.amazonaws.com/workspaces/${name}/`;
      return;
    }
    const {retentionDays = 150, outOfOrderSeconds = 60} = props;
    if (outOfOrderSeconds < 0 || outOfOrderSeconds > 600) {
      throw new Error(`outOfOrderSeconds is ${outOfOrderSeconds}: Amazon Managed Prometheus takes 0 to 600`);
    }
    const workspace = new aps.CfnWorkspace(this, 'Workspace', {
      alias: props.alias,
      workspaceConfiguration: {
        retentionPeriodInDays: retentionDays,
        outOfOrderTimeWindowInSeconds: outOfOrderSeconds,
      },
    });
    workspace.applyRemovalPolicy(props.removalPolicy ?? RemovalPolicy.DESTROY);
    this.arn = workspace.attrArn;
    this.region = Stack.of(this).region;
    this.endpoint = workspace.attrPrometheusEndpoint;
  }

  get workspace(): Workspace {
    return this;
  }

  get environment(): Record<string, string> {
    return {
      NARTHEX_REMOTE_WRITE_URL: `${this.endpoint}api/v1/remote_write`,
      NARTHEX_REMOTE_WRITE_SIGV4: this.region,
    };
  }

  grantWrite(to: iam.IGrantable): void {
    iam.Grant.addToPrincipal({grantee: to, actions: ['aps:RemoteWrite'], resourceArns: [this.arn]});
  }

  /** Lets a function read what the viewer reads. */
  grantRead(to: iam.IGrantable): void {
    iam.Grant.addToPrincipal({
      grantee: to,
      actions: ['aps:QueryMetrics', 'aps:GetSeries', 'aps:GetLabels', 'aps:GetMetricMetadata'],
      resourceArns: [this.arn],
    });
  }
}

export interface RemoteWriteProps {
  readonly url: string;
  /** Name of a secret in Secrets Manager that has the bearer token. */
  readonly authorizationSecret?: string;
}

/** RemoteWrite is any other receiver: Mimir, VictoriaMetrics, Grafana Cloud, Prometheus. */
export class RemoteWrite extends Construct implements Destination {
  readonly workspace = undefined;
  readonly environment: Record<string, string>;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RemoteWriteProps,
  ) {
    super(scope, id);
    this.environment = {NARTHEX_REMOTE_WRITE_URL: props.url};
    if (props.authorizationSecret) {
      this.environment['NARTHEX_REMOTE_WRITE_AUTHORIZATION'] = `secretsmanager:${props.authorizationSecret}`;
    }
  }

  grantWrite(to: iam.IGrantable): void {
    if (!this.props.authorizationSecret) return;
    const arn = Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${this.props.authorizationSecret}-??????`, // what Secrets Manager adds to a name
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    iam.Grant.addToPrincipal({grantee: to, actions: ['secretsmanager:GetSecretValue'], resourceArns: [arn]});
  }
}
