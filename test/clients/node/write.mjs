// Writes with prometheus-remote-write. node write.mjs URL NOW prints one line
// for each answer.
import {pushMetrics, pushTimeseries} from 'prometheus-remote-write';

const [base, now] = process.argv.slice(2);
const options = {url: base + '/api/v1/write', labels: {service: 'npm'}, fetch};

function say(what, {status, errorMessage}) {
  console.log(what, status, errorMessage ? JSON.parse(errorMessage).error : '');
}

say('pushTimeseries', await pushTimeseries({
  labels: {zone: 'z', __name__: 'npm_queue', b: '2', a: '1'}, // sent in this order
  samples: [{value: 1.5, timestamp: now - 2000}, {value: 2.5, timestamp: now - 1000}],
}, options));
say('pushMetrics', await pushMetrics({npm_cpu: 0.25, npm_ram: 17}, options));
say('again', await pushTimeseries({labels: {__name__: 'npm_queue', zone: 'z', a: '1', b: '2'}, samples: [{value: 2.5, timestamp: now - 1000}]}, options));
say('nameless', await pushTimeseries([{labels: {a: '1'}, samples: [{value: 1}]}, {labels: {__name__: 'npm_good'}, samples: [{value: 3}]}], options));
