package otlp

import (
	"fmt"

	"narthex"
)

const (
	minSchema, maxSchema = -4, 8 // that Prometheus's native histograms have
	// zeroThreshold is what Prometheus takes for all exponential histograms.
	zeroThreshold = 1e-128
	// farOut bounds a bucket's index: at the finest schema 2^±1024 is bucket
	// ±2^18.
	farOut = 1 << 20
)

// exponential adds an exponential histogram as a native one.
func (t *translator) exponential(p *Point, base narthex.Labels) error {
	d := p.Dist
	if d.Scale < minSchema {
		return fmt.Errorf("its scale is %d, but native histograms begin at %d: let the SDK use more buckets", d.Scale, minSchema)
	}
	shift := max(0, int64(d.Scale)-maxSchema)
	h := &narthex.Histogram{
		Schema: min(d.Scale, maxSchema), ZeroThreshold: zeroThreshold,
		ZeroCount: float64(d.Zero), Count: float64(d.Count),
	}
	if d.HasSum {
		h.Sum = d.Sum
	}
	if p.NoValue {
		h.ZeroCount, h.Count, h.Sum = 0, 0, narthex.StaleMarker()
		return t.histogram(p, base, h)
	}
	var err error
	if h.Positive, err = d.Positive.buckets(shift); err == nil {
		h.Negative, err = d.Negative.buckets(shift)
	}
	if err != nil {
		return err
	}
	return t.histogram(p, base, h)
}

// buckets returns the buckets that have counts, 2^shift of them merged into one.
// A bucket's index is that of its upper bound, where OpenTelemetry has the
// lower's.
func (r Run) buckets(shift int64) (b narthex.Buckets, err error) {
	shift = min(shift, 62)
	end, last := int64(0), int64(0) // the index after the last span, and of the last bucket
	for i, n := range r.Counts {
		if n == 0 {
			continue
		}
		index := (int64(r.Offset)+int64(i))>>shift + 1
		if index < -farOut || index > farOut {
			return narthex.Buckets{}, fmt.Errorf("its bucket %d is beyond any number", index)
		}
		switch spans := len(b.Spans); {
		case spans > 0 && index == last:
			b.Counts[len(b.Counts)-1] += float64(n)
			continue
		case spans > 0 && index == end:
			b.Spans[spans-1].Length++
		default:
			b.Spans = append(b.Spans, narthex.Span{Offset: int32(index - end), Length: 1})
		}
		b.Counts = append(b.Counts, float64(n))
		end, last = index+1, index
	}
	return b, nil
}
