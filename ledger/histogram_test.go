package ledger_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"

	"narthex"
	"narthex/ledger"
)

func observe(t testing.TB, name, layout string, values ...float64) narthex.Series {
	t.Helper()
	l, err := narthex.ParseLayout(layout)
	if err != nil {
		t.Fatal(err)
	}
	return narthex.Series{
		Labels: labels(t, name), Type: narthex.TypeHistogram, As: narthex.AsDelta,
		Samples: []narthex.Sample{{Histogram: l.Histogram(values)}},
	}
}

// A classic histogram lives as its counters do: all of them are born at zero,
// move together, and wake from their old values.
func TestClassicHistogram(t *testing.T) {
	p := ledger.Policy{Interval: 10 * time.Second, Settle: 10 * time.Second, Heartbeat: time.Minute, Idle: 2 * time.Minute}
	s := ledger.NewState()
	at := epoch.UnixMilli()
	tick := func() string {
		at += 10 * sec
		return text(tickOf(s, at, p))
	}
	fold(t, s, p, epoch, 1, observe(t, "lat", "1, 2.5", 0.5, 1, 2, 9))
	got := tick()
	fold(t, s, p, epoch, 2, observe(t, "lat", "1, 2.5", 2))
	fold(t, s, p, epoch, 3, observe(t, "lat", "1, 2.5", 1))
	got += tick() + tick() + tick() + tick()
	fold(t, s, p, epoch, 4, observe(t, "lat", "1, 2.5", 7))
	got += tick()
	const want = `0 lat_bucket{le="1.0"} 0
0 lat_bucket{le="2.5"} 0
0 lat_bucket{le="+Inf"} 0
0 lat_count 0
0 lat_sum 0
10 lat_bucket{le="1.0"} 2
10 lat_bucket{le="2.5"} 3
10 lat_bucket{le="+Inf"} 4
10 lat_count 4
10 lat_sum 12.5
20 lat_bucket{le="1.0"} 3
20 lat_bucket{le="2.5"} 5
20 lat_bucket{le="+Inf"} 6
20 lat_count 6
20 lat_sum 15.5
30 lat_bucket{le="1.0"} 3
30 lat_bucket{le="2.5"} 5
30 lat_bucket{le="+Inf"} 6
30 lat_count 6
30 lat_sum 15.5
50 lat_bucket{le="1.0"} 3
50 lat_bucket{le="2.5"} 5
50 lat_bucket{le="+Inf"} 6
50 lat_count 6
50 lat_sum 15.5
60 lat_bucket{le="1.0"} 3
60 lat_bucket{le="2.5"} 5
60 lat_bucket{le="+Inf"} 7
60 lat_count 7
60 lat_sum 22.5
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestHistogramRefusals(t *testing.T) {
	s := ledger.NewState()
	n := 0
	try := func(x narthex.Series) string {
		n++
		out, err := s.Fold(entry(t, fmt.Sprint(n), 0, epoch, x), epoch.UnixMilli(), ledger.Policy{})
		if err != nil {
			return err.Error()
		}
		if len(out.Rejected) > 0 {
			return out.Rejected[0].Reason
		}
		return "ok"
	}
	for _, c := range []struct {
		s    narthex.Series
		want string
	}{
		{delta(t, "taken_count", 1), "ok"},
		{observe(t, "lat", "1, 2", 1), "ok"},
		{observe(t, "lat", "1, 3", 1), "its buckets are [1 3], but the ledger keeps [1 2]"},
		{observe(t, "lat", "native", 1), "it is a native histogram, but the ledger keeps a classic one"},
		{delta(t, "lat", 1), "it is pushed as a counter, but the ledger keeps it as a histogram"},
		{delta(t, "lat_count", 1), "the ledger keeps the histogram lat"},
		{sample(t, "lat_sum", 1, 1), "the ledger keeps the histogram lat"},
		{observe(t, "taken", "1", 1), "the ledger keeps the series taken_count already"},
		{observe(t, "nat", "native", 1), "ok"},
		{observe(t, "nat", "1", 1), "it is a classic histogram, but the ledger keeps a native one"},
	} {
		if got := try(c.s); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v: %s, want %s", c.s.Labels, got, c.want)
		}
	}
	good := observe(t, "bad", "1, 2", 1).Samples[0].Histogram
	for what, h := range map[string]*narthex.Histogram{
		"a negative bucket":      {Schema: narthex.CustomBounds, Bounds: []float64{1}, Positive: narthex.Buckets{Counts: []float64{-1, 2}}, Count: 1},
		"too few buckets":        {Schema: narthex.CustomBounds, Bounds: []float64{1}, Positive: narthex.Buckets{Counts: []float64{1}}, Count: 1},
		"bounds that fall":       {Schema: narthex.CustomBounds, Bounds: []float64{2, 1}, Positive: narthex.Buckets{Counts: []float64{1, 0, 0}}, Count: 1},
		"a count that is not so": {Schema: narthex.CustomBounds, Bounds: good.Bounds, Positive: good.Positive, Count: 5},
		"a sum of NaN":           {Schema: 3, Sum: math.NaN()},
		"an unknown schema":      {Schema: 9},
		"a span without counts":  {Schema: 3, Positive: narthex.Buckets{Spans: []narthex.Span{{Length: 1}}}},
	} {
		x := observe(t, "bad", "1", 1)
		x.Samples[0].Histogram = h
		if _, err := ledger.NewEntry(&narthex.Batch{ID: "x", Received: epoch, Series: []narthex.Series{x}}); narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Merged native histograms are those of Prometheus's own addition, whatever
// their resolutions. With different zero buckets, where Prometheus lets a bucket
// overlap the wider one and the ledger does not, nothing is lost and no step
// looks like a reset.
func TestNativeMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	thresholds := []float64{0, 1e-6, 0.01, 0.3}
	for round := range 400 {
		s := ledger.NewState()
		same := round%2 == 0
		threshold := thresholds[r.IntN(4)]
		var want, was *histogram.FloatHistogram
		for i := range 1 + r.IntN(5) {
			if !same {
				threshold = thresholds[r.IntN(4)]
			}
			h := randomNative(r, threshold)
			x := observe(t, "n", "native")
			x.Samples[0].Histogram = h
			fold(t, s, ledger.Policy{}, epoch, i, x)
			_, v := tickOf(s, epoch.UnixMilli()+int64(i+1)*15*sec, ledger.Policy{})
			got := v[0].Samples[0].Histogram
			if n := len(got.Positive.Counts) + len(got.Negative.Counts); n > 160 {
				t.Errorf("%d buckets", n)
			}
			if now := float(got); was != nil && now.DetectReset(was) {
				t.Fatalf("round %d: a reset from\n%v to\n%v", round, was, now)
			}
			was = float(got)
			if want == nil {
				want = float(h)
			} else if want, _, _, _ = want.Add(float(h)); want == nil {
				t.Fatal("Prometheus can't add them")
			}
		}
		if was.Count != want.Count || math.Abs(was.Sum-want.Sum) > 1e-9*want.Sum {
			t.Fatalf("round %d: %v observations of %v", round, was.Count, want.Count)
		}
		if want.Schema > was.Schema { // ours merges when there are too many buckets
			if err := want.ReduceResolution(was.Schema); err != nil {
				t.Fatal(err)
			}
		}
		if g, w := was.Compact(0), want.Compact(0); same && !alike(w, g) {
			t.Fatalf("round %d:\n got %v\nwant %v", round, g, w)
		}
	}
}

// alike reports equality up to the order in which sums were rounded.
func alike(a, b *histogram.FloatHistogram) bool {
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), 1) }
	return a.Schema == b.Schema && a.ZeroThreshold == b.ZeroThreshold && near(a.ZeroCount, b.ZeroCount) && near(a.Count, b.Count) && near(a.Sum, b.Sum) &&
		slices.EqualFunc(a.PositiveBuckets, b.PositiveBuckets, near) && slices.EqualFunc(a.NegativeBuckets, b.NegativeBuckets, near) &&
		slices.Equal(a.PositiveSpans, b.PositiveSpans) && slices.Equal(a.NegativeSpans, b.NegativeSpans)
}

func randomNative(r *rand.Rand, zero float64) *narthex.Histogram {
	h := &narthex.Histogram{Schema: int32(r.IntN(9)) - 2, ZeroThreshold: zero}
	sides := [2]map[int32]float64{{}, {}}
	for range r.IntN(200) {
		v := math.Exp(r.NormFloat64() * 3)
		h.Count++
		h.Sum += v
		if v <= h.ZeroThreshold {
			h.ZeroCount++
		} else {
			sides[r.IntN(2)][narthex.BucketIndex(v, h.Schema)]++
		}
	}
	h.Positive, h.Negative = narthex.NewBuckets(sides[0]), narthex.NewBuckets(sides[1])
	return h
}

func float(h *narthex.Histogram) *histogram.FloatHistogram {
	f := &histogram.FloatHistogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum}
	spans := func(b narthex.Buckets) (out []histogram.Span) {
		for _, s := range b.Spans {
			out = append(out, histogram.Span{Offset: s.Offset, Length: s.Length})
		}
		return out
	}
	f.PositiveSpans, f.NegativeSpans = spans(h.Positive), spans(h.Negative)
	f.PositiveBuckets, f.NegativeBuckets = slices.Clone(h.Positive.Counts), slices.Clone(h.Negative.Counts)
	return f
}
