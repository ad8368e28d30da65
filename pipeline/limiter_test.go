package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/pipeline"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// labels makes labels of name, value pairs; the first word is the metric's name.
func labels(t testing.TB, name string, pairs ...string) narthex.Labels {
	t.Helper()
	ls := []narthex.Label{{Name: narthex.MetricName, Value: name}}
	for i := 0; i < len(pairs); i += 2 {
		ls = append(ls, narthex.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	out, err := narthex.NewLabels(ls...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func increment(ls narthex.Labels, v float64) narthex.Series {
	return narthex.Series{Labels: ls, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: v}}}
}

// store is a sink that adds up what it gets, by series.
type store struct {
	sums    map[string]float64
	batches int
	err     error
	reject  string // the text of a series
}

func (s *store) Write(_ context.Context, b *narthex.Batch) error {
	s.batches++
	if s.err != nil {
		return s.err
	}
	for _, x := range b.Series {
		text := x.Labels.String()
		if text == s.reject {
			b.Reject(text, "no")
			continue
		}
		for _, v := range x.Samples {
			if s.sums == nil {
				s.sums = make(map[string]float64)
			}
			s.sums[text] += v.Value
		}
	}
	return nil
}

func batch(at time.Duration, series ...narthex.Series) *narthex.Batch {
	return &narthex.Batch{Received: began.Add(at), Series: series}
}

func write(t testing.TB, s narthex.Sink, b *narthex.Batch) {
	t.Helper()
	if err := s.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func TestSeriesPerSource(t *testing.T) {
	var st store
	l := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 2}, Idle: time.Hour})
	s := l.Before(&st)
	b := batch(0, increment(labels(t, "a_total", "service", "x", "u", "1"), 1), increment(labels(t, "a_total", "service", "x", "u", "2"), 1),
		increment(labels(t, "a_total", "service", "x", "u", "3"), 1), increment(labels(t, "a_total", "service", "y", "u", "3"), 1),
		increment(labels(t, "a_total", "job", "y", "u", "4"), 1), increment(labels(t, "a_total", "job", "y", "u", "5"), 1))
	write(t, s, b)
	if len(b.Rejected) != 2 || b.Rejected[0].Series != `a_total{service="x",u="3"}` || b.Rejected[1].Series != `a_total{job="y",u="5"}` ||
		!strings.Contains(b.Rejected[0].Reason, `service "x" has 2 active series, its limit (limits.series_per_source)`) {
		t.Errorf("rejected %v", b.Rejected)
	}
	if len(st.sums) != 4 {
		t.Errorf("taken %v", st.sums)
	}
	// Those that are active go on; one stays in use, the other becomes idle.
	one := func() narthex.Series { return increment(labels(t, "a_total", "service", "x", "u", "1"), 1) }
	for m := 10; m <= 130; m += 10 {
		write(t, s, batch(time.Duration(m)*time.Minute, one()))
		write(t, s, batch(time.Duration(m)*time.Minute, increment(labels(t, "z"), 1)))
	}
	b = batch(131*time.Minute, one(), increment(labels(t, "a_total", "service", "x", "u", "3"), 1), increment(labels(t, "a_total", "service", "x", "u", "4"), 1))
	write(t, s, b)
	if len(b.Rejected) != 1 || b.Rejected[0].Series != `a_total{service="x",u="4"}` {
		t.Errorf("after an hour rejected %v", b.Rejected)
	}
}

// A push of which nothing is left is not written: its id must stay free.
func TestNothingLeft(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{Series: 1}}).Before(&st)
	write(t, s, batch(0, increment(labels(t, "a"), 1)))
	b := batch(0, increment(labels(t, "b"), 1))
	write(t, s, b)
	if st.batches != 1 || len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Reason, "limits.series_per_identity") {
		t.Errorf("%d batches, rejected %v", st.batches, b.Rejected)
	}
}

func TestIdentities(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{
		Default:    pipeline.Limits{Series: 1},
		Identities: map[string]pipeline.Limits{"ci": {Series: 2, SeriesPerPush: 3}},
	}).Before(&st)
	for _, c := range []struct {
		identity        string
		series, refused int
	}{{"", 2, 1}, {"ci", 3, 1}, {"else", 3, 2}} {
		b := batch(0)
		b.Identity = c.identity
		for i := range c.series {
			b.Series = append(b.Series, increment(labels(t, fmt.Sprintf("m%d", i)), 1))
		}
		write(t, s, b)
		if len(b.Rejected) != c.refused {
			t.Errorf("%q: rejected %v", c.identity, b.Rejected)
		}
	}
	b := batch(0, make([]narthex.Series, 4)...)
	b.Identity = "ci"
	if err := s.Write(context.Background(), b); narthex.KindOf(err) != narthex.TooLarge {
		t.Errorf("4 series of at most 3: %v", err)
	}
}

func TestGroupWholeOrNotAtAll(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 2}}).Before(&st)
	group := func(names ...string) error {
		b := batch(0)
		b.Group = &narthex.Group{Labels: labels(t, "x", "job", "g")[1:]}
		for _, n := range names {
			b.Series = append(b.Series, narthex.Series{Labels: labels(t, n, "job", "g"), Samples: []narthex.Sample{{Value: 1}}})
		}
		return s.Write(context.Background(), b)
	}
	if err := group("a", "b", "c"); narthex.KindOf(err) != narthex.TooLarge || !strings.Contains(err.Error(), `c{job="g"}`) {
		t.Errorf("three of two: %v", err)
	}
	if st.batches != 0 {
		t.Error("a part of the group was written")
	}
	if err := group("c", "d"); err != nil {
		t.Errorf("the refused group left something behind: %v", err)
	}
	if err := group("c", "d"); err != nil {
		t.Errorf("again: %v", err)
	}
	del := batch(0)
	del.Group = &narthex.Group{Op: narthex.GroupDelete}
	write(t, s, del)
}

// The retry of a push that was taken is not judged anew.
func TestKnown(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{
		Default: pipeline.Limits{Series: 1},
		Known:   func(identity, id string) bool { return identity == "me" && id == "old" },
	}).Before(&st)
	two := func(id string) *narthex.Batch {
		b := batch(0, increment(labels(t, "a"), 1), increment(labels(t, "b"), 1))
		b.Identity, b.ID = "me", id
		return b
	}
	b := two("old")
	write(t, s, b)
	if len(b.Series) != 2 || len(b.Rejected) != 0 {
		t.Errorf("known: %v, rejected %v", b.Series, b.Rejected)
	}
	b = two("new")
	write(t, s, b)
	if len(b.Series) != 1 || len(b.Rejected) != 1 {
		t.Errorf("new: %v, rejected %v", b.Series, b.Rejected)
	}
}

// Senders and sources without number share what there is for them.
func TestBounded(t *testing.T) {
	var st store
	l := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 5}, MaxSeries: 20_100})
	s := l.Before(&st)
	refused := 0
	for i := range 25_000 {
		b := batch(0, increment(labels(t, "a", "service", fmt.Sprint(i)), 1))
		b.Identity = fmt.Sprint(i % 15_000)
		write(t, s, b)
		refused += len(b.Rejected)
	}
	if refused < 25_000-20_100 {
		t.Errorf("%d refused", refused)
	}
	st2 := l.Status(1000)
	if st2.Series > 20_100 || st2.Identities > 10_001 || st2.Sources > 20_000+10_001 || len(st2.Top) != 1000 {
		t.Errorf("%d series, %d identities, %d sources, %d told", st2.Series, st2.Identities, st2.Sources, len(st2.Top))
	}
	// All of it is forgotten.
	for i := range 40_000 {
		at := 3 * time.Hour
		if i > 20_000 {
			at = 6 * time.Hour
		}
		write(t, s, batch(at, increment(labels(t, "b"), 1)))
	}
	write(t, s, batch(7*time.Hour, increment(labels(t, "b"), 1)))
	if now := l.Status(1000); now.Series != 1 || now.Sources != 1 || now.Identities != 1 {
		t.Errorf("after hours: %d series, %d identities, %d sources", now.Series, now.Identities, now.Sources)
	}
}

// Many may push at once; what one is told is its own.
func TestConcurrent(t *testing.T) {
	l := pipeline.NewLimiter(folding(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 50}, FoldLabels: []string{"u"}}))
	var mu sync.Mutex
	sum := 0.0
	s := l.Before(sinkOf(func(b *narthex.Batch) {
		mu.Lock()
		defer mu.Unlock()
		for _, x := range b.Series {
			for _, v := range x.Samples {
				sum += v.Value
			}
		}
	}))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				b := batch(time.Duration(j)*time.Minute, increment(labels(t, "a", "service", fmt.Sprint(i%3), "u", fmt.Sprint(j)), 1), increment(labels(t, "a", "u", fmt.Sprint(i)), 1))
				if err := s.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
					t.Error(err, b.Rejected)
				}
				l.Status(10)
			}
		})
	}
	all.Wait()
	if sum != 1600 {
		t.Errorf("%v of 1600 increments were taken", sum)
	}
}

// A push that was wrong makes a group as well, of which only the failure is
// noted: not more of them than a sender may have, nor more often.
func TestFailuresAreLimited(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{Series: 2, Pushes: 1, Burst: 5 * time.Second}}).Before(&st)
	fail := func(at time.Duration, job string) error {
		b := batch(at)
		b.Group = &narthex.Group{Op: narthex.GroupFail, Labels: labels(t, "x", "job", job)[1:]}
		return s.Write(context.Background(), b)
	}
	for i, want := range []narthex.Kind{0, 0, narthex.TooLarge, 0, narthex.TooLarge, narthex.Limited} {
		job := fmt.Sprint(i)
		if i == 3 {
			job = "0" // which is there
		}
		if err := fail(0, job); narthex.KindOf(err) != want {
			t.Errorf("failure %d: %v, want kind %d", i, err, want)
		}
	}
	if st.batches != 3 {
		t.Errorf("%d were written", st.batches)
	}
}

// A sender with a source for each series leaves sources for the others, which
// are told apart as before.
func TestSourcesAreShared(t *testing.T) {
	l := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 1}})
	s := l.Before(&store{})
	from := func(who string, n int) *narthex.Batch {
		b := batch(0)
		b.Identity = who
		for i := range n {
			b.Series = append(b.Series, increment(labels(t, "m", "service", fmt.Sprint(i)), 1))
		}
		return b
	}
	write(t, s, from("loud", 30_000))
	quiet := from("quiet", 100)
	write(t, s, quiet)
	if len(quiet.Rejected) > 0 {
		t.Errorf("%d series of another sender were rejected: %v", len(quiet.Rejected), quiet.Rejected[0])
	}
	if n := l.Status(1).Sources; n > 20_000 {
		t.Errorf("%d sources are told apart", n)
	}
}
