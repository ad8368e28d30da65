import {Duration, Stack} from 'aws-cdk-lib';
import type * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import {SqsEventSource} from 'aws-cdk-lib/aws-lambda-event-sources';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as destinations from 'aws-cdk-lib/aws-logs-destinations';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as notifications from 'aws-cdk-lib/aws-s3-notifications';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import {Construct} from 'constructs';
import type {Alarms} from './alarms.ts';
import type {Destination} from './destination.ts';
import {type Bundle, Program} from './program.ts';
import {merge, type Settings} from './settings.ts';
import {bucket, type Store} from './store.ts';

export interface NarthexLogsProps {
  readonly destination: Destination;
  /** The ledger, and what writes its totals: that of a NarthexPush. */
  readonly store: Store;
  /** Where logs are. One is made if it is not given. */
  readonly bucket?: s3.IBucket;
  /** How long a bucket that is made keeps logs; default 7 days. */
  readonly keep?: Duration;
  /** Whether a bucket that is made is emptied when the stack is deleted; default true. */
  readonly empty?: boolean;
  /** Which objects are logs; default all. */
  readonly prefix?: string;
  /** The keys of an entry of `logs` in narthex.yml, besides source and from (docs/logs.md). */
  readonly source?: Record<string, unknown>;
  readonly settings?: Settings;
  readonly bundle?: Bundle;
  readonly architecture?: lambda.Architecture;
  /** default 512; what a log takes is time, not memory. */
  readonly memory?: number;
  readonly alarms?: Alarms;
}

/**
 * NarthexLogs counts access logs: the objects that are put into a bucket (by CloudFront, load balancers, S3), and
 * what log groups are subscribed to. Each is counted once.
 */
export class NarthexLogs extends Construct {
  readonly bucket: s3.IBucket;
  readonly deadLetters: sqs.Queue;
  readonly function: Program;

  constructor(scope: Construct, id: string, props: NarthexLogsProps) {
    super(scope, id);
    const {prefix = '', destination, store} = props;
    this.bucket =
      props.bucket ??
      bucket(this, 'Bucket', {
        autoDeleteObjects: props.empty,
        // CloudFront's older standard logs and S3's own are delivered by access control lists.
        objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
        lifecycleRules: [{expiration: props.keep ?? Duration.days(7)}],
      });
    this.function = new Program(this, 'Function', {
      program: 'bootstrap',
      bundle: props.bundle,
      architecture: props.architecture,
      description: 'narthex: counts access logs',
      settings: merge(
        {
          lambda: {roles: ['logs', 'fold'], mode: 'direct'},
          logs: [{source: 'logs', from: 's3://', ...props.source}],
        },
        props.settings,
      ),
      environment: {NARTHEX_STATE: store.state, ...destination.environment},
      memory: props.memory ?? 512,
      timeout: Duration.minutes(5),
    });
    store.grantLedger(this.function);
    iam.Grant.addToPrincipal({
      grantee: this.function,
      actions: ['s3:GetObject'],
      resourceArns: [this.bucket.arnForObjects(`${prefix}*`)],
    });
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    const queue = new sqs.Queue(this, 'Queue', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.minutes(30),
      retentionPeriod: Duration.hours(23), // ids are remembered for 24 hours
      deadLetterQueue: {queue: this.deadLetters, maxReceiveCount: 10},
    });
    this.notify(queue, prefix, props.bucket);
    this.function.addEventSource(
      new SqsEventSource(queue, {batchSize: 10, maxConcurrency: 4, reportBatchItemFailures: true}),
    );
    props.alarms?.deadLetters(this, this.deadLetters);
  }

  // A bucket that is ours has its notifications in its own properties: CDK's way, which works for any bucket, brings
  // a function that may change the notifications of all buckets.
  private notify(queue: sqs.Queue, prefix: string, foreign: s3.IBucket | undefined): void {
    if (foreign) {
      foreign.addEventNotification(
        s3.EventType.OBJECT_CREATED,
        new notifications.SqsDestination(queue),
        ...(prefix ? [{prefix}] : []),
      );
      return;
    }
    const policy = queue.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [queue.queueArn],
        conditions: {StringEquals: {'aws:SourceAccount': Stack.of(this).account}},
      }),
    ).policyDependable;
    const own = this.bucket.node.defaultChild as s3.CfnBucket;
    own.notificationConfiguration = {
      queueConfigurations: [
        {
          event: 's3:ObjectCreated:*',
          queue: queue.queueArn,
          ...(prefix && {filter: {s3Key: {rules: [{name: 'prefix', value: prefix}]}}}),
        },
      ],
    };
    if (policy) own.node.addDependency(policy);
  }

  /**
   * Has CloudFront deliver the standard logs (v2) of a distribution, as JSON. CloudFront's deliveries are set up in
   * us-east-1: the stack has to be there.
   */
  fromCloudFront(id: string, distribution: cloudfront.IDistribution, fields?: string[]): void {
    const stack = Stack.of(this);
    const source = new logs.CfnDeliverySource(this, `${id}Source`, {
      name: `${stack.stackName}-${id}`.slice(0, 60),
      logType: 'ACCESS_LOGS',
      resourceArn: stack.formatArn({
        service: 'cloudfront',
        region: '',
        resource: 'distribution',
        resourceName: distribution.distributionId,
      }),
    });
    const destination = new logs.CfnDeliveryDestination(this, `${id}Destination`, {
      name: `${stack.stackName}-${id}`.slice(0, 60),
      destinationResourceArn: this.bucket.bucketArn,
      outputFormat: 'json',
    });
    this.allow('delivery.logs.amazonaws.com', 'logs');
    const delivery = new logs.CfnDelivery(this, `${id}Delivery`, {
      deliverySourceName: source.name,
      deliveryDestinationArn: destination.attrArn,
      recordFields: fields,
    });
    delivery.addDependency(source);
  }

  /**
   * Lets CloudFront write its older standard logs: with this, give the distribution `enableLogging` and `logBucket`.
   */
  get forStandardLogs(): s3.IBucket {
    return this.bucket;
  }

  /** Lets the load balancers of this account and region write their access logs: `logAccessLogs` with the bucket. */
  fromLoadBalancers(): void {
    this.allow('logdelivery.elasticloadbalancing.amazonaws.com', 'elasticloadbalancing');
  }

  /** Has a log group send what it gets: access logs of API Gateway, reports of Lambda, embedded metrics. */
  fromLogGroup(id: string, group: logs.ILogGroup, pattern = logs.FilterPattern.allEvents()): void {
    new logs.SubscriptionFilter(this, id, {
      logGroup: group,
      destination: new destinations.LambdaDestination(this.function),
      filterPattern: pattern,
    });
  }

  // Only deliveries of this account may write.
  private allow(principal: string, service: string): void {
    const stack = Stack.of(this);
    this.bucket.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(principal)],
        actions: ['s3:PutObject'],
        resources: [this.bucket.arnForObjects('*')],
        conditions: {
          StringEquals: {'aws:SourceAccount': stack.account},
          ArnLike: {'aws:SourceArn': stack.formatArn({service, resource: '*', region: '*'})},
        },
      }),
    );
  }
}
