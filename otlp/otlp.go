// Package otlp reads OpenTelemetry's metrics protocol and translates it to
// series: [Encoding.Decode] makes a [Metrics] of a request's body,
// [Options.Translate] makes series of that, and [Encoding.Response] and
// [Encoding.Status] are the answers. All of it is pure: no clock, no input, no
// output.
//
// The translation is that of Prometheus 3's own OTLP endpoint: names with units
// and _total, job and instance of the service's attributes, target_info,
// classic buckets of explicit histograms, native histograms of exponential
// ones. What Prometheus takes no position on, or refuses whole requests for, is
// decided here point by point: increments (delta temporality) come out apart
// from what is cumulative, and a point that can't be taken is rejected alone.
//
// Sources: opentelemetry-proto 1.x (metrics.proto, common.proto), the OTLP
// specification ("JSON Protobuf Encoding", "Partial Success"), and
// prometheus/storage/remote/otlptranslator.
package otlp

import "narthex"

// Metrics is a request: what one export brought.
type Metrics struct {
	Resources []Resource
	// Points is how many data points there are in all.
	Points int
}

// Resource is who measured.
type Resource struct {
	Attributes []Attribute
	Scopes     []Scope
}

// Scope is the library that measured.
type Scope struct {
	Name, Version, SchemaURL string
	Attributes               []Attribute
	Metrics                  []Metric
}

// Attribute is a key and its value as text: what is neither a string nor empty
// is written as JSON does, bytes in base64.
type Attribute struct{ Key, Value string }

// Kind is what a metric's data points are.
type Kind uint8

// The kinds. A metric of KindNone has no data.
const (
	KindNone Kind = iota
	KindGauge
	KindSum
	KindHistogram
	KindExponential
	KindSummary
)

// Temporality says what a point of a sum or a histogram covers.
type Temporality uint8

// The temporalities. Whatever else a request says is Unspecified.
const (
	Unspecified Temporality = iota
	Delta                   // the time since the point before
	Cumulative              // the time since the start
)

// Metric is an instrument and its points.
type Metric struct {
	Name, Description, Unit string
	Kind                    Kind
	Temporality             Temporality // of sums and histograms
	Monotonic               bool        // of sums
	Points                  []Point
}

// Point is one data point. Times are nanoseconds since 1970, 0 is none.
type Point struct {
	Attributes  []Attribute
	Start, Time uint64
	// NoValue is the flag for "this stream has nothing here".
	NoValue bool
	// Value is that of a gauge or a sum.
	Value     float64
	Exemplars []Exemplar
	// Dist is the distribution of all other kinds.
	Dist *Distribution
}

// Distribution is what a histogram or a summary says.
type Distribution struct {
	Count  uint64
	Sum    float64
	HasSum bool
	// Bounds and Counts are an explicit histogram's.
	Bounds []float64
	Counts []uint64
	// Scale, Zero, Positive and Negative are an exponential histogram's.
	Scale              int32
	Zero               uint64
	Positive, Negative Run
	// Quantiles are a summary's.
	Quantiles []Quantile
}

// Run is a run of an exponential histogram's buckets. Bucket i of scale s holds
// the values in (2^(i/2^s), 2^((i+1)/2^s)].
type Run struct {
	Offset int32 // of the first
	Counts []uint64
}

// Quantile is one of a summary.
type Quantile struct{ Quantile, Value float64 }

// Exemplar is an example of what was measured.
type Exemplar struct {
	Attributes []Attribute
	Time       uint64
	Value      float64
	NoValue    bool // it has none, so it is none
	TraceID    string
	SpanID     string // both in hexadecimal digits, "" if absent
}

// Limits bound what a body may unfold to. Zero takes the default.
type Limits struct {
	Points int // data points, default 10000
}

// What one message may hold, so that a small body can't unfold to much.
const (
	maxDepth      = 32    // of attribute values
	maxBuckets    = 16384 // of a point
	elementsShare = 64    // attributes, exemplars and so on, for each point allowed
	maxAttributes = 1024  // of a point, a scope or a resource
)

// budget counts what was unfolded.
type budget struct {
	points, maxPoints, elements int
}

func newBudget(l Limits) budget {
	if l.Points <= 0 {
		l.Points = 10000
	}
	return budget{maxPoints: l.Points, elements: (l.Points + 16) * elementsShare}
}

func (b *budget) point(err *error) bool {
	if b.points == b.maxPoints {
		fail(err, narthex.Errorf(narthex.TooLarge, "the request has more than %d data points: send it in several (the batch processor's send_batch_max_size), or raise limits.series_per_push", b.maxPoints))
		return false
	}
	b.points++
	return true
}

func (b *budget) element(err *error) bool {
	if b.elements == 0 {
		fail(err, narthex.Errorf(narthex.TooLarge, "the request has more than %d attributes, exemplars and the like: send it in several", (b.maxPoints+16)*elementsShare))
		return false
	}
	b.elements--
	return true
}

// fail keeps the first error.
func fail(err *error, with error) {
	if *err == nil {
		*err = with
	}
}

// copies hands out parts of larger arrays.
type copies[T any] struct{ free []T }

// of returns a copy of s that nobody else appends to.
func (c *copies[T]) of(s []T) []T {
	n := len(s)
	if n == 0 {
		return nil
	}
	if len(c.free) < n {
		c.free = make([]T, max(n, 512))
	}
	out := c.free[:n:n]
	c.free = c.free[n:]
	copy(out, s)
	return out
}
