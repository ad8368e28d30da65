import {Duration, RemovalPolicy} from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import {Construct} from 'constructs';

/** bucket is one that nobody else can read, that takes TLS only, and that goes with the stack. */
export function bucket(scope: Construct, id: string, props: Partial<s3.BucketProps> = {}): s3.Bucket {
  return new s3.Bucket(scope, id, {
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    encryption: s3.BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    ...props,
    removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY,
    // So that a stack can be deleted whole.
    autoDeleteObjects: props.autoDeleteObjects ?? props.removalPolicy !== RemovalPolicy.RETAIN,
  });
}

export interface StoreProps {
  /** Where the totals are, if the bucket is there already. */
  readonly bucket?: s3.IBucket;
  /** Whether what is in the bucket goes with it: a function of the CDK does that; default true. */
  readonly empty?: boolean;
  /** RETAIN keeps the totals when the stack is deleted; by default they go with it. */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * Store is where the ledger is: totals, ids that were seen, and pushes that are too large for a message of the
 * queue.
 */
export class Store extends Construct {
  readonly bucket: s3.IBucket;

  constructor(scope: Construct, id: string, props: StoreProps = {}) {
    super(scope, id);
    this.bucket =
      props.bucket ??
      bucket(this, 'Bucket', {
        removalPolicy: props.removalPolicy,
        autoDeleteObjects: props.empty,
        lifecycleRules: [
          // A killed writer may leave ids that nothing refers to; those in use are a day old at most.
          {prefix: 'ledger/ids/', expiration: Duration.days(3)},
          {prefix: 'bodies/', expiration: Duration.days(15)},
          {abortIncompleteMultipartUploadAfter: Duration.days(1)},
        ],
      });
  }

  /** The address of the ledger, as narthex writes it. */
  get state(): string {
    return `s3://${this.bucket.bucketName}/ledger`;
  }

  /** The address of bodies, as narthex writes it. */
  get bodies(): string {
    return `s3://${this.bucket.bucketName}/bodies`;
  }

  /** Lets a function keep the ledger: compare-and-swap, and ids. */
  grantLedger(to: iam.IGrantable): void {
    this.grant(to, ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], 'ledger');
    this.grantList(to, 'ledger');
  }

  /** Lets a function look up receipts. */
  grantLookup(to: iam.IGrantable): void {
    this.grant(to, ['s3:GetObject'], 'ledger');
    this.grantList(to, 'ledger');
  }

  /** Lets a function put bodies. */
  grantPutBodies(to: iam.IGrantable): void {
    this.grant(to, ['s3:PutObject'], 'bodies');
  }

  /** Lets a function read bodies and remove what is folded. */
  grantTakeBodies(to: iam.IGrantable): void {
    this.grant(to, ['s3:GetObject', 's3:DeleteObject'], 'bodies');
  }

  private grant(to: iam.IGrantable, actions: string[], prefix: string): void {
    iam.Grant.addToPrincipal({
      grantee: to,
      actions,
      resourceArns: [this.bucket.arnForObjects(`${prefix}/*`)],
    });
  }

  // Without it S3 answers 403 where an object is missing, and a first start could not be told from a wrong role.
  private grantList(to: iam.IGrantable, prefix: string): void {
    to.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [this.bucket.bucketArn],
        conditions: {StringLike: {'s3:prefix': [`${prefix}/*`]}},
      }),
    );
  }
}
