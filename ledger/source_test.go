package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/ledger"
)

// pushTotals folds totals of a source and returns why they were refused.
func pushTotals(t testing.TB, s *ledger.State, p ledger.Policy, now time.Time, id, source string, series ...narthex.Series) string {
	t.Helper()
	e, err := ledger.NewEntry(&narthex.Batch{ID: id, Cumulative: source, Received: now, Series: series})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Fold(e, now.UnixMilli(), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Rejected) > 0 {
		return out.Rejected[0].Reason
	}
	return ""
}

// lastValue ticks and returns the value of the one series.
func lastValue(s *ledger.State, p ledger.Policy, now time.Time) narthex.Sample {
	_, values := tickOf(s, now.UnixMilli(), p)
	return values[len(values)-1].Samples[0]
}

func TestCumulativeCounter(t *testing.T) {
	p := ledger.Policy{Interval: time.Second, Horizon: time.Hour}
	s, now := ledger.NewState(), epoch
	for i, c := range []struct {
		source string
		total  float64
		want   float64
	}{
		{"a", 5, 5}, // what a source has counted before it was known is new
		{"a", 7, 7},
		{"a", 7, 7},
		{"b", 10, 17},
		{"a", 3, 20}, // it began anew
		{"a", 4, 21},
		{"b", 10.5, 21.5},
		{"", 2, 23.5}, // an increment
	} {
		now = now.Add(time.Second)
		if why := pushTotals(t, s, p, now, fmt.Sprint(i), c.source, delta(t, "c_total", c.total)); why != "" {
			t.Fatal(why)
		}
		again, err := ledger.Decode(s.Encode())
		if err != nil {
			t.Fatal(err)
		}
		s = again
		if got := lastValue(s, p, now).Value; got != c.want {
			t.Errorf("step %d: total %v, want %v", i, got, c.want)
		}
	}
	// A source is remembered for the horizon after its last push.
	pushTotals(t, s, p, now, "kept", "b", delta(t, "c_total", 11))
	now = now.Add(time.Hour)
	tickOf(s, now.UnixMilli(), p)
	pushTotals(t, s, p, now, "still", "b", delta(t, "c_total", 12))
	if got := lastValue(s, p, now.Add(time.Second)).Value; got != 25 {
		t.Errorf("after an hour: %v, want 25", got)
	}
	now = now.Add(time.Hour + 2*time.Second)
	tickOf(s, now.UnixMilli(), p)
	pushTotals(t, s, p, now, "forgotten", "b", delta(t, "c_total", 13))
	if got := lastValue(s, p, now.Add(time.Second)).Value; got != 38 {
		t.Errorf("after more than an hour: %v, want 38", got)
	}
}

// Where the client says when its counting began, a reset is seen although the
// new total is above the old one, and a push that was overtaken is not taken for
// a reset.
func TestCumulativeStart(t *testing.T) {
	p := ledger.Policy{Interval: time.Second}
	s := ledger.NewState()
	for i, c := range []struct {
		start  int64
		total  float64
		want   float64
		refuse bool
	}{
		{100, 5, 5, false},
		{100, 8, 8, false},
		{100, 7, 8, true},
		{200, 9, 17, false},
		{100, 8, 17, true},
		{200, 9, 17, false},
		{0, 10, 18, false},
		{200, 11, 19, false},
	} {
		x := delta(t, "c_total", c.total)
		x.Samples[0].Start = c.start
		why := pushTotals(t, s, p, epoch, fmt.Sprint(i), "a", x)
		if (why != "") != c.refuse {
			t.Errorf("step %d: refused %q", i, why)
		}
		pushTotals(t, s, p, epoch, fmt.Sprint("touch", i), "", delta(t, "c_total", 0))
		if got := lastValue(s, p, epoch.Add(time.Duration(i+1)*time.Second)).Value; got != c.want {
			t.Errorf("step %d: total %v, want %v", i, got, c.want)
		}
	}
}

func TestCumulativeSourcesAreBounded(t *testing.T) {
	p := ledger.Policy{Interval: time.Second, MaxSeries: 3}
	s := ledger.NewState()
	for i := range 5 {
		why := pushTotals(t, s, p, epoch, fmt.Sprint(i), fmt.Sprint("source", i), delta(t, "c_total", 1))
		if (why != "") != (i >= 3) {
			t.Errorf("source %d: refused %q", i, why)
		}
	}
	if got := lastValue(s, p, epoch.Add(time.Second)).Value; got != 3 {
		t.Errorf("total %v, want 3", got)
	}
	// They make room when they are forgotten.
	now := epoch.Add(25 * time.Hour)
	tickOf(s, now.UnixMilli(), p)
	if why := pushTotals(t, s, p, now, "later", "another", delta(t, "c_total", 1)); why != "" {
		t.Error(why)
	}
}

// native is a native histogram of values at a resolution.
func native(schema int32, zero float64, values ...float64) *narthex.Histogram {
	h := &narthex.Histogram{Schema: schema, ZeroThreshold: zero}
	counts := make(map[int32]float64)
	for _, v := range values {
		h.Count++
		h.Sum += v
		if v <= zero {
			h.ZeroCount++
		} else {
			counts[narthex.BucketIndex(v, schema)]++
		}
	}
	h.Positive = narthex.NewBuckets(counts)
	return h
}

// A client lowers a histogram's resolution and widens its zero bucket as it
// fills; both are no reset.
func TestCumulativeNative(t *testing.T) {
	p := ledger.Policy{Interval: time.Second}
	s := ledger.NewState()
	for i, c := range []struct {
		h     *narthex.Histogram
		count float64
		zero  float64
	}{
		{native(3, 1e-9, 0.001, 1, 2, 3), 4, 0},
		{native(3, 1e-9, 0.001, 1, 2, 3, 3), 5, 0},
		{native(1, 1e-9, 0.001, 1, 2, 3, 3, 9), 6, 0},
		{native(1, 0.25, 0.001, 1, 2, 3, 3, 9, 0.1), 7, 2},
		{native(1, 0.25, 1, 2, 3, 3, 9, 0.1, 7), 14, 3}, // began anew: a bucket fell
		{native(2, 0.25, 5), 15, 3},                     // and again
	} {
		x := narthex.Series{Labels: labels(t, "n"), Type: narthex.TypeHistogram, As: narthex.AsDelta, Samples: []narthex.Sample{{Histogram: c.h}}}
		if why := pushTotals(t, s, p, epoch, fmt.Sprint(i), "a", x); why != "" {
			t.Fatal(why)
		}
		got := lastValue(s, p, epoch.Add(time.Duration(i+1)*time.Second)).Histogram
		total := got.ZeroCount
		got.Positive.Each(func(_ int32, n float64) { total += n })
		if got.Count != c.count || total != c.count || got.ZeroCount != c.zero {
			t.Errorf("step %d: count %v, buckets %v, zero %v, want %v and %v", i, got.Count, total, got.ZeroCount, c.count, c.zero)
		}
	}
}

// Totals of many registries that restart, pushed again and again, each push
// repeated at any later time, add up to what was counted.
func TestCumulativeProperty(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { cumulativeProperty(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

// registry is a client's.
type registry struct {
	counted  float64
	observed []float64
	unpushed bool
}

func cumulativeProperty(t *testing.T, r *rand.Rand) {
	p := ledger.Policy{Interval: time.Second}
	s, now := ledger.NewState(), epoch
	sources := make([]registry, 4)
	var counted float64
	var observed []float64
	var all []*ledger.Entry
	fold := func(e *ledger.Entry, repeated bool) {
		if out, err := s.Fold(e, now.UnixMilli(), p); err != nil || out.Duplicate != repeated || len(out.Rejected) > 0 {
			t.Fatalf("repeated %v: %+v %v", repeated, out, err)
		}
	}
	for i := range 300 {
		now = now.Add(time.Duration(r.IntN(3)) * time.Second)
		n := r.IntN(len(sources))
		src := &sources[n]
		if r.IntN(10) == 0 && !src.unpushed {
			*src = registry{}
		}
		// A registry that began anew is seen by a total that fell.
		if src.counted == 0 && len(src.observed) == 0 {
			e, err := ledger.NewEntry(totalsOf(t, *src, fmt.Sprint("zero", i), n, now))
			if err != nil {
				t.Fatal(err)
			}
			fold(e, false)
		}
		add := float64(r.IntN(5))
		src.counted += add
		counted += add
		for range r.IntN(4) {
			v := float64(r.IntN(40)) / 4
			src.observed = append(src.observed, v)
			observed = append(observed, v)
		}
		if src.unpushed = r.IntN(3) == 0; src.unpushed {
			continue // not pushed: the next totals have it
		}
		e, err := ledger.NewEntry(totalsOf(t, *src, fmt.Sprint(i), n, now))
		if err != nil {
			t.Fatal(err)
		}
		saved := s.Encode()
		fold(e, false)
		all = append(all, e)
		if r.IntN(4) == 0 { // lost before it was saved, and done again
			if s, err = ledger.Decode(saved); err != nil {
				t.Fatal(err)
			}
			fold(e, false)
		}
		fold(all[r.IntN(len(all))], true)
		if r.IntN(5) == 0 {
			tickOf(s, ledger.Grid(now.UnixMilli(), p.Interval), p)
		}
	}
	for n, src := range sources {
		e, err := ledger.NewEntry(totalsOf(t, src, fmt.Sprint("last", n), n, now))
		if err != nil {
			t.Fatal(err)
		}
		fold(e, false)
	}
	compareTotals(t, s, now.Add(time.Second), counted, observed)
}

func totalsOf(t testing.TB, src registry, id string, n int, now time.Time) *narthex.Batch {
	return &narthex.Batch{ID: id, Cumulative: fmt.Sprint("source-", n), Received: now, Series: []narthex.Series{
		delta(t, "c_total", src.counted), observe(t, "h", "1, 2.5, 8", src.observed...), observe(t, "n", "native", src.observed...),
	}}
}

// compareTotals compares what the state writes at a tick with the truth.
func compareTotals(t testing.TB, s *ledger.State, at time.Time, counted float64, observed []float64) {
	t.Helper()
	want := make(map[string]float64)
	want["c_total"] = counted
	for _, v := range observed {
		want["h_count"]++
		want["h_sum"] += v
		for le, limit := range map[string]float64{"1.0": 1, "2.5": 2.5, "8.0": 8, "+Inf": 1e9} {
			if v <= limit {
				want[`h_bucket{le="`+le+`"}`]++
			}
		}
	}
	got := make(map[string]float64)
	_, values := tickOf(s, at.UnixMilli(), ledger.Policy{Interval: time.Second})
	for _, x := range values {
		if h := x.Samples[0].Histogram; h != nil {
			l, _ := narthex.ParseLayout("native")
			truth := l.Histogram(observed)
			if d := cmp.Diff(truth, h); d != "" {
				t.Errorf("the native histogram (-want +got)\n%s", d)
			}
			continue
		}
		got[x.Labels.String()] = x.Samples[0].Value
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
