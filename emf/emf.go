// Package emf reads CloudWatch's embedded metric format (EMF): JSON objects in a
// log that say themselves which of their members are metrics, as AWS Lambda
// Powertools and the CloudWatch agent's clients write them.
//
// What a metric becomes is said by its unit, so that it is the same each time:
//
//	Count                                  counter: the values are increments    orders_total
//	Seconds, Milliseconds, Microseconds    histogram of seconds                  latency_seconds
//	Bytes … Terabytes, Bits … Terabits     histogram of bytes or bits            upload_bytes
//	Percent                                histogram of ratios                   cache_hit_ratio
//	…/Second                               gauge                                 disk_bytes_per_second
//	None, none at all, or unknown          gauge (or, by choice, histogram)      queue_length
//
// Kilo and so on are powers of 1000. Names become snake_case and get the base
// unit as their ending in place of one that they have (LatencyMs with the unit
// Milliseconds is latency_seconds). A value may be a number or a list of
// numbers: increments are summed, observations are all counted, and of a gauge
// the last is kept.
//
// Dimensions become labels. Each dimension set makes a series of its own, as
// CloudWatch does, so a metric with two sets is counted in two series. All other
// members (Powertools calls them metadata) are left out: they are made to hold
// ids. The namespace becomes a label, or a prefix of the name.
//
// The timestamp is the time of gauges. Increments and observations count when
// they arrive.
//
// Sources: "Specification: Embedded metric format" and "MetricDatum" (units),
// Amazon CloudWatch User Guide and API Reference.
package emf

import (
	"errors"
	"fmt"

	"narthex"
)

// Options say how events are read. The zero Options are good.
type Options struct {
	// Namespace says what becomes of the namespace.
	Namespace Namespace
	// Layout are the buckets of histograms, which of the zero Options are native.
	Layout narthex.Layout
	// UnitlessHistograms makes histograms of metrics without a unit.
	UnitlessHistograms bool
	// Oldest refuses events with a timestamp before it, in milliseconds since the
	// epoch.
	Oldest int64
	// Newest, if not 0, takes the place of timestamps after it: a gauge that was set
	// in the future would keep its value until then, whatever it is set to.
	Newest int64
	// MaxSeries bounds what a [Collector] collects (default 10000).
	MaxSeries int
}

// Namespace says what becomes of an event's namespace.
type Namespace string

// What may become of a namespace.
const (
	NamespaceLabel  Namespace = "label"  // the label namespace; the default
	NamespacePrefix Namespace = "prefix" // the first words of the name
	NamespaceNone   Namespace = "none"
)

// ErrNotEMF is the error of what is JSON but says of no metric.
var ErrNotEMF = errors.New("it has no metrics: the member _aws.CloudWatchMetrics is missing")

// Parse returns the series of one event. If some of its metrics can't be taken
// there are both series and an error, which says what was wrong with the others.
func Parse(line []byte, o Options) ([]narthex.Series, error) {
	c := NewCollector(o)
	if err := c.Add(line); err != nil {
		return nil, err
	}
	var err error
	if r := c.Rejected(); len(r) > 0 {
		err = narthex.Errorf(narthex.Invalid, "%s: %s", r[0].Series, r[0].Reason)
		if len(r) > 1 {
			err = narthex.Errorf(narthex.Invalid, "%w; and %d more were rejected", err, len(r)-1)
		}
	}
	return c.Series(), err
}

// Collector puts together the series of many events: increments of one series
// are summed, observations collected.
type Collector struct {
	o        Options
	index    map[string]int // by key
	all      []*collected
	rejected []narthex.Rejection
	work     int    // dimensions, metrics and values, each once for each series
	text     int    // bytes of dimensions and labels
	key      []byte // scratch
	// directives are those of events so far by their text, which is the same
	// again and again.
	directives map[string][]directive
}

// collected is one series so far.
type collected struct {
	labels narthex.Labels
	kind   kind
	unit   string
	values []float64 // a counter's sum, a gauge's value, a histogram's observations
	time   int64
}

// maxWork bounds what a collector does: in a few bytes an event can have many
// series of many values.
const maxWork = 1_000_000

// maxText bounds, in bytes, the texts of dimensions and labels: an event says once
// what is read for each set, and kept for each series.
const maxText = 32 << 20

// NewCollector returns an empty collector.
func NewCollector(o Options) *Collector {
	if o.MaxSeries <= 0 {
		o.MaxSeries = 10_000
	}
	return &Collector{o: o, index: make(map[string]int), directives: make(map[string][]directive)}
}

// Rejected returns the metrics that could not be taken.
func (c *Collector) Rejected() []narthex.Rejection { return c.rejected }

// Series returns what was collected, in the order in which it came.
func (c *Collector) Series() []narthex.Series {
	out := make([]narthex.Series, 0, len(c.all))
	for _, x := range c.all {
		s := narthex.Series{Labels: x.labels, Unit: x.unit}
		switch x.kind {
		case counter:
			s.Type, s.As = narthex.TypeCounter, narthex.AsDelta
			s.Samples = []narthex.Sample{{Value: x.values[0]}}
		case gauge:
			s.Type, s.As = narthex.TypeGauge, narthex.AsGauge
			s.Samples = []narthex.Sample{{Value: x.values[0], Time: x.time}}
		default:
			s.Type, s.As = narthex.TypeHistogram, narthex.AsDelta
			s.Samples = []narthex.Sample{{Histogram: c.o.Layout.Histogram(x.values)}}
		}
		out = append(out, s)
	}
	return out
}

// add adds values to a series. The error is of kind [narthex.TooLarge].
func (c *Collector) add(labels narthex.Labels, u unit, values []float64, time int64) error {
	c.key = labels.AppendKey(c.key[:0])
	i, found := c.index[string(c.key)]
	if !found {
		if err := c.room(len(c.key)); err != nil {
			return err
		}
		i = len(c.all)
		c.index[string(c.key)] = i
		c.all = append(c.all, &collected{labels: labels, kind: u.kind, unit: u.base})
	}
	x := c.all[i]
	if x.kind != u.kind {
		return c.reject(labels, fmt.Sprintf("it is a %s here and a %s before: its units don't go together", u.kind, x.kind))
	}
	switch x.kind {
	case counter:
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		if x.values == nil {
			x.values = []float64{0}
		}
		if next := x.values[0] + sum; next-next == 0 {
			x.values[0] = next
			return nil
		}
		return c.reject(labels, "the sum of its increments is too large for a 64-bit floating-point number")
	case gauge:
		if x.values == nil || time >= x.time {
			x.values, x.time = append(x.values[:0], values[len(values)-1]), time
		}
	default:
		x.values = append(x.values, values...)
	}
	return nil
}

// room takes room for one thing more, whose labels have so many bytes. The error
// is of kind [narthex.TooLarge].
func (c *Collector) room(text int) error {
	if len(c.all)+len(c.rejected) >= c.o.MaxSeries {
		return narthex.Errorf(narthex.TooLarge, "there are more than %d series: send the events in several", c.o.MaxSeries)
	}
	return c.spend(text)
}

// spend counts bytes of dimensions and labels. The error is of kind
// [narthex.TooLarge].
func (c *Collector) spend(text int) error {
	if c.text += text; c.text > maxText {
		return narthex.Errorf(narthex.TooLarge, "the dimensions of all series have more than %d bytes: send the events in several", maxText)
	}
	return nil
}

// charge counts work. The error is of kind [narthex.TooLarge].
func (c *Collector) charge(work int) error {
	if c.work += work; c.work > maxWork {
		return narthex.Errorf(narthex.TooLarge, "there are more than %d values in all series: send the events in several", maxWork)
	}
	return nil
}

func (c *Collector) reject(labels narthex.Labels, why string) error {
	text := labels.String()
	if err := c.room(len(text)); err != nil {
		return err
	}
	c.rejected = append(c.rejected, narthex.Rejection{Series: text, Reason: why})
	return nil
}
