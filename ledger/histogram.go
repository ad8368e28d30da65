package ledger

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"narthex"
)

// Limits of native histograms: Prometheus takes schemas -4 to 8, and AMP at
// most 200 buckets; client libraries merge buckets at 160.
const (
	minSchema  = -4
	maxSchema  = 8
	maxBuckets = 160
	// mostBuckets bounds a histogram that a group keeps as it came.
	mostBuckets = 10 * maxBuckets
)

// checkHistogram says what is wrong with an increment.
func checkHistogram(h *narthex.Histogram) error {
	total := h.ZeroCount
	for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
		for _, n := range b.Counts {
			if !(n >= 0 && n <= maxFinite) {
				return fmt.Errorf("a bucket of %v", n)
			}
			total += n
		}
	}
	if !(h.ZeroCount >= 0) || !(h.Count >= 0 && h.Count <= maxFinite) || math.IsInf(h.Sum, 0) || math.IsNaN(h.Sum) {
		return fmt.Errorf("a histogram with count %v and sum %v", h.Count, h.Sum)
	}
	if math.Abs(total-h.Count) > 1e-9*h.Count {
		return fmt.Errorf("buckets that hold %v of %v observations", total, h.Count)
	}
	if h.Schema == narthex.CustomBounds {
		return checkClassic(h)
	}
	if h.Schema < minSchema || h.Schema > maxSchema || !(h.ZeroThreshold >= 0 && h.ZeroThreshold <= 1) {
		return fmt.Errorf("schema %d and zero threshold %v", h.Schema, h.ZeroThreshold)
	}
	if wrongShape(h) {
		return errors.New("spans that overlap, lie too far out, or do not fit the counts")
	}
	return nil
}

// farOut bounds the index of a native bucket: at the finest schema 2^±1024 is
// bucket ±2^18.
const farOut = 1 << 20

// wrongShape reports whether the parts of h, which may be nil, do not fit each
// other, so that it can't be added to.
func wrongShape(h *narthex.Histogram) bool {
	if h == nil {
		return false
	}
	if h.Schema == narthex.CustomBounds {
		return len(h.Positive.Counts) != len(h.Bounds)+1
	}
	if h.Schema < minSchema || h.Schema > maxSchema || math.IsNaN(h.ZeroThreshold) {
		return true
	}
	for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
		n, index := uint64(0), int64(0)
		for i, s := range b.Spans {
			n += uint64(s.Length)
			index += int64(s.Offset)
			if i > 0 && s.Offset < 0 || index < -farOut {
				return true
			}
			if index += int64(s.Length); index > farOut {
				return true
			}
		}
		if n != uint64(len(b.Counts)) {
			return true
		}
	}
	return false
}

func checkClassic(h *narthex.Histogram) error {
	if len(h.Positive.Counts) != len(h.Bounds)+1 || len(h.Positive.Spans) > 0 || len(h.Negative.Counts) > 0 || h.ZeroCount != 0 {
		return fmt.Errorf("%d buckets with %d bounds", len(h.Positive.Counts), len(h.Bounds))
	}
	for i, b := range h.Bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= h.Bounds[i-1] {
			return fmt.Errorf("bounds that do not rise")
		}
	}
	return nil
}

// refuseHistogram says why the item's histograms can't be added to have, which
// is nil for a new account.
func refuseHistogram(have *narthex.Histogram, it *item) string {
	total, sum := 0.0, 0.0
	if have != nil {
		total, sum = have.Count, have.Sum
	}
	for _, s := range it.samples {
		h := s.Histogram
		sum += h.Sum
		switch total += h.Count; {
		case have == nil:
			have = h
		case (have.Schema == narthex.CustomBounds) != (h.Schema == narthex.CustomBounds):
			return "it is a " + kindOf(h) + " histogram, but the ledger keeps a " + kindOf(have) + " one: use one layout for the name"
		case !slices.Equal(have.Bounds, h.Bounds):
			return fmt.Sprintf("its buckets are %s, but the ledger keeps %s: counts of different buckets can't be added; use one layout for the name", boundsText(h.Bounds), boundsText(have.Bounds))
		}
	}
	if total > maxFinite || math.IsInf(sum, 0) {
		return "the count or the sum would pass the largest number"
	}
	return ""
}

// alike reports whether a and b, which may be nil, can be added.
func alike(a, b *narthex.Histogram) bool {
	if a == nil || b == nil {
		return a == b
	}
	return (a.Schema == narthex.CustomBounds) == (b.Schema == narthex.CustomBounds) && slices.Equal(a.Bounds, b.Bounds)
}

func kindOf(h *narthex.Histogram) string {
	if h.Schema == narthex.CustomBounds {
		return "classic"
	}
	return "native"
}

func boundsText(b []float64) string {
	if len(b) > 12 {
		return fmt.Sprintf("%v…%v (%d)", b[:6], b[len(b)-2:], len(b))
	}
	return fmt.Sprint(b)
}

// zeroOf returns a histogram like h that has counted nothing.
func zeroOf(h *narthex.Histogram) *narthex.Histogram {
	z := &narthex.Histogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, Bounds: h.Bounds}
	if h.Schema == narthex.CustomBounds {
		z.Positive.Counts = make([]float64, len(h.Bounds)+1)
	}
	return z
}

// merge adds src to dst. Of two native resolutions the coarser one stays, and
// of two zero buckets the wider one, for those can hold both.
//
// Source: prometheus/model/histogram.FloatHistogram.Add, which does the same.
func merge(dst, src *narthex.Histogram) {
	dst.Count += src.Count
	dst.Sum += src.Sum
	if dst.Schema == narthex.CustomBounds {
		for i, n := range src.Positive.Counts {
			dst.Positive.Counts[i] += n
		}
		return
	}
	a, b := newCounts(dst), newCounts(src)
	align(a, b)
	a.zero += b.zero
	for side := range a.sides {
		for i, n := range b.sides[side] {
			a.sides[side][i] += n
		}
	}
	for a.schema > minSchema && len(a.sides[0])+len(a.sides[1]) > maxBuckets {
		a.coarsen(a.schema - 1)
	}
	a.into(dst)
}

// counts is a native histogram's buckets by index.
type counts struct {
	schema              int32
	zero, zeroThreshold float64
	sides               [2]map[int32]float64 // positive, negative
}

func newCounts(h *narthex.Histogram) *counts {
	c := &counts{schema: h.Schema, zero: h.ZeroCount, zeroThreshold: h.ZeroThreshold}
	for side, b := range []narthex.Buckets{h.Positive, h.Negative} {
		m := make(map[int32]float64, len(b.Counts))
		b.Each(func(i int32, n float64) {
			if n != 0 {
				m[i] += n
			}
		})
		c.sides[side] = m
	}
	return c
}

func (c *counts) into(h *narthex.Histogram) {
	h.Schema, h.ZeroCount, h.ZeroThreshold = c.schema, c.zero, c.zeroThreshold
	h.Positive, h.Negative = narthex.NewBuckets(c.sides[0]), narthex.NewBuckets(c.sides[1])
}

// coarsen merges buckets until the schema is the given one.
func (c *counts) coarsen(schema int32) {
	if schema == c.schema {
		return
	}
	shift := c.schema - schema
	for side, m := range c.sides {
		out := make(map[int32]float64, len(m))
		for i, n := range m {
			out[((i-1)>>shift)+1] += n
		}
		c.sides[side] = out
	}
	c.schema = schema
}

// widenZero takes the buckets up to the threshold into the zero bucket. A
// bucket that the threshold cuts goes in whole, and the threshold to its bound.
func (c *counts) widenZero(threshold float64) {
	for _, m := range c.sides {
		for i := range m {
			lower, upper := boundOf(i-1, c.schema), boundOf(i, c.schema)
			if lower < threshold && upper > threshold {
				threshold = upper
			}
		}
	}
	for _, m := range c.sides {
		for i, n := range m {
			if boundOf(i, c.schema) <= threshold {
				c.zero += n
				delete(m, i)
			}
		}
	}
	c.zeroThreshold = threshold
}

// boundOf returns the upper bound of bucket i.
func boundOf(i, schema int32) float64 {
	return math.Exp2(float64(i) * math.Exp2(-float64(schema)))
}

// expand returns the series of a classic histogram with the cumulative counts
// of h, or, if marker is true, with staleness markers.
func (a *account) expand(h *narthex.Histogram, t int64, marker bool) []narthex.Series {
	name := a.labels.Get(narthex.MetricName)
	out := make([]narthex.Series, 0, len(h.Bounds)+3)
	add := func(ls narthex.Labels, v float64) {
		if marker {
			v = narthex.StaleMarker()
		}
		out = append(out, narthex.Series{
			Labels: ls, Type: narthex.TypeHistogram, Family: name, Unit: a.unit, Help: a.help,
			Samples: []narthex.Sample{{Time: t, Value: v}},
		})
	}
	bucket := a.labels.With(narthex.MetricName, name+"_bucket")
	total := 0.0
	for i, n := range h.Positive.Counts {
		total += n
		le := math.Inf(1)
		if i < len(h.Bounds) {
			le = h.Bounds[i]
		}
		add(bucket.With("le", narthex.FormatBound(le)), total)
	}
	add(a.labels.With(narthex.MetricName, name+"_count"), total)
	add(a.labels.With(narthex.MetricName, name+"_sum"), h.Sum)
	return out
}
