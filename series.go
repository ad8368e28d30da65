package narthex

import (
	"math"
	"slices"
)

// Series is one time series and what a batch says of it.
type Series struct {
	Labels Labels
	Type   Type
	As     As
	// Family is the name of the metric family, if the metric's name is not it
	// (such as x of x_bucket).
	Family string
	// Unit and Help describe the metric, that is, all series of the name.
	// Either may be empty.
	Unit, Help string
	// Samples need not be in order; a sink sorts them.
	Samples   []Sample
	Exemplars []Exemplar
}

// As says what narthex does with a series' samples.
type As uint8

const (
	// AsSample keeps each sample with its own time.
	AsSample As = iota
	// AsDelta adds each sample to the series' total.
	AsDelta
	// AsGauge sets the value; the last by the samples' times wins.
	AsGauge
)

// String returns the word that the push API uses.
func (a As) String() string { return word(asWords, a) }

var asWords = []string{"sample", "delta", "gauge"}

// Sample is a value, or a histogram, at a time.
type Sample struct {
	// Time is when, in milliseconds since the epoch; 0 means not assigned.
	Time int64
	// Start is when the counting began (OpenMetrics' created, remote write's
	// start timestamp), in milliseconds; 0 means unknown.
	Start int64
	Value float64
	// Histogram, if not nil, takes the place of Value.
	Histogram *Histogram
}

// staleNaN is the bits of the NaN that ends a series, which no computation
// yields.
//
// Source: prometheus/model/value.StaleNaN; remote write 1.0, "Stale Markers".
const staleNaN = 0x7ff0000000000002

// StaleMarker returns the value that ends a series; of a native histogram it is
// the sum that has it.
func StaleMarker() float64 { return math.Float64frombits(staleNaN) }

// IsStaleMarker reports whether v is the value that ends a series.
func IsStaleMarker(v float64) bool { return math.Float64bits(v) == staleNaN }

// CloneSeries returns a copy that shares no samples: a sink may sort what it is
// given, so that each of several needs its own.
func CloneSeries(series []Series) []Series {
	series = slices.Clone(series)
	for i := range series {
		series[i].Samples = slices.Clone(series[i].Samples)
	}
	return series
}

// Exemplar is an example of what a counter or a bucket counted.
type Exemplar struct {
	Labels Labels
	Time   int64 // milliseconds since the epoch; 0 means not assigned
	Value  float64
}

// Type is a metric's type, as in OpenMetrics 1.0.
type Type uint8

// The metric types.
const (
	TypeUnknown Type = iota
	TypeCounter
	TypeGauge
	TypeHistogram
	TypeGaugeHistogram
	TypeSummary
	TypeInfo
	TypeStateSet
)

var typeWords = []string{"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"}

// String returns the word that the exposition formats use.
func (t Type) String() string { return word(typeWords, t) }

func word[T ~uint8](words []string, v T) string {
	if int(v) < len(words) {
		return words[v]
	}
	return "invalid"
}
