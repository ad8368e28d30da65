// Package openmetrics reads and writes what programs expose of their metrics:
// Prometheus's text format 0.0.4, OpenMetrics text 1.0, and the protobuf
// format (a run of io.prometheus.client.MetricFamily, each behind its length).
//
// [Parse] turns bytes of any of the three into families, [Series] turns
// families into the series that Prometheus would store, and [WriteText],
// [WriteOpenMetrics] and [WriteProtobuf] write families again:
//
//	families, err := openmetrics.Parse(r.Header.Get("Content-Type"), body, openmetrics.Limits{})
//	...
//	batch.Series = openmetrics.Series(families)
//
// All are pure functions. What is parsed has been checked: names and values
// are UTF-8, no series is there twice, buckets are in order and cumulative.
// Errors are of kind [narthex.Invalid], or [narthex.TooLarge] for a limit
// passed, and say where: "line 12: ...".
//
// The parsers are stricter than Prometheus's own where the formats are:
//
//   - a family's samples stand together, its TYPE before them, and no metadata
//     is given twice; a text that doesn't end with a line feed was cut off;
//   - a series, and a label within a series, is given once; names are quoted
//     strings only if they need to be or want to, never empty; __name__, and le
//     and quantile where they mean something, aren't labels of one's own;
//   - buckets and quantiles are in increasing order; counts are neither
//     negative, NaN nor infinite, and don't fall from bucket to bucket; _count
//     is the +Inf bucket's value;
//   - no series of a histogram or a summary is at once a family of its own;
//   - an exemplar's value is in its bucket; a native histogram's spans fit its
//     buckets, and these, if they are whole numbers, add up to the count;
//   - OpenMetrics: a counter's samples end in _total and are not negative or
//     NaN, an info is 1, a state is 0 or 1, exemplars stand at counters and
//     buckets alone and have at most 128 characters of labels, the points of a
//     metric stand together with increasing times.
//
// They are laxer in what does no harm and what clients are known to send:
//
//   - text 0.0.4: a type's name in capitals, blanks between any two tokens, a
//     negative time, HELP after the first sample; a missing +Inf bucket, _count
//     or _sum of a histogram is derived (from _count, from +Inf, as 0);
//   - OpenMetrics: two families that differ by _total alone (client_golang's Go
//     collector writes them); counts that are not whole numbers (OpenMetrics 2
//     has them); a sum that is negative or NaN.
//
// Sources: "Exposition formats" in Prometheus's documentation, "OpenMetrics
// 1.0" (prometheus.io/docs/specs/om), io/prometheus/client/metrics.proto of
// prometheus/client_model, and for names outside the legacy set Prometheus's
// proposal "UTF-8 support for metric and label names".
package openmetrics

import "narthex"

// Family is a metric with all its label sets.
type Family struct {
	// Name is the name that the series have, as in text 0.0.4: with the _total
	// of a counter and the _info of an info, which OpenMetrics leaves out of
	// its metadata; without the _bucket, _sum and _count of a histogram or a
	// summary.
	Name       string
	Type       narthex.Type
	Help, Unit string
	// Metrics has at least one metric after parsing. No two have the same
	// labels and the same time; those of the same labels stand together in the
	// order of their times (only OpenMetrics has several).
	Metrics []Metric
}

// Metric is one label set of a family and what was said of it.
type Metric struct {
	// Labels are without __name__, le and quantile.
	Labels narthex.Labels
	// Time is the time that was given with the value, in milliseconds since
	// the epoch; 0 is none.
	Time int64
	// Start is when counting began (created), in milliseconds; 0 is unknown.
	Start int64
	// Value is that of a counter, gauge, info, state or unknown.
	Value float64
	// Histogram is that of a histogram or gauge histogram: the native one if
	// there is one, else the classic one (see [narthex.CustomBounds]).
	Histogram *narthex.Histogram
	// Classic is the classic histogram of a metric that has a native one as
	// well, which only protobuf can express.
	Classic *narthex.Histogram
	// Summary is that of a summary.
	Summary *Summary
	// Exemplars are those of a counter (at most one), of a classic histogram's
	// buckets in their order (at most one each), or of a native histogram.
	Exemplars []narthex.Exemplar
}

// Summary is a distribution as its quantiles.
type Summary struct {
	Count, Sum float64
	Quantiles  []Quantile // increasing
}

// Quantile is the value below which a share of the observations lies.
type Quantile struct {
	Quantile float64 // the share, 0 to 1
	Value    float64
}

// Limits bound what is made of an exposition, so that little input can't
// become a lot of memory. A zero field is its default.
type Limits struct {
	Families int // default 100,000
	Samples  int // flat series, as [Series] returns them; default 100,000
	Labels   int // labels of one series; default 128
}

// slotsPerSample is how many labels a flat series may have on average. It
// bounds what Series makes of a protobuf histogram, where the labels stand
// once for all buckets.
const slotsPerSample = 16

// withDefaults returns l without zero fields.
func (l Limits) withDefaults() Limits {
	if l.Families <= 0 {
		l.Families = 100_000
	}
	if l.Samples <= 0 {
		l.Samples = 100_000
	}
	if l.Labels <= 0 {
		l.Labels = 128
	}
	return l
}
