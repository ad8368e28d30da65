import {CfnOutput, Duration, Stack} from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secrets from 'aws-cdk-lib/aws-secretsmanager';
import {Construct} from 'constructs';
import type {Alarms} from './alarms.ts';
import type {Workspace} from './destination.ts';
import {type Bundle, Program} from './program.ts';
import {merge, type Settings} from './settings.ts';

/** SignIn is the OpenID provider at which people sign in. */
export interface SignIn {
  /** Such as https://login.example; its discovery document is below. */
  readonly issuer: string;
  readonly clientId: string;
  /** The name of a secret in Secrets Manager that has the client's secret; a public client has none. */
  readonly clientSecret?: string;
  /** Which claims a person must have, such as {groups: 'sre'} or {email: '*@example.com'}. */
  readonly claims: Record<string, string | string[]>;
}

export interface NarthexViewProps {
  readonly workspace: Workspace;
  /** The address is public, so that a browser finds it: people have to sign in. */
  readonly signIn: SignIn;
  /** The address that browsers see, if it is not the function's own. */
  readonly externalUrl?: string;
  readonly settings?: Settings;
  readonly bundle?: Bundle;
  readonly architecture?: lambda.Architecture;
  /** Memory in MB; default 512. */
  readonly memory?: number;
  readonly alarms?: Alarms;
}

/** NarthexView is the viewer over a workspace: the page, sign-in and the signing proxy, as a function. */
export class NarthexView extends Construct {
  readonly function: Program;
  readonly url: string;

  constructor(scope: Construct, id: string, props: NarthexViewProps) {
    super(scope, id);
    const {workspace, signIn} = props;
    if (Object.keys(signIn.claims).length === 0) {
      throw new Error('signIn.claims is empty: anybody with an account at the issuer would be let in');
    }
    const key = new secrets.Secret(this, 'SessionKey', {
      description: 'narthex: seals the sessions of the viewer',
      generateSecretString: {excludePunctuation: true, passwordLength: 64},
    });
    const client =
      signIn.clientSecret === undefined
        ? undefined
        : secrets.Secret.fromSecretNameV2(this, 'ClientSecret', signIn.clientSecret);
    const settings = merge(
      {
        query: {url: workspace.endpoint, sigv4: {region: workspace.region}},
        auth: {
          oidc: [
            {
              issuer: signIn.issuer,
              audience: signIn.clientId,
              claims: signIn.claims,
              name_claim: 'email',
              scopes: ['query'],
            },
          ],
        },
        viewer: {
          ...(props.externalUrl && {external_url: props.externalUrl}),
          sign_in: {
            issuer: signIn.issuer,
            client_id: signIn.clientId,
            ...(signIn.clientSecret && {client_secret: `secretsmanager:${signIn.clientSecret}`}),
            keys: [`secretsmanager:${key.secretArn}`],
          },
        },
      },
      props.settings,
    );
    this.function = new Program(this, 'Function', {
      program: 'bootstrap-view',
      bundle: props.bundle,
      architecture: props.architecture,
      description: 'narthex: the viewer',
      settings: {},
      // Not in the layer, because the workspace's address is known only when the stack is deployed.
      environment: {NARTHEX_CONFIG: Stack.of(this).toJsonString(settings)},
      memory: props.memory ?? 512,
      timeout: Duration.seconds(60),
    });
    workspace.grantRead(this.function);
    key.grantRead(this.function);
    client?.grantRead(this.function);
    this.url = this.function.addFunctionUrl({authType: lambda.FunctionUrlAuthType.NONE}).url;
    new CfnOutput(this, 'Url', {
      value: this.url,
      description: 'The viewer; its address + auth/callback is what the provider has to know',
    });
    props.alarms?.errors(this, 'Errors', this.function);
  }
}
