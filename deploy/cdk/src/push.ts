import {CfnOutput, Duration, Stack} from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import * as authorizers from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import * as integrations from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import {SqsEventSource} from 'aws-cdk-lib/aws-lambda-event-sources';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import {Construct} from 'constructs';
import {Alarms} from './alarms.ts';
import type {Destination} from './destination.ts';
import {type Bundle, Program} from './program.ts';
import {merge, type Settings} from './settings.ts';
import {Store} from './store.ts';

/** How pushes come in, and who may push. */
export type Door =
  /** A function URL, for callers that sign (AWS_IAM). */
  | {readonly kind: 'url-iam'}
  /** An HTTP API, for callers that sign (AWS_IAM). */
  | {readonly kind: 'api-iam'}
  /** An HTTP API, for callers with a token of an OpenID Connect issuer. */
  | {readonly kind: 'api-jwt'; readonly issuer: string; readonly audience: string[]}
  /**
   * A function URL that anybody can reach. Who may push is up to `auth` in the settings, which has to say
   * something: narthex refuses pushes from nobody in particular.
   */
  | {readonly kind: 'public-url'};

export interface NarthexPushProps {
  readonly destination: Destination;
  /** The ledger; made if it is not given. */
  readonly store?: Store;
  /** default url-iam. */
  readonly door?: Door;
  /** More of narthex.yml. */
  readonly settings?: Settings;
  /** The distance of ticks in seconds: 60, or 30, 20, 15, 10 by messages of a queue that are delayed. */
  readonly interval?: 60 | 30 | 20 | 15 | 10;
  /** Folds pushes before they are answered, without a queue: for a few pushes a second. */
  readonly direct?: boolean;
  readonly bundle?: Bundle;
  readonly architecture?: lambda.Architecture;
  /** Memory of the functions in MB; default 256. */
  readonly memory?: number;
  readonly alarms?: Alarms;
}

/**
 * NarthexPush takes pushes and writes totals: a function that answers HTTP and sends to a queue, one that folds the
 * queue's batches into the ledger, and one that writes the totals out each minute or more often. Nothing runs in
 * between.
 */
export class NarthexPush extends Construct {
  readonly store: Store;
  /** Pushes that are to be folded; undefined in direct mode. */
  readonly queue?: sqs.Queue;
  readonly deadLetters?: sqs.Queue;
  /** Where pushes are sent to. */
  readonly url: string;
  readonly functions: {readonly push: Program; readonly fold?: Program; readonly tick: Program};

  private readonly props: NarthexPushProps;
  private readonly door: Door;

  constructor(scope: Construct, id: string, props: NarthexPushProps) {
    super(scope, id);
    this.props = props;
    this.door = props.door ?? {kind: 'url-iam'};
    if (this.door.kind === 'public-url' && !props.settings?.auth) {
      throw new Error(
        'the door public-url lets anybody call the function: say with settings.auth who may push',
      );
    }
    this.store = props.store ?? new Store(this, 'Store');
    if (!props.direct) {
      this.deadLetters = queue(this, 'DeadLetters', {retentionPeriod: Duration.days(14)});
      this.queue = queue(this, 'Queue', {
        visibilityTimeout: Duration.seconds(6 * foldTimeout),
        retentionPeriod: Duration.hours(23), // ids are remembered for 24 hours
        deadLetterQueue: {queue: this.deadLetters, maxReceiveCount: 10},
      });
    }
    const push = this.pusher();
    this.functions = {push, fold: this.folder(), tick: this.ticker()};
    this.url = this.open(push);
    new CfnOutput(this, 'Url', {value: this.url, description: 'Where pushes are sent to'});
    if (this.deadLetters && this.queue) {
      props.alarms?.deadLetters(this, this.deadLetters);
      props.alarms?.age(this, this.queue);
    }
    props.alarms?.errors(this, 'TickErrors', this.functions.tick);
  }

  /** Lets somebody push, for the doors that AWS guards. */
  grantPush(to: iam.IGrantable): void {
    this.functions.push.grantInvokeUrl(to);
  }

  private pusher(): Program {
    const {direct} = this.props;
    const f = this.program('Push', direct ? ['push', 'fold'] : ['push'], 'takes pushes', 128, 15);
    if (direct) {
      this.store.grantLedger(f);
    } else {
      this.queue?.grantSendMessages(f);
      this.store.grantPutBodies(f);
      this.store.grantLookup(f); // GET /api/v1/receipts
    }
    return f;
  }

  private folder(): Program | undefined {
    if (!this.queue) return undefined;
    const f = this.program('Fold', ['fold'], 'folds pushes into the ledger', 256, foldTimeout);
    this.store.grantLedger(f);
    this.store.grantTakeBodies(f);
    f.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize: 1000,
        maxBatchingWindow: Duration.seconds(5),
        maxConcurrency: 2,
        reportBatchItemFailures: true,
      }),
    );
    return f;
  }

  private ticker(): Program {
    const {interval = 60, destination} = this.props;
    const f = this.program('Tick', ['tick'], 'writes totals', 256, 55);
    this.store.grantLedger(f);
    destination.grantWrite(f);
    new events.Rule(this, 'Minute', {
      description: 'narthex writes its totals',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [new targets.LambdaFunction(f, {retryAttempts: 0, maxEventAge: Duration.minutes(1)})],
    });
    if (interval < 60) {
      const ticks = queue(this, 'Ticks', {
        visibilityTimeout: Duration.seconds(60),
        retentionPeriod: Duration.minutes(2), // a tick that is late is not made good
      });
      ticks.grantSendMessages(f);
      // Two pollers: each asks an empty queue three times a minute, and requests are paid for.
      f.addEventSource(
        new SqsEventSource(ticks, {batchSize: 1, maxConcurrency: 2, reportBatchItemFailures: true}),
      );
      f.addEnvironment('NARTHEX_SCHEDULE_QUEUE', ticks.queueUrl);
    }
    return f;
  }

  /** program makes one of the functions. */
  private program(id: string, roles: string[], what: string, memory: number, timeout: number): Program {
    const {destination, settings, interval = 60, direct} = this.props;
    const environment: Record<string, string> = {NARTHEX_STATE: this.store.state, ...destination.environment};
    if (this.queue) {
      environment['NARTHEX_QUEUE'] = this.queue.queueUrl;
      environment['NARTHEX_BODIES'] = this.store.bodies;
    }
    return new Program(this, id, {
      program: 'bootstrap',
      bundle: this.props.bundle,
      architecture: this.props.architecture,
      description: `narthex: ${what}`,
      settings: merge(
        {scrape_interval: `${interval}s`, lambda: {roles, mode: direct ? 'direct' : 'queue'}},
        settings,
      ),
      environment,
      memory: this.props.memory ?? memory,
      timeout: Duration.seconds(timeout),
    });
  }

  /** open gives the function its door, and returns its address. */
  private open(f: Program): string {
    switch (this.door.kind) {
      case 'url-iam':
        return f.addFunctionUrl({authType: lambda.FunctionUrlAuthType.AWS_IAM}).url;
      case 'public-url':
        return f.addFunctionUrl({authType: lambda.FunctionUrlAuthType.NONE}).url;
      case 'api-iam':
        return this.api(f, new authorizers.HttpIamAuthorizer());
      case 'api-jwt':
        return this.api(
          f,
          new authorizers.HttpJwtAuthorizer('Issuer', this.door.issuer, {jwtAudience: this.door.audience}),
        );
    }
  }

  private api(f: Program, authorizer: apigateway.IHttpRouteAuthorizer): string {
    const api = new apigateway.HttpApi(this, 'Api', {
      description: 'narthex: pushes',
      defaultAuthorizer: authorizer,
      defaultIntegration: new integrations.HttpLambdaIntegration('Function', f),
    });
    return `https://${api.apiId}.execute-api.${Stack.of(this).region}.${Stack.of(this).urlSuffix}/`;
  }
}

/** How long a fold may take, in seconds. */
const foldTimeout = 60;

/** queue is encrypted and takes TLS only. */
function queue(scope: Construct, id: string, props: sqs.QueueProps): sqs.Queue {
  return new sqs.Queue(scope, id, {encryption: sqs.QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props});
}
