import {CfnOutput, Duration, Stack} from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import {SqsEventSource} from 'aws-cdk-lib/aws-lambda-event-sources';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import {Construct} from 'constructs';
import type {Alarms} from './alarms.ts';
import type {Destination} from './destination.ts';
import {type Bundle, Program} from './program.ts';
import {merge, type Settings} from './settings.ts';
import {Store} from './store.ts';

/** An entry of `probes.targets` in narthex.yml (docs/probes.md). */
export interface Target {
  readonly name: string;
  readonly target: string;
  readonly module: string;
  readonly [key: string]: unknown;
}

export interface NarthexProbeProps {
  readonly destination: Destination;
  readonly targets: Target[];
  /** The modules, as in blackbox.yml, besides the ones that narthex brings. */
  readonly modules?: Record<string, unknown>;
  /** How often each target is probed, in seconds; default 60. */
  readonly every?: 60 | 30 | 20 | 15 | 10;
  /**
   * Has a function URL answer /probe, for a Prometheus that pulls. Prometheus can't sign, so anybody can reach it,
   * and the settings have to say in `auth` who may probe.
   */
  readonly pull?: boolean;
  readonly store?: Store;
  readonly settings?: Settings;
  readonly bundle?: Bundle;
  readonly architecture?: lambda.Architecture;
  /** Memory in MB; default 512: less CPU than that distorts what is measured. */
  readonly memory?: number;
  readonly alarms?: Alarms;
}

/** NarthexProbe probes targets from the stack's region and writes what it finds to the destination. */
export class NarthexProbe extends Construct {
  readonly function: Program;
  readonly store: Store;
  readonly url?: string;

  constructor(scope: Construct, id: string, props: NarthexProbeProps) {
    super(scope, id);
    if (props.pull && !props.settings?.auth) {
      throw new Error('pull lets anybody call the function: say with settings.auth who may probe');
    }
    const {every = 60, destination, targets: list, modules} = props;
    this.store = props.store ?? new Store(this, 'Store');
    this.function = new Program(this, 'Function', {
      program: 'bootstrap',
      bundle: props.bundle,
      architecture: props.architecture,
      description: 'narthex: probes targets',
      settings: merge(
        {
          scrape_interval: `${every}s`,
          lambda: {roles: ['probe', 'tick'], mode: 'direct'},
          probes: {every: `${every}s`, targets: list},
          ...(modules && {modules}),
        },
        props.settings,
      ),
      environment: {NARTHEX_STATE: this.store.state, ...destination.environment},
      memory: props.memory ?? 512,
      timeout: Duration.seconds(55),
    });
    this.store.grantLedger(this.function);
    destination.grantWrite(this.function);
    new events.Rule(this, 'Minute', {
      description: 'narthex probes',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      targets: [
        new targets.LambdaFunction(this.function, {retryAttempts: 0, maxEventAge: Duration.minutes(1)}),
      ],
    });
    if (every < 60) this.below(this.function);
    if (props.pull) {
      this.url = this.function.addFunctionUrl({authType: lambda.FunctionUrlAuthType.NONE}).url;
      new CfnOutput(this, 'Url', {value: this.url, description: 'Where /probe is'});
    }
    props.alarms?.errors(this, 'Errors', this.function);
  }

  // Rounds below a minute are delayed messages of the minute's own invocation.
  private below(f: Program): void {
    const rounds = new sqs.Queue(this, 'Rounds', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(60),
      retentionPeriod: Duration.minutes(2), // a round that is late is not made good
    });
    rounds.grantSendMessages(f);
    // Two pollers: each asks an empty queue three times a minute, and requests are paid for.
    f.addEventSource(
      new SqsEventSource(rounds, {batchSize: 1, maxConcurrency: 2, reportBatchItemFailures: true}),
    );
    f.addEnvironment('NARTHEX_SCHEDULE_QUEUE', rounds.queueUrl);
  }
}

/**
 * probeRegions makes a stack in each region that probes the same targets and writes to one destination; deploy them
 * with `cdk deploy --all`. The account needs `cdk bootstrap` in each region.
 */
export function probeRegions(
  scope: Construct,
  id: string,
  regions: string[],
  props: NarthexProbeProps,
): Stack[] {
  return regions.map((region) => {
    const stack = new Stack(scope, `${id}-${region}`, {
      env: {account: process.env['CDK_DEFAULT_ACCOUNT'], region},
      crossRegionReferences: true,
      description: `narthex: probes from ${region}`,
    });
    new NarthexProbe(stack, 'Probe', props);
    return stack;
  });
}
