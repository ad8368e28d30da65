import {Duration} from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type {Construct} from 'constructs';

/**
 * Alarms are CloudWatch's, for what narthex can't tell by its own metrics when it does not run. They go to a topic,
 * if one is given.
 */
export class Alarms {
  constructor(private readonly topic?: sns.ITopic) {}

  /** Something could not be folded ten times: it waits for somebody to look. */
  deadLetters(scope: Construct, queue: sqs.IQueue): void {
    this.add(scope, 'DeadLettersAlarm', 'Messages that could not be folded wait in the dead-letter queue', {
      metric: queue.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(5),
        statistic: 'Maximum',
      }),
      threshold: 0,
      evaluationPeriods: 1,
    });
  }

  /** Folding does not keep up. */
  age(scope: Construct, queue: sqs.IQueue): void {
    this.add(scope, 'LagAlarm', 'Pushes wait for longer than five minutes to be folded', {
      metric: queue.metricApproximateAgeOfOldestMessage({period: Duration.minutes(1), statistic: 'Maximum'}),
      threshold: 300,
      evaluationPeriods: 5,
    });
  }

  /** A function fails. */
  errors(scope: Construct, id: string, f: lambda.IFunction): void {
    this.add(scope, id, 'A function of narthex fails', {
      metric: f.metricErrors({period: Duration.minutes(5), statistic: 'Sum'}),
      threshold: 0,
      evaluationPeriods: 3,
    });
  }

  private add(
    scope: Construct,
    id: string,
    alarmDescription: string,
    props: Pick<cloudwatch.AlarmProps, 'metric' | 'threshold' | 'evaluationPeriods'>,
  ): void {
    const alarm = new cloudwatch.Alarm(scope, id, {
      alarmDescription,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      ...props,
    });
    if (this.topic) alarm.addAlarmAction(new actions.SnsAction(this.topic));
  }
}
