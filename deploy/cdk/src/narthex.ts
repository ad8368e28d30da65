import {CfnOutput, Stack, Tags} from 'aws-cdk-lib';
import type * as sns from 'aws-cdk-lib/aws-sns';
import {Construct} from 'constructs';
import {Alarms} from './alarms.ts';
import {type Destination, Workspace, type WorkspaceProps} from './destination.ts';
import {NarthexLogs, type NarthexLogsProps} from './logs.ts';
import {type Bundle} from './program.ts';
import {NarthexProbe, type NarthexProbeProps} from './probe.ts';
import {NarthexPush, type NarthexPushProps} from './push.ts';
import {Store} from './store.ts';
import {NarthexView, type NarthexViewProps} from './view.ts';

type Rest<P> = Omit<P, 'destination' | 'store' | 'alarms' | 'bundle'>;

export interface NarthexProps {
  /** Where samples go; a new workspace of Amazon Managed Prometheus if it is not given. */
  readonly destination?: Destination;
  readonly workspace?: WorkspaceProps;
  readonly push?: Rest<NarthexPushProps>;
  /** Counts access logs. */
  readonly logs?: Rest<NarthexLogsProps>;
  /** Probes from this region; see probeRegions for others. */
  readonly probe?: Rest<NarthexProbeProps>;
  /** Shows the workspace to people who sign in. */
  readonly view?: Omit<NarthexViewProps, 'workspace' | 'alarms' | 'bundle'>;
  /** Told of dead letters, lag and failures. */
  readonly alarms?: sns.ITopic;
  readonly bundle?: Bundle;
}

/** Narthex is all of it, around one ledger and one destination. */
export class Narthex extends Construct {
  readonly destination: Destination;
  readonly push: NarthexPush;
  readonly logs?: NarthexLogs;
  readonly probe?: NarthexProbe;
  readonly view?: NarthexView;

  constructor(scope: Construct, id: string, props: NarthexProps = {}) {
    super(scope, id);
    const {bundle} = props;
    const alarms = new Alarms(props.alarms);
    const destination = props.destination ?? new Workspace(this, 'Workspace', props.workspace);
    const store = new Store(this, 'Store');
    const common = {destination, store, alarms, bundle};
    this.destination = destination;
    this.push = new NarthexPush(this, 'Push', {...props.push, ...common});
    if (props.logs) this.logs = new NarthexLogs(this, 'Logs', {...props.logs, ...common});
    if (props.probe)
      this.probe = new NarthexProbe(this, 'Probe', {...props.probe, ...common, store: undefined});
    if (props.view) {
      const {workspace} = destination;
      if (!workspace)
        throw new Error('view shows a workspace of Amazon Managed Prometheus, and the destination is none');
      this.view = new NarthexView(this, 'View', {...props.view, workspace, alarms, bundle});
    }
    if (destination.workspace) {
      new CfnOutput(this, 'QueryEndpoint', {
        value: destination.workspace.endpoint,
        description: 'Where the samples are: for narthex (query.url) and for Grafana',
      });
    }
    Tags.of(this).add('application', 'narthex');
    Tags.of(this).add('narthex:stack', Stack.of(this).stackName);
  }
}
