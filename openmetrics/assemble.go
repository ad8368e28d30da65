package openmetrics

import (
	"math"
	"slices"

	"narthex"
	"narthex/internal/protowire"
)

// state is what is known of a metric while its family is being read.
type state struct {
	has        role    // which of its samples have been there
	last       float64 // the last bound or quantile
	cum        float64 // the last bucket's cumulative count
	count, sum float64
	native     *narthex.Histogram // beside the buckets
}

// role is what a sample is to its metric.
type role uint8

// The roles, as bits of a set. asValue has the family's own name, or that and
// the suffix _total or _info.
const (
	asValue role = 1 << iota
	asBucket
	asQuantile
	asSum
	asCount
	asCreated
)

// once notes that the metric has a sample of the role.
func (b *builder) once(metric int, r role) error {
	if b.open[metric].has&r != 0 {
		return narthex.Errorf(narthex.Invalid, "%s has a sample twice; each line must be a series of its own", b.describe(metric))
	}
	b.open[metric].has |= r
	return nil
}

// bucket adds a bucket of a classic histogram.
func (b *builder) bucket(metric int, le, cum float64) error {
	st := &b.open[metric]
	first := st.has&asBucket == 0
	switch {
	case math.IsNaN(le):
		return narthex.Errorf(narthex.Invalid, `%s: le="NaN" is not the bound of a bucket`, b.describe(metric))
	case !first && le <= st.last:
		return narthex.Errorf(narthex.Invalid, `%s: bucket le="%s" does not follow le="%s": buckets must be in increasing order, each once`, b.describe(metric), narthex.FormatBound(le), narthex.FormatBound(st.last))
	case !protowire.IsCount(cum):
		return narthex.Errorf(narthex.Invalid, `%s: bucket le="%s" counts %v, which is not a count`, b.describe(metric), narthex.FormatBound(le), cum)
	case !first && cum < st.cum:
		return narthex.Errorf(narthex.Invalid, `%s: bucket le="%s" counts %v, the one below it %v: buckets must be cumulative`, b.describe(metric), narthex.FormatBound(le), cum, st.cum)
	}
	st.has, st.last, st.cum = st.has|asBucket, le, cum
	b.point(metric, le, cum)
	return nil
}

// quantile adds a quantile of a summary.
func (b *builder) quantile(metric int, q, value float64) error {
	st := &b.open[metric]
	switch {
	case !(q >= 0 && q <= 1):
		return narthex.Errorf(narthex.Invalid, `%s: quantile="%s" is not between 0 and 1`, b.describe(metric), narthex.FormatBound(q))
	case st.has&asQuantile != 0 && q <= st.last:
		return narthex.Errorf(narthex.Invalid, `%s: quantile="%s" does not follow quantile="%s": quantiles must be in increasing order, each once`, b.describe(metric), narthex.FormatBound(q), narthex.FormatBound(st.last))
	}
	st.has, st.last = st.has|asQuantile, q
	b.point(metric, q, value)
	return nil
}

// count sets the number of observations.
func (b *builder) count(metric int, n float64) error {
	if !protowire.IsCount(n) {
		return narthex.Errorf(narthex.Invalid, "%s: %v is not a count", b.describe(metric), n)
	}
	b.open[metric].count = n
	return b.once(metric, asCount)
}

// sum sets the sum of the observations.
func (b *builder) sum(metric int, s float64) error {
	b.open[metric].sum = s
	return b.once(metric, asSum)
}

// point adds a bucket or a quantile to a metric. The points of one metric
// usually follow one another: they are collected on the side and stored at
// once.
func (b *builder) point(metric int, at, value float64) {
	m := &b.families[b.cur].Metrics[metric]
	if metric != b.run && m.Histogram == nil && m.Summary == nil {
		b.settle()
		b.run = metric
	}
	if metric == b.run {
		b.points = append(b.points, Quantile{at, value})
	} else if h := m.Histogram; h != nil {
		h.Bounds = append(h.Bounds, at)
		h.Positive.Counts = append(h.Positive.Counts, value)
	} else {
		m.Summary.Quantiles = append(m.Summary.Quantiles, Quantile{at, value})
	}
}

// settle stores the points of the metric they were collected for.
func (b *builder) settle() {
	if b.run < 0 {
		return
	}
	f := &b.families[b.cur]
	m := &f.Metrics[b.run]
	if f.Type == narthex.TypeSummary {
		m.Summary = &Summary{Quantiles: slices.Clone(b.points)}
	} else {
		m.Histogram = classic(b.points)
	}
	b.run, b.points = -1, b.points[:0]
}

// classic returns a histogram that has the bounds, with +Inf if it was there,
// and the cumulative counts of points.
func classic(points []Quantile) *narthex.Histogram {
	n := len(points)
	both := make([]float64, 2*n+1) // one more, should +Inf be missing
	h := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: both[:n:n]}
	h.Positive.Counts = both[n : 2*n]
	for i, p := range points {
		h.Bounds[i], h.Positive.Counts[i] = p.Quantile, p.Value
	}
	return h
}

// leave ends the current family: it checks that its metrics are whole. With
// strict set, nothing may be missing that can be derived from the rest.
func (b *builder) leave(strict bool) error {
	if b.cur < 0 {
		return nil
	}
	b.settle()
	f := &b.families[b.cur]
	for i := range f.Metrics {
		var err error
		switch f.Type {
		case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
			err = b.finishHistogram(i, strict)
		case narthex.TypeSummary:
			b.finishSummary(i)
		default:
			if b.open[i].has&asValue == 0 {
				err = narthex.Errorf(narthex.Invalid, "%s has _created and no value", b.describe(i))
			}
		}
		if err != nil {
			return err
		}
	}
	b.enter(-1)
	return nil
}

func (b *builder) finishSummary(metric int) {
	m, st := &b.families[b.cur].Metrics[metric], &b.open[metric]
	if m.Summary == nil {
		m.Summary = &Summary{}
	}
	m.Summary.Count, m.Summary.Sum = st.count, st.sum
}

// finishHistogram turns the cumulative counts into those of the buckets alone.
func (b *builder) finishHistogram(metric int, strict bool) error {
	m, st := &b.families[b.cur].Metrics[metric], &b.open[metric]
	counted, inf := st.has&asCount != 0, st.has&asBucket != 0 && math.IsInf(st.last, 1)
	switch {
	case strict && !inf, !counted && !inf:
		return narthex.Errorf(narthex.Invalid, `%s has no bucket le="+Inf"`, b.describe(metric))
	case strict && counted != (st.has&asSum != 0):
		return narthex.Errorf(narthex.Invalid, "%s has one of count and sum: it needs both or none", b.describe(metric))
	case !counted:
		st.count = st.cum
	case inf && st.count != st.cum:
		return narthex.Errorf(narthex.Invalid, `%s counts %v, and its bucket le="+Inf" %v: they must be equal`, b.describe(metric), st.count, st.cum)
	case st.count < st.cum:
		return narthex.Errorf(narthex.Invalid, `%s counts %v, and its bucket le="%s" %v: buckets must be cumulative`, b.describe(metric), st.count, narthex.FormatBound(st.last), st.cum)
	}
	h := m.Histogram
	if st.native != nil {
		m.Classic, m.Histogram = h, st.native
	} else if h == nil {
		h = classic(nil)
		m.Histogram = h
	}
	if h == nil {
		return nil
	}
	h.Count, h.Sum = st.count, st.sum
	decumulate(h, inf)
	return nil
}

// decumulate makes h, which has cumulative counts, what narthex.Histogram
// says. inf tells that the last of its bounds is +Inf.
func decumulate(h *narthex.Histogram, inf bool) {
	if inf {
		h.Bounds = h.Bounds[:len(h.Bounds)-1]
	} else {
		h.Positive.Counts = append(h.Positive.Counts, h.Count)
	}
	c := h.Positive.Counts
	for i := len(c) - 1; i > 0; i-- {
		c[i] -= c[i-1]
	}
	if len(h.Bounds) == 0 {
		h.Bounds = nil
	}
}
