/**
 * The client of narthex for Node.js. Two ways to push:
 * the functions of npm prometheus-remote-write, {@link pushTimeseries} and {@link pushMetrics};
 * and {@link Narthex} with counters, gauges and histograms. {@link withNarthex} is for Lambda.
 */
export {Narthex} from './client.js';
export type {FlushResult, NarthexOptions} from './client.js';
export {NarthexError} from './errors.js';
export type {ErrorKind, Receipt, Rejection} from './errors.js';
export {withNarthex} from './lambda.js';
export type {Flusher, LambdaContext, LambdaOptions} from './lambda.js';
export type {Counter, Gauge, Histogram, HistogramOptions, MetricOptions} from './metrics.js';
export type {Buckets, Labels} from './pending.js';
export type {Fetch, FetchResponse, TargetOptions} from './target.js';
export {pushMetrics, pushTimeseries} from './timeseries.js';
export type {Options, Result, Sample, Timeseries} from './timeseries.js';
