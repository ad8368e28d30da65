package openmetrics

import (
	"math"
	"slices"

	"narthex"
)

// protoHistogram is a Histogram message as it stands.
type protoHistogram struct {
	count, zeroCount           uint64
	countFloat, zeroCountFloat float64
	sum, zeroThreshold         float64
	schema                     int32
	buckets                    []protoBucket
	negative, positive         protoSide
	exemplars                  []narthex.Exemplar
	start                      int64
}

// protoBucket is a Bucket message.
type protoBucket struct {
	count             uint64
	countFloat, bound float64
	exemplars         []narthex.Exemplar // none or one
}

// protoSide is one side of a native histogram.
type protoSide struct {
	spans  []narthex.Span
	deltas []int64
	counts []float64
}

func (h *protoHistogram) reset() {
	*h = protoHistogram{buckets: h.buckets[:0], negative: h.negative.reset(), positive: h.positive.reset(), exemplars: h.exemplars[:0]}
}

func (s protoSide) reset() protoSide {
	return protoSide{s.spans[:0], s.deltas[:0], s.counts[:0]}
}

func (pm *protoMetric) readHistogram(m message, err *error) {
	pm.has |= 1 << protoHistogramType
	h := &pm.hist
	for f := (field{}); m.next(&f, err); {
		switch f.num {
		case 1:
			f.uint(&h.count, err)
		case 2:
			f.float(&h.sum, err)
		case 3:
			h.readBucket(f.message(err), err)
		case 4:
			f.float(&h.countFloat, err)
		case 5:
			var n uint64
			f.uint(&n, err)
			h.schema = int32(max(min(zigzag(n), 99), -99))
		case 6:
			f.float(&h.zeroThreshold, err)
		case 7:
			f.uint(&h.zeroCount, err)
		case 8:
			f.float(&h.zeroCountFloat, err)
		case 9, 10, 11:
			h.negative.read(f, f.num-9, err)
		case 12, 13, 14:
			h.positive.read(f, f.num-12, err)
		case 15:
			h.start = readTimestamp(f.message(err), err)
		case 16:
			h.exemplars = readExemplar(h.exemplars, f.message(err), err)
		}
	}
}

func (h *protoHistogram) readBucket(m message, err *error) {
	var b protoBucket
	for f := (field{}); m.next(&f, err); {
		switch f.num {
		case 1:
			f.uint(&b.count, err)
		case 2:
			f.float(&b.bound, err)
		case 3:
			b.exemplars = readExemplar(b.exemplars[:0], f.message(err), err)
		case 4:
			f.float(&b.countFloat, err)
		}
	}
	h.buckets = append(h.buckets, b)
}

// read reads a span (0), a delta (1) or a count (2).
func (s *protoSide) read(f field, which uint32, err *error) {
	switch which {
	case 1:
		f.deltas(&s.deltas, err)
	case 2:
		f.floats(&s.counts, err)
	default:
		s.spans = append(s.spans, readSpan(f.message(err), err))
	}
}

func readSpan(m message, err *error) narthex.Span {
	var offset, length uint64
	for f := (field{}); m.next(&f, err); {
		switch f.num {
		case 1:
			f.uint(&offset, err)
		case 2:
			f.uint(&length, err)
		}
	}
	o := zigzag(offset)
	if *err == nil && (o != int64(int32(o)) || length > math.MaxInt32) {
		*err = narthex.Errorf(narthex.Invalid, "a span of %d buckets at offset %d is out of range", length, o)
	}
	return narthex.Span{Offset: int32(o), Length: uint32(length)}
}

// native reports whether the message has a native histogram.
func (h *protoHistogram) native() bool {
	return len(h.positive.spans) > 0 || len(h.negative.spans) > 0 || h.zeroThreshold > 0 || h.zeroCount > 0
}

// either returns the float, which overrides the integer if it is there.
func either(n uint64, f float64) float64 {
	if f != 0 {
		return f
	}
	return float64(n)
}

func (p *protoParser) putHistogram(metric int) error {
	h := &p.m.hist
	m := &p.families[p.cur].Metrics[metric]
	for _, b := range h.buckets {
		if err := p.bucket(metric, b.bound, either(b.count, b.countFloat)); err != nil {
			return err
		}
		for _, e := range b.exemplars {
			if !within(e.Value, b.bound) {
				return narthex.Errorf(narthex.Invalid, `%s: bucket le="%s" has an exemplar of value %v, which is not in it`, p.describe(metric), narthex.FormatBound(b.bound), e.Value)
			}
			m.Exemplars = append(m.Exemplars, e)
		}
	}
	if err := p.count(metric, either(h.count, h.countFloat)); err != nil {
		return err
	}
	if err := p.sum(metric, h.sum); err != nil {
		return err
	}
	if !h.native() {
		return nil
	}
	n, err := h.toNative()
	if err != nil {
		return narthex.Errorf(narthex.Invalid, "%s: %w", p.describe(metric), err)
	}
	if len(h.exemplars) > 0 {
		m.Exemplars = slices.Clone(h.exemplars)
	}
	p.open[metric].native = n
	return nil
}

// toNative returns the native histogram, checked.
func (h *protoHistogram) toNative() (*narthex.Histogram, error) {
	if h.schema < -4 || h.schema > 8 {
		return nil, narthex.Errorf(narthex.Invalid, "schema %d is not one of -4 to 8", h.schema)
	}
	if !(h.zeroThreshold >= 0) || math.IsInf(h.zeroThreshold, 0) {
		return nil, narthex.Errorf(narthex.Invalid, "its zero bucket cannot be %v wide", h.zeroThreshold)
	}
	integer := h.countFloat == 0 && h.zeroCountFloat == 0
	if !integer && (h.count > 0 && h.countFloat == 0 || h.zeroCount > 0 && h.zeroCountFloat == 0) {
		return nil, narthex.Errorf(narthex.Invalid, "it mixes whole counts and fractions")
	}
	out := &narthex.Histogram{
		Schema: h.schema, ZeroThreshold: h.zeroThreshold, Sum: h.sum,
		Count: either(h.count, h.countFloat), ZeroCount: either(h.zeroCount, h.zeroCountFloat),
	}
	if !isCount(out.ZeroCount) {
		return nil, narthex.Errorf(narthex.Invalid, "its zero bucket counts %v, which is not a count", out.ZeroCount)
	}
	var err error
	if out.Positive, err = h.positive.toBuckets(integer); err != nil {
		return nil, err
	}
	if out.Negative, err = h.negative.toBuckets(integer); err != nil {
		return nil, err
	}
	if integer {
		return out, checkTotal(out)
	}
	return out, nil
}

// checkTotal checks that the buckets of integers add up to the count; NaNs
// are observed in none, and make the sum NaN.
func checkTotal(h *narthex.Histogram) error {
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

// toBuckets checks one side and returns it with absolute counts and without
// empty spans.
func (s *protoSide) toBuckets(integer bool) (narthex.Buckets, error) {
	n := len(s.counts)
	if integer {
		n = len(s.deltas)
	}
	var out narthex.Buckets
	var err error
	if out.Spans, err = checkSpans(s.spans, n); err != nil || n == 0 {
		return narthex.Buckets{}, err
	}
	out.Counts = make([]float64, n)
	sum := int64(0)
	for i := range out.Counts {
		if integer {
			sum += s.deltas[i]
			out.Counts[i] = float64(sum)
		} else {
			out.Counts[i] = s.counts[i]
		}
		if !isCount(out.Counts[i]) {
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
