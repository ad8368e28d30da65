package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/pipeline"
)

func folding(o pipeline.LimiterOptions) pipeline.LimiterOptions {
	o.Fold = true
	return o
}

func TestFold(t *testing.T) {
	var st store
	l := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 1}, FoldLabels: []string{"route"}}))
	s := l.Before(&st)
	b := batch(0)
	for i := range 4 {
		b.Series = append(b.Series, increment(labels(t, "a_total", "service", "x", "env", "prod", "route", fmt.Sprint("/", i)), 1))
	}
	gauge := narthex.Series{Labels: labels(t, "g", "service", "x"), As: narthex.AsGauge, Samples: []narthex.Sample{{Value: 1}}}
	sample := narthex.Series{Labels: labels(t, "s", "service", "x"), Samples: []narthex.Sample{{Value: 1, Time: 5}}}
	b.Series = append(b.Series, gauge, sample, increment(labels(t, "bare_total", "service", "x"), 1))
	write(t, s, b)
	want := map[string]float64{
		`a_total{env="prod",route="/0",service="x"}`:    1,
		`a_total{env="prod",route="other",service="x"}`: 3,
	}
	if fmt.Sprint(st.sums) != fmt.Sprint(want) {
		t.Errorf("taken %v", st.sums)
	}
	if len(b.Rejected) != 3 || !strings.Contains(b.Rejected[0].Reason, "only increments") || strings.Contains(b.Rejected[2].Reason, "only increments") {
		t.Errorf("rejected %v", b.Rejected)
	}
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], `3 new series were over a limit of active series, so they were counted under the value "other" of route; the first is a_total{env="prod",route="/1",service="x"}`) {
		t.Errorf("warnings %q", b.Warnings)
	}
	if len(b.Series) != 2 || len(b.Series[1].Samples) != 3 {
		t.Errorf("series %v", b.Series)
	}
	u := l.Status(10).Top[0]
	if u.Series != 2 || u.FoldedInto != 1 || u.Folded != 3 || u.Rejected != 3 || !u.LastOver.Equal(began) {
		t.Errorf("status %+v", u)
	}
}

// A label that nobody named may be what makes so many: what is set aside for
// folded series ends, and then all labels are folded.
func TestFoldUnnamed(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 10}, FoldLabels: []string{"route"}, Keep: []string{"team"}})).Before(&st)
	b := batch(0)
	const n = 1000
	for i := range n {
		b.Series = append(b.Series, increment(labels(t, "a_total", "job", "j", "team", "t", "user", fmt.Sprint(i), "route", "/"), 1))
	}
	write(t, s, b)
	if len(b.Rejected) > 0 || len(st.sums) > 10+50+1 || st.sums[`a_total{job="j",route="other",team="t",user="other"}`] != n-60 {
		t.Errorf("%d series, rejected %v, sums %v", len(st.sums), b.Rejected, st.sums)
	}
	// Names without end are rejected.
	b = batch(0)
	for i := range n {
		b.Series = append(b.Series, increment(labels(t, fmt.Sprint("m", i), "job", "j", "user", "u"), 1))
	}
	write(t, s, b)
	if len(b.Rejected) < n-100 {
		t.Errorf("%d rejected", len(b.Rejected))
	}
}

// Totals of a source must not be added to one another.
func TestFoldNoTotals(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 1}})).Before(&st)
	b := batch(0, increment(labels(t, "a", "u", "1"), 1), increment(labels(t, "a", "u", "2"), 1))
	b.Cumulative = "pod"
	write(t, s, b)
	if len(b.Rejected) != 1 || len(st.sums) != 1 {
		t.Errorf("rejected %v, taken %v", b.Rejected, st.sums)
	}
}

// What the sink says of a folded series is told of those that are in it.
func TestFoldRejected(t *testing.T) {
	st := store{reject: `a{u="other"}`}
	s := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 1}})).Before(&st)
	b := batch(0, increment(labels(t, "a", "u", "1"), 1), increment(labels(t, "a", "u", "2"), 1), increment(labels(t, "a", "u", "3"), 1))
	write(t, s, b)
	if len(b.Rejected) != 2 || b.Rejected[0].Series != `a{u="2"}` || b.Rejected[1].Series != `a{u="3"}` || !strings.HasSuffix(b.Rejected[1].Reason, ": no") {
		t.Errorf("rejected %v", b.Rejected)
	}
}

func TestFoldHistograms(t *testing.T) {
	var got []narthex.Series
	sink := sinkOf(func(b *narthex.Batch) { got = slices.Clone(b.Series) })
	s := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 1}})).Before(sink)
	write(t, s, batch(0, increment(labels(t, "first"), 1)))
	hist := func(u string, bounds ...float64) narthex.Series {
		x := increment(labels(t, "h", "u", u), 0)
		x.Samples[0].Histogram = narthex.Layout{Bounds: bounds}.Histogram([]float64{1})
		return x
	}
	write(t, s, batch(0, hist("1", 1, 2), hist("2", 1, 2), hist("3", 1, 3), hist("4", 1, 3)))
	if len(got) != 2 || len(got[0].Samples) != 2 || len(got[1].Samples) != 2 {
		t.Errorf("histograms of other buckets were mixed: %v", got)
	}
}

// Whatever comes, each increment is taken under its own name, under a folded
// one, or rejected, and never two of it.
func TestNothingIsLost(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var st store
		o := pipeline.LimiterOptions{
			Default: pipeline.Limits{SeriesPerSource: r.IntN(30), Series: r.IntN(60)},
			Fold:    r.IntN(3) > 0, Idle: time.Minute, MaxSeries: 1 + r.IntN(200),
		}
		if r.IntN(2) == 0 {
			o.FoldLabels = []string{"route"}
		}
		l := pipeline.NewLimiter(o)
		s := l.Before(&st)
		sent := make(map[string]float64) // by metric
		at := time.Duration(0)
		for range 20 {
			at += time.Duration(r.IntN(30)) * time.Second
			b := batch(at)
			b.Identity = fmt.Sprint(r.IntN(2))
			of := make(map[string]float64)
			for i := range 1 + r.IntN(50) {
				ls := labels(t, fmt.Sprint("m", r.IntN(3)), "service", fmt.Sprint(r.IntN(3)), "route", fmt.Sprint(i, r.IntN(3)), "user", fmt.Sprint(r.IntN(5)))
				v := float64(1 + r.IntN(9))
				of[ls.String()] += v
				sent[ls.Get(narthex.MetricName)] += v
				b.Series = append(b.Series, increment(ls, v))
			}
			write(t, s, b)
			for _, x := range b.Rejected {
				name, _, _ := strings.Cut(x.Series, "{")
				sent[name] -= of[x.Series]
				if of[x.Series] == 0 {
					t.Fatalf("%s was rejected, which was not sent", x.Series)
				}
				of[x.Series] = 0
			}
			most := 20_000
			if o.MaxSeries < most {
				most = o.MaxSeries + 6*100 // what is folded into is beside it
			}
			if n := l.Status(1).Series; n > most {
				t.Fatalf("%d series of at most %d", n, most)
			}
		}
		got := make(map[string]float64)
		for text, v := range st.sums {
			name, _, _ := strings.Cut(text, "{")
			got[name] += v
		}
		for name, v := range sent {
			if got[name] != v {
				t.Errorf("seed %d: %s has %v, want %v", seed, name, got[name], v)
			}
		}
	}
}
