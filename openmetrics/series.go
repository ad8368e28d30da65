package openmetrics

import (
	"math"

	"narthex"
)

// Series returns the series that Prometheus would store of families: those of
// a classic histogram are _bucket with le, _count and _sum (of a gauge
// histogram _gcount and _gsum), those of a summary one with quantile each,
// _count and _sum. A native histogram is one series; its classic buckets, if
// it has both, are left out. Type, help and unit are those of the family.
//
// Each series has one sample. Several points of one metric, which only
// OpenMetrics can have, become several series of the same labels.
func Series(families []Family) []narthex.Series {
	var x expander
	for i := range families {
		x.count(&families[i])
	}
	x.series = make([]narthex.Series, 0, x.n)
	x.samples = make([]narthex.Sample, 0, x.n)
	x.labels = make([]narthex.Label, 0, x.slots)
	for i := range families {
		x.expand(&families[i])
	}
	return x.series
}

// expander makes series of families. It cuts what they hold from three slices
// of the right size.
type expander struct {
	n, slots int // series and labels to come
	series   []narthex.Series
	samples  []narthex.Sample
	labels   []narthex.Label

	family                      *Family
	name, bucket, total, amount string // the names of the family's series
	number                      []byte // reused
}

// count adds to n and slots what the family needs.
func (x *expander) count(f *Family) {
	for i := range f.Metrics {
		m := &f.Metrics[i]
		series, own := 1, 1 // and how many labels each has besides: its name, and what tells the parts apart
		switch h := m.Histogram; {
		case h != nil && h.Schema == narthex.CustomBounds:
			series, own = len(h.Positive.Counts)+2, 2
		case m.Summary != nil:
			series, own = len(m.Summary.Quantiles)+2, 2
		}
		x.n += series
		x.slots += series * (len(m.Labels) + own)
	}
}

func (x *expander) expand(f *Family) {
	x.family, x.name = f, f.Name
	switch f.Type {
	case narthex.TypeHistogram, narthex.TypeSummary:
		x.bucket, x.amount, x.total = f.Name+"_bucket", f.Name+"_count", f.Name+"_sum"
	case narthex.TypeGaugeHistogram:
		x.bucket, x.amount, x.total = f.Name+"_bucket", f.Name+"_gcount", f.Name+"_gsum"
	}
	for i := range f.Metrics {
		m := &f.Metrics[i]
		switch {
		case m.Histogram == nil && m.Summary == nil:
			x.one(x.name, m, narthex.Label{}, m.Value).Exemplars = m.Exemplars
		case m.Summary != nil:
			for _, q := range m.Summary.Quantiles {
				x.one(x.name, m, narthex.Label{Name: "quantile", Value: x.format(q.Quantile)}, q.Value)
			}
			x.one(x.amount, m, narthex.Label{}, m.Summary.Count)
			x.one(x.total, m, narthex.Label{}, m.Summary.Sum)
		case m.Histogram.Schema == narthex.CustomBounds:
			x.classic(m)
		default:
			s := x.one(x.name, m, narthex.Label{}, 0)
			s.Samples[0].Histogram = m.Histogram
			s.Exemplars = m.Exemplars
		}
	}
}

// classic adds the series of a classic histogram.
func (x *expander) classic(m *Metric) {
	h := m.Histogram
	at := place(m.Exemplars, h.Bounds)
	cum := 0.0
	for i := range h.Positive.Counts {
		cum = cumulate(h, i, cum)
		s := x.one(x.bucket, m, narthex.Label{Name: "le", Value: x.format(bound(h, i))}, cum)
		if len(at) > 0 && at[0] == i {
			s.Exemplars = m.Exemplars[len(m.Exemplars)-len(at):][:1:1]
			at = at[1:]
		}
	}
	x.one(x.amount, m, narthex.Label{}, h.Count)
	x.one(x.total, m, narthex.Label{}, h.Sum)
}

// bound returns the upper bound of a classic histogram's bucket.
func bound(h *narthex.Histogram, i int) float64 {
	if i < len(h.Bounds) {
		return h.Bounds[i]
	}
	return math.Inf(1)
}

// cumulate returns the cumulative count of bucket i, given that of the one
// below it. The last is the histogram's count, and none is above it, whatever
// was lost in rounding.
func cumulate(h *narthex.Histogram, i int, below float64) float64 {
	if i >= len(h.Bounds) {
		return h.Count
	}
	return min(below+h.Positive.Counts[i], h.Count)
}

// one adds a series of one sample.
func (x *expander) one(name string, m *Metric, extra narthex.Label, value float64) *narthex.Series {
	start := len(x.labels)
	more := [2]narthex.Label{{Name: narthex.MetricName, Value: name}, extra}
	rest := more[:]
	if extra.Name == "" {
		rest = more[:1]
	}
	for _, l := range m.Labels {
		for len(rest) > 0 && rest[0].Name < l.Name {
			x.labels, rest = append(x.labels, rest[0]), rest[1:]
		}
		x.labels = append(x.labels, l)
	}
	x.labels = append(x.labels, rest...)
	x.samples = append(x.samples, narthex.Sample{Time: m.Time, Start: m.Start, Value: value})
	n := len(x.samples)
	x.series = append(x.series, narthex.Series{
		Labels: x.labels[start:len(x.labels):len(x.labels)],
		Type:   x.family.Type, Unit: x.family.Unit, Help: x.family.Help,
		Samples: x.samples[n-1 : n : n],
	})
	out := &x.series[n-1]
	if name != x.family.Name {
		out.Family = x.family.Name
	}
	return out
}

// format returns narthex.FormatBound(f) without a new string for the most common.
func (x *expander) format(f float64) string {
	if math.IsInf(f, 1) {
		return "+Inf"
	}
	x.number = narthex.AppendBound(x.number[:0], f)
	return string(x.number)
}
