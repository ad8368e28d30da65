package protowire

import (
	"math"

	"narthex"
)

// Side is one side of a native histogram as it stands in a message.
type Side struct {
	Spans  []narthex.Span
	Deltas []int64
	Counts []float64
}

// Reset returns an empty side with the same room.
func (s Side) Reset() Side {
	return Side{s.Spans[:0], s.Deltas[:0], s.Counts[:0]}
}

// Read reads a span (0), a delta (1) or a count (2).
func (s *Side) Read(f Field, which uint32, err *error) {
	switch which {
	case 1:
		f.Deltas(&s.Deltas, err)
	case 2:
		f.Floats(&s.Counts, err)
	default:
		s.Spans = append(s.Spans, readSpan(f.Message(err), err))
	}
}

func readSpan(m Message, err *error) narthex.Span {
	var offset, length uint64
	for f := (Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&offset, err)
		case 2:
			f.Uint(&length, err)
		}
	}
	o := Zigzag(offset)
	if *err == nil && (o != int64(int32(o)) || length > math.MaxInt32) {
		*err = narthex.Errorf(narthex.Invalid, "a span of %d buckets at offset %d is out of range", length, o)
	}
	return narthex.Span{Offset: int32(o), Length: uint32(length)}
}

// CheckTotal checks that the buckets of integers add up to the count; NaNs
// are observed in none, and make the sum NaN.
func CheckTotal(h *narthex.Histogram) error {
	total := h.ZeroCount
	for _, c := range h.Positive.Counts {
		total += c
	}
	for _, c := range h.Negative.Counts {
		total += c
	}
	if total > h.Count || total < h.Count && !math.IsNaN(h.Sum) {
		return narthex.Errorf(narthex.Invalid, "it counts %v, and its buckets %v", h.Count, total)
	}
	return nil
}

// Buckets checks one side and returns it with absolute counts and without
// empty spans.
func (s *Side) Buckets(integer bool) (narthex.Buckets, error) {
	n := len(s.Counts)
	if integer {
		n = len(s.Deltas)
	}
	var out narthex.Buckets
	var err error
	if out.Spans, err = checkSpans(s.Spans, n); err != nil || n == 0 {
		return narthex.Buckets{}, err
	}
	out.Counts = make([]float64, n)
	sum := int64(0)
	for i := range out.Counts {
		if integer {
			sum += s.Deltas[i]
			out.Counts[i] = float64(sum)
		} else {
			out.Counts[i] = s.Counts[i]
		}
		if !IsCount(out.Counts[i]) {
			return out, narthex.Errorf(narthex.Invalid, "a bucket counts %v, which is not a count", out.Counts[i])
		}
	}
	return out, nil
}

// checkSpans returns the spans of n buckets without those that cover nothing.
func checkSpans(spans []narthex.Span, n int) ([]narthex.Span, error) {
	var out []narthex.Span
	gap, index, covered := int64(0), int64(0), 0
	for i, span := range spans {
		if i > 0 && span.Offset < 0 {
			return nil, narthex.Errorf(narthex.Invalid, "a span overlaps the one before")
		}
		gap += int64(span.Offset)
		index += int64(span.Offset) + int64(span.Length)
		covered += int(span.Length)
		if index != int64(int32(index)) || gap != int64(int32(gap)) {
			return nil, narthex.Errorf(narthex.Invalid, "a span is out of range")
		}
		if span.Length > 0 {
			out = append(out, narthex.Span{Offset: int32(gap), Length: span.Length})
			gap = 0
		}
	}
	if covered != n {
		return nil, narthex.Errorf(narthex.Invalid, "its spans cover %d buckets, and there are %d", covered, n)
	}
	return out, nil
}

// IsCount reports whether f can be a number of observations.
func IsCount(f float64) bool { return f >= 0 && f <= math.MaxFloat64 }

// WholeCounts reports whether all counts of h are whole numbers.
func WholeCounts(h *narthex.Histogram) bool {
	ok := Whole(h.Count) && Whole(h.ZeroCount)
	for _, counts := range [][]float64{h.Positive.Counts, h.Negative.Counts} {
		for _, c := range counts {
			ok = ok && Whole(c)
		}
	}
	return ok
}

// AppendSide appends the spans (field num) and the counts (num+1 as
// differences of whole numbers, num+2 as floats) of one side.
func AppendSide(dst []byte, num int, b narthex.Buckets, integer bool) []byte {
	for _, s := range b.Spans {
		dst = AppendTag(dst, num, Bytes)
		start := len(dst)
		dst = AppendLength(AppendUint(AppendSint(dst, 1, int64(s.Offset)), 2, uint64(s.Length)), start)
	}
	last := int64(0)
	for _, c := range b.Counts {
		if !integer {
			dst = AppendDouble(dst, num+2, c)
			continue
		}
		dst = AppendSint(dst, num+1, int64(c)-last)
		last = int64(c)
	}
	return dst
}

// Whole reports whether f is a count that a uint64 holds, and an int64 too.
func Whole(f float64) bool { return f >= 0 && f < 1<<63 && f == math.Trunc(f) }
