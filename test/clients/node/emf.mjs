// Writes lines of CloudWatch's embedded metric format with AWS Lambda Powertools:
// node emf.mjs INVOCATIONS prints what so many invocations of a function log.
import {MetricResolution, MetricUnit, Metrics} from '@aws-lambda-powertools/metrics';

const invocations = Number(process.argv[2]);
const metrics = new Metrics({namespace: 'Serverless Airline', serviceName: 'booking', defaultDimensions: {environment: 'prod'}});
metrics.setFunctionName('book');

for (let i = 1; i <= invocations; i++) {
  metrics.captureColdStartMetric();
  metrics.addMetric('successfulBooking', MetricUnit.Count, i);
  metrics.addMetric('successfulBooking', MetricUnit.Count, 1); // makes a list of values
  metrics.addMetric('paymentLatency', MetricUnit.Milliseconds, 250 * i, MetricResolution.High);
  metrics.addMetric('TicketBytes', MetricUnit.Kilobytes, i);
  metrics.addMetric('CacheHitPercent', MetricUnit.Percent, 50);
  metrics.addMetric('seatsLeft', MetricUnit.NoUnit, 100 - i);
  metrics.addMetadata('bookingId', `7051cd10-6283-11ec-90d6-0242ac12000${i % 10}`);
  metrics.publishStoredMetrics();

  metrics.addDimensions({route: i % 2 ? 'odd' : 'even'}); // a second set of dimensions
  metrics.addMetric('searches', MetricUnit.Count, i);
  metrics.publishStoredMetrics();

  // More values than one event may have are spread over several.
  for (let j = 0; j < 150; j++) metrics.addMetric('itemSeconds', MetricUnit.Seconds, 0.5);
  metrics.publishStoredMetrics();
}

const single = metrics.singleMetric();
single.addDimension('step', 'end');
single.addMetric('finished', MetricUnit.Count, 1);
