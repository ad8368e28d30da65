package tsdb

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"

	"narthex"
)

// toInteger returns h with integer counts, which the TSDB stores in less
// space, or nil if a count isn't a whole number.
func toInteger(h *narthex.Histogram) *histogram.Histogram {
	if !whole(h.Count) || !whole(h.ZeroCount) {
		return nil
	}
	pos, ok := deltas(h.Positive.Counts)
	neg, okNeg := deltas(h.Negative.Counts)
	if !ok || !okNeg {
		return nil
	}
	return &histogram.Histogram{
		Schema:          h.Schema,
		ZeroThreshold:   h.ZeroThreshold,
		ZeroCount:       uint64(h.ZeroCount),
		Count:           uint64(h.Count),
		Sum:             h.Sum,
		PositiveSpans:   positiveSpans(h),
		NegativeSpans:   spans(h.Negative.Spans),
		PositiveBuckets: pos,
		NegativeBuckets: neg,
		CustomValues:    slices.Clone(h.Bounds),
	}
}

// toFloat returns h with float counts. It shares no memory with h, because the
// TSDB keeps what it is given.
func toFloat(h *narthex.Histogram) *histogram.FloatHistogram {
	return &histogram.FloatHistogram{
		Schema:          h.Schema,
		ZeroThreshold:   h.ZeroThreshold,
		ZeroCount:       h.ZeroCount,
		Count:           h.Count,
		Sum:             h.Sum,
		PositiveSpans:   positiveSpans(h),
		NegativeSpans:   spans(h.Negative.Spans),
		PositiveBuckets: slices.Clone(h.Positive.Counts),
		NegativeBuckets: slices.Clone(h.Negative.Counts),
		CustomValues:    slices.Clone(h.Bounds),
	}
}

// positiveSpans gives a histogram with bounds of its own the one span that it
// leaves out: all its buckets.
func positiveSpans(h *narthex.Histogram) []histogram.Span {
	if h.Schema == narthex.CustomBounds && len(h.Positive.Spans) == 0 && len(h.Positive.Counts) > 0 {
		return []histogram.Span{{Length: uint32(len(h.Positive.Counts))}}
	}
	return spans(h.Positive.Spans)
}

func spans(in []narthex.Span) []histogram.Span {
	if len(in) == 0 {
		return nil
	}
	out := make([]histogram.Span, len(in))
	for i, s := range in {
		out[i] = histogram.Span{Offset: s.Offset, Length: s.Length}
	}
	return out
}

// finite reports whether all counts are numbers; the TSDB's own check lets NaN
// pass.
func finite(h *narthex.Histogram) bool {
	for _, counts := range [][]float64{{h.Count, h.ZeroCount}, h.Positive.Counts, h.Negative.Counts} {
		for _, c := range counts {
			if math.IsNaN(c) || math.IsInf(c, 0) {
				return false
			}
		}
	}
	return true
}

// whole reports whether f is a count that a float64 and an integer hold alike.
func whole(f float64) bool { return f >= 0 && f <= 1<<53 && f == math.Trunc(f) }

// deltas turns each bucket's own count into the difference from the bucket
// before it, which is how the TSDB wants integer counts.
func deltas(counts []float64) ([]int64, bool) {
	if len(counts) == 0 {
		return nil, true
	}
	out := make([]int64, len(counts))
	prev := int64(0)
	for i, c := range counts {
		if !whole(c) {
			return nil, false
		}
		out[i], prev = int64(c)-prev, int64(c)
	}
	return out, true
}
