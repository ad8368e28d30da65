package tsdb_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"narthex"
	"narthex/tsdb"
)

func exponential(scale float64) *narthex.Histogram {
	return &narthex.Histogram{
		Schema: 1, ZeroThreshold: 0.001, ZeroCount: scale, Count: 9 * scale, Sum: 12.5,
		Positive: narthex.Buckets{Spans: []narthex.Span{{Offset: 0, Length: 2}, {Offset: 1, Length: 1}}, Counts: []float64{1 * scale, 3 * scale, 2 * scale}},
		Negative: narthex.Buckets{Spans: []narthex.Span{{Offset: -1, Length: 1}}, Counts: []float64{2 * scale}},
	}
}

func custom() *narthex.Histogram {
	return &narthex.Histogram{
		Schema: narthex.CustomBounds, Count: 7, Sum: 3, Bounds: []float64{0.1, 1},
		Positive: narthex.Buckets{Counts: []float64{4, 2, 1}},
	}
}

func histograms(typ narthex.Type, at int64, h ...*narthex.Histogram) narthex.Series {
	s := narthex.Series{Labels: name("h"), Type: typ}
	for i, x := range h {
		s.Samples = append(s.Samples, narthex.Sample{Time: t0 + at + int64(i), Histogram: x})
	}
	return s
}

// read returns the stored histograms in PromQL's notation.
func read(t *testing.T, db *tsdb.DB) (out []string) {
	t.Helper()
	each(t, db, func(_ labels.Labels, it chunkenc.Iterator, typ chunkenc.ValueType) {
		_, fh := it.AtFloatHistogram(nil)
		kind := "float "
		if typ == chunkenc.ValHistogram {
			kind = "int "
		}
		out = append(out, kind+fh.TestExpression())
	})
	return out
}

func TestHistograms(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	push(t, db, histograms(narthex.TypeHistogram, 0, exponential(1)))
	push(t, db, histograms(narthex.TypeHistogram, 1, exponential(0.5)))
	push(t, db, histograms(narthex.TypeHistogram, 2, custom()))
	push(t, db, histograms(narthex.TypeGaugeHistogram, 3, exponential(2)))
	// Another value and the same one again, the newest and an older one.
	for at, h := range []*narthex.Histogram{exponential(1), exponential(0.5), custom(), exponential(2)} {
		if got := push(t, db, histograms(narthex.TypeHistogram, int64(at), h)); got != nil {
			t.Errorf("the same again at %d: %q", at, got)
		}
		got := push(t, db, histograms(narthex.TypeHistogram, int64(at), exponential(3)))
		if len(got) != 1 || !strings.Contains(got[0], "the push says a histogram (count 27, sum 12.5)") {
			t.Errorf("another one at %d: %q", at, got)
		}
		if got := push(t, db, floats(name("h"), float64(at), 1)); len(got) != 1 || !strings.Contains(got[0], "there is a histogram") {
			t.Errorf("a float at %d: %q", at, got)
		}
	}
	want := []string{
		"int {{schema:1 count:9 sum:12.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 3 0 2] n_offset:-1 n_buckets:[2]}}",
		"float {{schema:1 count:4.5 sum:12.5 z_bucket:0.5 z_bucket_w:0.001 buckets:[0.5 1.5 0 1] n_offset:-1 n_buckets:[1]}}",
		"int {{schema:-53 count:7 sum:3 custom_values:[0.1 1] buckets:[4 2 1]}}",
		"int {{schema:1 count:18 sum:12.5 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[2 6 0 4] n_offset:-1 n_buckets:[4]}}",
	}
	if d := cmp.Diff(want, read(t, db)); d != "" {
		t.Error(d)
	}
}

// A chunk widens its histograms to each other's buckets; the same histogram
// again is still the same.
func TestHistogramAgainAfterWidening(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	wide := exponential(2)
	wide.Positive.Spans[1].Length = 4
	wide.Positive.Counts = append(wide.Positive.Counts, 1, 0, 1)
	wide.Count += 2
	push(t, db, histograms(narthex.TypeHistogram, 0, exponential(1), wide))
	if got := push(t, db, histograms(narthex.TypeHistogram, 0, exponential(1))); got != nil {
		t.Error(got)
	}
}

func TestBadHistograms(t *testing.T) {
	mend := func(f func(*narthex.Histogram)) *narthex.Histogram {
		h := exponential(1)
		f(h)
		return h
	}
	rows := map[string]*narthex.Histogram{
		"found in buckets":   mend(func(h *narthex.Histogram) { h.Count = 5 }),
		"spans":              mend(func(h *narthex.Histogram) { h.Positive.Counts = h.Positive.Counts[:1] }),
		"negative":           mend(func(h *narthex.Histogram) { h.Positive.Counts[0] = -1 }),
		"schema":             mend(func(h *narthex.Histogram) { h.Schema = 99 }),
		"not valid":          mend(func(h *narthex.Histogram) { h.Count = math.NaN() }),
		"increasing":         {Schema: narthex.CustomBounds, Bounds: []float64{2, 1}, Count: 1, Positive: narthex.Buckets{Counts: []float64{1, 0, 0}}},
		"bounds are too few": {Schema: narthex.CustomBounds, Bounds: []float64{1}, Count: 1, Positive: narthex.Buckets{Counts: []float64{1, 0, 0}}},
	}
	for want, bad := range rows {
		t.Run(want, func(t *testing.T) {
			db := open(t, t.TempDir(), options(0))
			got := push(t, db, histograms(narthex.TypeHistogram, 0, exponential(1), bad, exponential(2)))
			if len(got) != 1 || !strings.Contains(got[0], want) {
				t.Errorf("refused %q", got)
			}
			if n := len(read(t, db)); n != 2 {
				t.Errorf("%d are stored", n)
			}
		})
	}
}

// The end of a histogram series is a float in the batch and a histogram in the
// store.
func TestStaleHistogram(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	stale := math.Float64frombits(value.StaleNaN)
	for range 2 {
		s := histograms(narthex.TypeHistogram, 0, exponential(1))
		s.Samples = append(s.Samples, narthex.Sample{Time: t0 + 1, Value: stale})
		if got := push(t, db, s); got != nil {
			t.Error(got)
		}
	}
	var last *histogram.FloatHistogram
	each(t, db, func(_ labels.Labels, it chunkenc.Iterator, _ chunkenc.ValueType) { _, last = it.AtFloatHistogram(nil) })
	if !value.IsStaleNaN(last.Sum) {
		t.Errorf("the series ends with %v", last)
	}
}
