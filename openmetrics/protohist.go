package openmetrics

import (
	"math"
	"slices"

	"narthex"
	"narthex/internal/protowire"
)

// protoHistogram is a Histogram message as it stands.
type protoHistogram struct {
	count, zeroCount           uint64
	countFloat, zeroCountFloat float64
	sum, zeroThreshold         float64
	schema                     int32
	buckets                    []protoBucket
	negative, positive         protowire.Side
	exemplars                  []narthex.Exemplar
	start                      int64
}

// protoBucket is a Bucket message.
type protoBucket struct {
	count             uint64
	countFloat, bound float64
	exemplars         []narthex.Exemplar // none or one
}

func (h *protoHistogram) reset() {
	*h = protoHistogram{buckets: h.buckets[:0], negative: h.negative.Reset(), positive: h.positive.Reset(), exemplars: h.exemplars[:0]}
}

func (pm *protoMetric) readHistogram(m protowire.Message, err *error) {
	pm.has |= 1 << protoHistogramType
	h := &pm.hist
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&h.count, err)
		case 2:
			f.Float(&h.sum, err)
		case 3:
			h.readBucket(f.Message(err), err)
		case 4:
			f.Float(&h.countFloat, err)
		case 5:
			var n uint64
			f.Uint(&n, err)
			h.schema = int32(max(min(protowire.Zigzag(n), 99), -99))
		case 6:
			f.Float(&h.zeroThreshold, err)
		case 7:
			f.Uint(&h.zeroCount, err)
		case 8:
			f.Float(&h.zeroCountFloat, err)
		case 9, 10, 11:
			h.negative.Read(f, f.Num-9, err)
		case 12, 13, 14:
			h.positive.Read(f, f.Num-12, err)
		case 15:
			h.start = readTimestamp(f.Message(err), err)
		case 16:
			h.exemplars = readExemplar(h.exemplars, f.Message(err), err)
		}
	}
}

func (h *protoHistogram) readBucket(m protowire.Message, err *error) {
	var b protoBucket
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&b.count, err)
		case 2:
			f.Float(&b.bound, err)
		case 3:
			b.exemplars = readExemplar(b.exemplars[:0], f.Message(err), err)
		case 4:
			f.Float(&b.countFloat, err)
		}
	}
	h.buckets = append(h.buckets, b)
}

// native reports whether the message has a native histogram.
func (h *protoHistogram) native() bool {
	return len(h.positive.Spans) > 0 || len(h.negative.Spans) > 0 || h.zeroThreshold > 0 || h.zeroCount > 0
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
	if !protowire.IsCount(out.ZeroCount) {
		return nil, narthex.Errorf(narthex.Invalid, "its zero bucket counts %v, which is not a count", out.ZeroCount)
	}
	var err error
	if out.Positive, err = h.positive.Buckets(integer); err != nil {
		return nil, err
	}
	if out.Negative, err = h.negative.Buckets(integer); err != nil {
		return nil, err
	}
	if integer {
		return out, protowire.CheckTotal(out)
	}
	return out, nil
}
