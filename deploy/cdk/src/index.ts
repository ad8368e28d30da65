export {Alarms} from './alarms.ts';
export {Narthex, type NarthexProps} from './narthex.ts';
export {
  type Destination,
  RemoteWrite,
  type RemoteWriteProps,
  Workspace,
  type WorkspaceProps,
} from './destination.ts';
export {NarthexLogs, type NarthexLogsProps} from './logs.ts';
export {NarthexProbe, type NarthexProbeProps, probeRegions, type Target} from './probe.ts';
export {type Bundle, Program, type ProgramProps, type Uploaded} from './program.ts';
export {type Door, NarthexPush, type NarthexPushProps} from './push.ts';
export {type Settings} from './settings.ts';
export {Store, type StoreProps} from './store.ts';
export {NarthexView, type NarthexViewProps, type SignIn} from './view.ts';
