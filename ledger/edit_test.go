package ledger_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"narthex"
	"narthex/ledger"
)

func setEntry(t testing.TB, at time.Time, series narthex.Labels, v float64, h *narthex.Histogram) *ledger.Entry {
	t.Helper()
	e, err := ledger.NewSet("", "", at, series, v, h)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func deleteEntry(t testing.TB, at time.Time, series ...narthex.Labels) *ledger.Entry {
	t.Helper()
	e, err := ledger.NewDelete("", "", at, series...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// edit folds an entry that goes through the log's encoding, and returns why it
// was refused.
func edit(t testing.TB, s *ledger.State, at time.Time, e *ledger.Entry) string {
	t.Helper()
	again, err := ledger.DecodeEntry(e.Encode())
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Fold(again, at.UnixMilli(), ledger.Policy{Interval: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	for _, r := range out.Rejected {
		why += r.Series + ": " + r.Reason + "\n"
	}
	return why
}

func TestEdits(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second}
	s := ledger.NewState()
	at := func(n int) time.Time { return epoch.Add(time.Duration(n) * p.Interval) }
	n := 0
	ticks := func() string {
		n++
		leads, values := tickOf(s, at(n).UnixMilli(), p)
		s.Confirm(at(n).UnixMilli())
		return text(leads, values)
	}
	want := func(what, got, want string) {
		t.Helper()
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	c, g, h := labelsOf("c_total"), labelsOf("g"), labelsOf("h")
	fold(t, s, p, at(n), 1, delta(t, "c_total", 100), gauge(t, "g", 7, 0), observe(t, "h", "1, 2", 0.5, 3))
	ticks()
	if why := edit(t, s, at(n), setEntry(t, at(n), c, 40, nil)) + edit(t, s, at(n), setEntry(t, at(n), g, math.Inf(1), nil)) + edit(t, s, at(n), setEntry(t, at(n), h, 0, nil)); why != "" {
		t.Fatal(why)
	}
	want("a tick after set", ticks(), `
30 c_total 40
30 g +Inf
30 h_bucket{le="1.0"} 0
30 h_bucket{le="2.0"} 0
30 h_bucket{le="+Inf"} 0
30 h_count 0
30 h_sum 0`)
	fold(t, s, p, at(n), 2, delta(t, "c_total", 2))
	whole := observe(t, "h", "1, 2", 1.5).Samples[0].Histogram
	if why := edit(t, s, at(n), setEntry(t, at(n), h, 0, whole)); why != "" {
		t.Fatal(why)
	}
	if got := ticks(); !strings.Contains(got, "c_total 42\n") || !strings.Contains(got, "h_count 1\n") {
		t.Errorf("increments go on from what was set: %s", got)
	}
	for want, e := range map[string]*ledger.Entry{
		"keeps no such series":           setEntry(t, at(n), labelsOf("none"), 1, nil),
		"neither negative nor infinite":  setEntry(t, at(n), c, -1, nil),
		"set it to 0":                    setEntry(t, at(n), h, 3, nil),
		"is a counter, which a":          setEntry(t, at(n), c, 0, whole),
		"counts of different buckets":    setEntry(t, at(n), h, 0, observe(t, "h", "1, 3", 1).Samples[0].Histogram),
		"ledger list says which it keep": deleteEntry(t, at(n), labelsOf("none")),
	} {
		if why := edit(t, s, at(n), e); !strings.Contains(why, want) {
			t.Errorf("%q, want %q", why, want)
		}
	}
	// A new series that nobody has seen leaves no trace; others end.
	fold(t, s, p, at(n), 3, delta(t, "fresh_total", 1), delta(t, "c_total", 5))
	if why := edit(t, s, at(n), deleteEntry(t, at(n), labelsOf("fresh_total"), c, h)); why != "" {
		t.Fatal(why)
	}
	if all, _ := s.Find(nil, 10); len(all) != 1 || all[0].Labels.String() != "g" {
		t.Errorf("after delete there is %v", all)
	}
	if why := edit(t, s, at(n), deleteEntry(t, at(n), c)); !strings.Contains(why, "keeps no such series") {
		t.Errorf("deleted twice: %q", why)
	}
	want("a tick after delete", ticks(), `
60 c_total stale
60 g +Inf
60 h_bucket{le="1.0"} stale
60 h_bucket{le="2.0"} stale
60 h_bucket{le="+Inf"} stale
60 h_count stale
60 h_sum stale`)
	// Whoever pushes the name again begins at zero, also as another type.
	fold(t, s, p, at(n), 4, delta(t, "c_total", 3), gauge(t, "h", 9, 0))
	want("pushed again", ticks(), `
60.001 c_total 0
75 c_total 3
75 g +Inf
75 h 9`)
	if series, _ := s.Sizes(); series != 3 {
		t.Errorf("%d series are left", series)
	}
}

// An increment that comes between a delete and its tick counts from zero.
func TestDeleteThenPush(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second}
	s := ledger.NewState()
	fold(t, s, p, epoch, 1, delta(t, "c_total", 100))
	tickOf(s, epoch.Add(15*time.Second).UnixMilli(), p)
	edit(t, s, epoch, deleteEntry(t, epoch, labelsOf("c_total")))
	fold(t, s, p, epoch, 2, delta(t, "c_total", 3))
	if _, values := tickOf(s, epoch.Add(30*time.Second).UnixMilli(), p); text(values) != "30 c_total 3\n" {
		t.Errorf("%s", text(values))
	}
}

// A group's series are its pushers' business.
func TestGroupsAreNotEdited(t *testing.T) {
	p := ledger.Policy{}
	s := ledger.NewState()
	grouped(t, s, p, epoch, narthex.GroupReplace, 0, gauge(t, "up", 1, 0))
	all, _ := s.Find(nil, 10)
	for _, x := range all {
		for _, e := range []*ledger.Entry{setEntry(t, epoch, x.Labels, 0, nil), deleteEntry(t, epoch, x.Labels)} {
			if why := edit(t, s, epoch, e); !strings.Contains(why, "DELETE /metrics/job/") {
				t.Errorf("%q", why)
			}
		}
	}
	if len(all) != 3 {
		t.Errorf("%d series", len(all))
	}
}

// What was edited is there after a crash, at once and after a checkpoint; a
// ledger that does not run is edited the same way.
func TestEditsAreDurable(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	write(t, l, c, "a", delta(t, "a_total", 100), delta(t, "b_total", 5), delta(t, "d_total", 6))
	c.add(15 * time.Second)
	tick(t, l)
	for _, e := range []*ledger.Entry{setEntry(t, c.Now(), labelsOf("a_total"), 1, nil), deleteEntry(t, c.Now(), labelsOf("b_total"))} {
		if rejected, err := l.Edit(context.Background(), e); err != nil || len(rejected) > 0 {
			t.Fatal(err, rejected)
		}
	}
	crashed := o
	crashed.Dir = snapshotDir(t, o.Dir)
	stopped, err := ledger.OpenStopped(context.Background(), crashed, false)
	if err != nil {
		t.Fatal(err)
	}
	if rejected, err := stopped.Edit(context.Background(), setEntry(t, c.Now(), labelsOf("d_total"), 9, nil)); err != nil || len(rejected) > 0 {
		t.Fatal(err, rejected)
	}
	if rejected, err := stopped.Edit(context.Background(), setEntry(t, c.Now(), labelsOf("none"), 9, nil)); err != nil || len(rejected) != 1 {
		t.Fatal(err, rejected)
	}
	if _, err := ledger.Open(context.Background(), crashed); err == nil {
		t.Error("the directory is not locked")
	}
	if err := stopped.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the log, then from a checkpoint
		l = open(t, crashed)
		got := ""
		for _, x := range must(l.Snapshot(context.Background())).all() {
			got += x
		}
		if want := "a_total 1\nd_total 9\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		l.Close()
	}
	if _, err := ledger.OpenStopped(context.Background(), ledger.Options{Dir: t.TempDir()}, false); err == nil || !strings.Contains(err.Error(), "there is no ledger") {
		t.Errorf("an empty directory: %v", err)
	}
}

// FuzzSelector compares with the parser of Prometheus.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{
		"up", `up{a="b"}`, `{a=~"b.*",c!="d"}`, `up{a!~'x\'y',}`, "{\"the.name\", `b`=\"\\u00e9\"}", `{__name__="x"}`, `up{a="\xff"}`, `a:b{c="\n"}`, `{}`, `up[5m]`, `up{"x"}`, `{a="b"`, `x{é="y"}`,
	} {
		f.Add(s)
	}
	series := []narthex.Labels{labelsOf("up"), labelsOf("up", "a", "b"), labelsOf("the.name", "b", "é"), labelsOf("x", "a", "bcd")}
	prom := parser.NewParser(parser.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		own, err := ledger.ParseSelector(text)
		theirs, err2 := prom.ParseMetricSelector(text)
		if err != nil || err2 != nil {
			// Theirs knows comments and keywords, and refuses what picks all.
			return
		}
		for _, ls := range series {
			matches := true
			for _, m := range theirs {
				matches = matches && m.Matches(ls.Get(m.Name))
			}
			if got := own.Matches(ls); got != matches {
				t.Errorf("%q picks %s: %v, of Prometheus %v", text, ls, got, matches)
			}
		}
	})
}

func TestSelector(t *testing.T) {
	prom := parser.NewParser(parser.Options{})
	for _, ls := range []narthex.Labels{labelsOf("up"), labelsOf("a:b", "x", "\"\\\n\t`'é\u2028"), labelsOf("the.name", "a b", "c")} {
		s, err := ledger.ParseSelector(ls.String())
		if err != nil {
			t.Errorf("%s: %v", ls, err)
			continue
		}
		if got, err := s.Series(); err != nil || got.String() != ls.String() {
			t.Errorf("%s was read as %s, %v", ls, got, err)
		}
		if _, err := prom.ParseMetricSelector(ls.String()); err != nil {
			t.Errorf("%s: Prometheus says %v", ls, err)
		}
	}
	for text, want := range map[string]string{
		"": "want name", "{": "label's name", "up{a}": "want = !=", "up{a=b}": "in quotes", `up{a="b}`: "does not end", `up{a="b" c="d"}`: "want , or }",
		`up{a=~"("}`: "missing closing", "up x": "want its end", `up{__name__="x"}`: "two names",
	} {
		if _, err := ledger.ParseSelector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	s, err := ledger.ParseSelector(`up{a=~"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Series(); err == nil || !strings.Contains(err.Error(), "several series") {
		t.Errorf("%v", err)
	}
}
