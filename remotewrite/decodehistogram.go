package remotewrite

import (
	"fmt"
	"math"

	"narthex"
	"narthex/internal/protowire"
)

// protoHistogram is a Histogram message as it stands. The versions have it
// alike, but for the start.
type protoHistogram struct {
	count, zero        float64
	sum, width         float64
	integer            bool // count is
	zeroInteger        bool // zero is
	schema             int64
	positive, negative protowire.Side
	bounds             []float64
	gauge              bool
	time, start        int64
}

// maxSchema is the finest resolution there is. The specification keeps those up
// to 52 for later; they are read as the finest.
const (
	maxSchema      = 8
	minSchema      = -4
	reservedSchema = 52
)

// histogram reads a Histogram message.
func (d *decoder) histogram(m protowire.Message, v Version, err *error) {
	d.value(&d.out.Offered.Histograms, err)
	h := protoHistogram{integer: true, zeroInteger: true}
	var n uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&n, err)
			h.count, h.integer = float64(n), true
		case 2:
			f.Float(&h.count, err)
			h.integer = false
		case 3:
			f.Float(&h.sum, err)
		case 4:
			f.Uint(&n, err)
			h.schema = protowire.Zigzag(n)
		case 5:
			f.Float(&h.width, err)
		case 6:
			f.Uint(&n, err)
			h.zero, h.zeroInteger = float64(n), true
		case 7:
			f.Float(&h.zero, err)
			h.zeroInteger = false
		case 8, 9, 10:
			h.negative.Read(f, f.Num-8, err)
		case 11, 12, 13:
			h.positive.Read(f, f.Num-11, err)
		case 14:
			f.Uint(&n, err)
			h.gauge = n == 3
		case 15:
			f.Uint(&n, err)
			h.time = int64(n)
		case 16:
			f.Floats(&h.bounds, err)
		case 17:
			if v == V2 {
				f.Uint(&n, err)
				h.start = int64(n)
			}
		}
	}
	d.histograms = append(d.histograms, h)
}

// histogram returns what the message says, checked.
func (h *protoHistogram) histogram() (*narthex.Histogram, error) {
	out := &narthex.Histogram{Schema: int32(h.schema), ZeroThreshold: h.width, ZeroCount: h.zero, Count: h.count, Sum: h.sum}
	if !protowire.IsCount(h.count) || !protowire.IsCount(h.zero) {
		return nil, fmt.Errorf("it counts %v, and %v in its zero bucket, which are not counts", h.count, h.zero)
	}
	if !(h.width >= 0) || math.IsInf(h.width, 0) {
		return nil, fmt.Errorf("its zero bucket cannot be %v wide", h.width)
	}
	if h.zero != 0 && h.zeroInteger != h.integer {
		return nil, fmt.Errorf("it mixes whole counts and fractions")
	}
	var err error
	if out.Positive, err = h.positive.Buckets(h.integer); err != nil {
		return nil, err
	}
	if out.Negative, err = h.negative.Buckets(h.integer); err != nil {
		return nil, err
	}
	switch {
	case h.schema == narthex.CustomBounds:
		err = h.custom(out)
	case h.schema < minSchema || h.schema > reservedSchema:
		err = fmt.Errorf("schema %d is neither one of %d to %d nor %d", h.schema, minSchema, maxSchema, narthex.CustomBounds)
	case len(h.bounds) > 0:
		err = fmt.Errorf("it has bounds of its own and schema %d, which has none", h.schema)
	case h.schema > maxSchema:
		reduce(out)
	}
	if err == nil && h.integer {
		err = protowire.CheckTotal(out)
	}
	return out, err
}

// custom gives out the bounds, and a count for each bucket, also for those that
// the spans leave out.
func (h *protoHistogram) custom(out *narthex.Histogram) error {
	if len(out.Negative.Counts) > 0 || out.ZeroCount != 0 || out.ZeroThreshold != 0 {
		return fmt.Errorf("with bounds of its own it has neither a zero bucket nor negative ones")
	}
	for i, b := range h.bounds {
		if math.IsNaN(b) || math.IsInf(b, 0) || i > 0 && b <= h.bounds[i-1] {
			return fmt.Errorf("bound %v is not a number above the one before", b)
		}
	}
	counts := make([]float64, len(h.bounds)+1)
	ok := true
	out.Positive.Each(func(i int32, n float64) {
		if i < 0 || int(i) >= len(counts) {
			ok = false
			return
		}
		counts[i] = n
	})
	if !ok {
		return fmt.Errorf("it has a bucket beyond its %d bounds", len(h.bounds))
	}
	out.Bounds, out.Positive = h.bounds, narthex.Buckets{Counts: counts}
	return nil
}

// reduce makes the resolution the finest there is: a bucket of it holds
// 2^(schema-maxSchema) whole ones.
func reduce(h *narthex.Histogram) {
	shift := h.Schema - maxSchema
	for _, b := range []*narthex.Buckets{&h.Positive, &h.Negative} {
		counts := make(map[int32]float64, len(b.Counts))
		b.Each(func(i int32, n float64) { counts[int32((int64(i)-1)>>shift+1)] += n })
		*b = narthex.NewBuckets(counts)
	}
	h.Schema = maxSchema
}
