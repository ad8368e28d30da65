// Measures and exports with OpenTelemetry's SDK.
// node export.mjs URL proto|json cumulative|delta ROUNDS
import {diag, DiagConsoleLogger, DiagLogLevel} from '@opentelemetry/api';
import {OTLPMetricExporter as Json, AggregationTemporalityPreference} from '@opentelemetry/exporter-metrics-otlp-http';
import {OTLPMetricExporter as Proto} from '@opentelemetry/exporter-metrics-otlp-proto';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {AggregationType, MeterProvider, PeriodicExportingMetricReader} from '@opentelemetry/sdk-metrics';

const [base, encoding, temporality, rounds] = process.argv.slice(2);
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const exporter = new (encoding === 'proto' ? Proto : Json)({
  url: base + '/v1/metrics',
  compression: encoding === 'proto' ? 'gzip' : 'none',
  temporalityPreference: AggregationTemporalityPreference[temporality.toUpperCase()],
});
const provider = new MeterProvider({
  resource: resourceFromAttributes({
    'service.name': 'node-' + encoding, 'service.namespace': 'shop', 'service.instance.id': 'i-1',
    'host.name': 'zug-1', 'process.command_args': ['node', 'export.mjs'], 'process.pid': 7,
  }),
  readers: [new PeriodicExportingMetricReader({exporter, exportIntervalMillis: 1e9, exportTimeoutMillis: 30000})],
  views: [{instrumentName: 'work.size', aggregation: {type: AggregationType.EXPONENTIAL_HISTOGRAM, options: {maxSize: 40}}}],
});
const meter = provider.getMeter('narthex-test', '1.0.0');
const orders = meter.createCounter('orders', {description: 'Orders.', unit: '{order}'});
const sent = meter.createCounter('sent', {unit: 'By'});
const busy = meter.createUpDownCounter('busy');
const duration = meter.createHistogram('http.server.request.duration', {unit: 's', advice: {explicitBucketBoundaries: [0.1, 0.5, 1]}});
const size = meter.createHistogram('work.size', {unit: 'By'});
const load = meter.createGauge('system.load', {unit: '1'});
meter.createObservableGauge('queue').addCallback(r => r.observe(3, {'queue.name': 'Käse'}));

for (let i = 1; i <= Number(rounds); i++) {
  orders.add(i, {'http.method': 'GET', vip: true});
  orders.add(1, {'http.method': 'PUT', vip: false});
  sent.add(1.5);
  busy.add(i % 2 ? 2 : -1);
  duration.record(i / 4, {'http.route': '/a'});
  size.record(i * i);
  load.record(i / 10);
  await provider.forceFlush();
  // Two exports in one millisecond would say two things of one time.
  for (const at = Date.now(); Date.now() <= at;);
}
console.log('done');
process.exit(0);
