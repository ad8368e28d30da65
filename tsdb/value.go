package tsdb

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
	promvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"narthex"
)

// value is what a sample holds: a histogram (one of h and fh), or f.
type value struct {
	f  float64
	h  *histogram.Histogram
	fh *histogram.FloatHistogram
}

// valueOf converts a sample of a metric of type typ, and returns an error if its
// histogram contradicts itself.
func valueOf(s *narthex.Sample, typ narthex.Type) (value, error) {
	if s.Histogram == nil {
		return value{f: s.Value}, nil
	}
	hint := histogram.UnknownCounterReset
	if typ == narthex.TypeGaugeHistogram {
		hint = histogram.GaugeType
	}
	if !finite(s.Histogram) {
		return value{}, errors.New("a count isn't a finite number")
	}
	if h := toInteger(s.Histogram); h != nil {
		h.CounterResetHint = hint
		return value{h: h}, h.Validate()
	}
	fh := toFloat(s.Histogram)
	fh.CounterResetHint = hint
	return value{fh: fh}, fh.Validate()
}

// valueAt reads the sample at which it stands.
func valueAt(it chunkenc.Iterator, typ chunkenc.ValueType) value {
	switch typ {
	case chunkenc.ValHistogram:
		_, h := it.AtHistogram(nil)
		return value{h: h}
	case chunkenc.ValFloatHistogram:
		_, fh := it.AtFloatHistogram(nil)
		return value{fh: fh}
	default:
		_, f := it.At()
		return value{f: f}
	}
}

// float returns the histogram with float counts, nil if v isn't a histogram.
func (v value) float() *histogram.FloatHistogram {
	if v.h != nil {
		return v.h.ToFloat(nil)
	}
	return v.fh
}

// stale reports whether v is a stale marker; the TSDB turns that of a histogram
// series into a histogram whose sum is the marker.
func (v value) stale() bool {
	if fh := v.float(); fh != nil {
		return promvalue.IsStaleNaN(fh.Sum)
	}
	return promvalue.IsStaleNaN(v.f)
}

// same reports whether storing w over v would change nothing for a reader. Empty
// buckets don't count: a chunk gives its histograms each other's buckets.
func (v value) same(w value) bool {
	if v.stale() || w.stale() {
		return v.stale() && w.stale()
	}
	a, b := v.float(), w.float()
	if a == nil && b == nil {
		return v.f == w.f || math.IsNaN(v.f) && math.IsNaN(w.f)
	}
	return a != nil && b != nil && a.Copy().Compact(0).Equals(b.Copy().Compact(0))
}

// String tells the value in a rejection.
func (v value) String() string {
	if v.stale() {
		return "a stale marker"
	}
	if fh := v.float(); fh != nil {
		return fmt.Sprintf("a histogram (count %s, sum %s)", num(fh.Count), num(fh.Sum))
	}
	return num(v.f)
}

func num(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
