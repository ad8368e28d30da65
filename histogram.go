package narthex

import "slices"

// Histogram is a distribution: a native histogram with exponential buckets, or
// a classic one with bounds of its own.
//
// Source: "Native Histograms", Prometheus specification, and
// prometheus/model/histogram.FloatHistogram, which has the same shape.
type Histogram struct {
	// Schema is the resolution: a bucket's bound is 2^(2^-Schema) times the one
	// below it, for -4 to 8. [CustomBounds] means that Bounds has the bounds.
	Schema int32
	// ZeroThreshold is the width of the zero bucket: it counts |x| <= it.
	ZeroThreshold float64
	ZeroCount     float64
	Count         float64
	Sum           float64
	// Positive and Negative are the buckets above and below zero. With
	// CustomBounds there is only Positive, which has no spans and
	// len(Bounds)+1 counts.
	Positive, Negative Buckets
	// Bounds are the upper bounds (le) of a classic histogram's buckets,
	// increasing, without +Inf.
	Bounds []float64
}

// CustomBounds is the Schema of a histogram with classic bounds.
const CustomBounds = -53

// Buckets are the counts of a run of buckets. Each count is that of its bucket
// alone: neither cumulative nor a difference from the bucket before.
type Buckets struct {
	Spans  []Span
	Counts []float64 // one for each bucket that the spans cover
}

// Span is a run of adjacent buckets.
type Span struct {
	Offset int32  // from the end of the span before; the first from bucket 0
	Length uint32 // in buckets
}

// Each calls f with the index and the count of each bucket, in order.
func (b Buckets) Each(f func(index int32, count float64)) {
	index, n := int32(0), 0
	for _, s := range b.Spans {
		index += s.Offset
		for range s.Length {
			if n == len(b.Counts) {
				return
			}
			f(index, b.Counts[n])
			index++
			n++
		}
	}
}

// Clone returns a copy that shares nothing that changes: bounds are shared.
func (h *Histogram) Clone() *Histogram {
	if h == nil {
		return nil
	}
	c := *h
	c.Positive, c.Negative = h.Positive.clone(), h.Negative.clone()
	return &c
}

func (b Buckets) clone() Buckets {
	return Buckets{Spans: slices.Clone(b.Spans), Counts: slices.Clone(b.Counts)}
}
