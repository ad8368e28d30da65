package ledger_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// A script is a list of steps: "add 42", "set 3", "set 3 @-20s" (event time),
// or how many ticks to let pass, "x4". It gives the samples that were written.
func play(t *testing.T, p ledger.Policy, steps ...string) string {
	t.Helper()
	s := ledger.NewState()
	now := epoch
	var out strings.Builder
	for i, step := range steps {
		var v float64
		var ticks int
		ago := ""
		switch {
		case scan(step, "x%d", &ticks):
			for range ticks {
				now = now.Add(p.Interval)
				leads, values := tickOf(s, ledger.Grid(now.UnixMilli(), p.Interval), p)
				out.WriteString(text(leads, values))
			}
			continue
		case scan(step, "add %g", &v):
			fold(t, s, p, now, i, delta(t, "c_total", v))
		case scan(step, "set %g @-%s", &v, &ago):
			d, err := time.ParseDuration(ago)
			if err != nil {
				t.Fatal(err)
			}
			fold(t, s, p, now, i, gauge(t, "g", v, now.Add(-d).UnixMilli()))
		case scan(step, "set %g", &v):
			fold(t, s, p, now, i, gauge(t, "g", v, now.UnixMilli()))
		default:
			t.Fatalf("step %q", step)
		}
	}
	return out.String()
}

func scan(s, format string, to ...any) bool {
	n, err := fmt.Sscanf(s, format, to...)
	return err == nil && n == len(to)
}

func fold(t *testing.T, s *ledger.State, p ledger.Policy, now time.Time, id int, series ...narthex.Series) ledger.Outcome {
	t.Helper()
	e, err := ledger.NewEntry(&narthex.Batch{ID: fmt.Sprint(id), Received: now, Series: series})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Fold(e, now.UnixMilli(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEmission(t *testing.T) {
	// Small numbers, so that a life fits on a screen.
	p := ledger.Policy{Interval: 10 * time.Second, Settle: 20 * time.Second, Heartbeat: 30 * time.Second, Idle: 90 * time.Second, Forget: time.Hour}
	for _, c := range []struct {
		name  string
		steps []string
		want  string
	}{
		{"a counter is born at zero and repeated while it settles, then by heartbeat", []string{"add 42", "x9"}, `
0 c_total 0
10 c_total 42
20 c_total 42
30 c_total 42
60 c_total 42
90 c_total 42
`},
		{"after idle it ends at once, with a staleness marker, and is silent", []string{"add 1", "x12"}, `
0 c_total 0
10 c_total 1
20 c_total 1
30 c_total 1
60 c_total 1
90 c_total 1
100 c_total stale
`},
		{"changes at successive ticks need no lead", []string{"add 1", "x1", "add 2", "x1", "add 4", "x1"}, `
0 c_total 0
10 c_total 1
20 c_total 3
30 c_total 7
`},
		{"a sleeping counter wakes from its old value", []string{"add 1", "x5", "add 1", "x1"}, `
0 c_total 0
10 c_total 1
20 c_total 1
30 c_total 1
50 c_total 1
60 c_total 2
`},
		{"an ended counter wakes from its old value", []string{"add 1", "x20", "add 5", "x1"}, `
0 c_total 0
10 c_total 1
20 c_total 1
30 c_total 1
60 c_total 1
90 c_total 1
100 c_total stale
200 c_total 1
210 c_total 6
`},
		{"where the marker stands at the tick before, the lead comes a millisecond after it", []string{"add 1", "x10", "add 5", "x1"}, `
0 c_total 0
10 c_total 1
20 c_total 1
30 c_total 1
60 c_total 1
90 c_total 1
100 c_total stale
100.001 c_total 1
110 c_total 6
`},
		{"an increment of nothing keeps a counter awake", []string{"add 1", "x3", "add 0", "x1"}, `
0 c_total 0
10 c_total 1
20 c_total 1
30 c_total 1
40 c_total 1
`},
		{"a gauge has no zero and no lead", []string{"set 7", "x10", "set 8", "x1"}, `
10 g 7
20 g 7
30 g 7
60 g 7
90 g 7
100 g stale
110 g 8
`},
		{"the last gauge by event time wins, whatever the order of arrival", []string{"set 2 @-5s", "set 1 @-9s", "x1", "set 3 @-16s", "x1"}, `
10 g 2
20 g 2
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := "\n" + play(t, p, c.steps...); got != c.want {
				t.Errorf("got:%s\nwant:%s", got, c.want)
			}
		})
	}
}

// A tick that is not after the last one does nothing; a later one goes on.
func TestTickSkips(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second}
	s := ledger.NewState()
	fold(t, s, p, epoch, 1, delta(t, "c_total", 1))
	at := epoch.UnixMilli() + 15*sec
	if _, v := tickOf(s, at, p); len(v) != 1 {
		t.Fatalf("first tick gave %d values", len(v))
	}
	fold(t, s, p, epoch, 2, delta(t, "c_total", 1))
	for _, again := range []int64{at, at - 15*sec} {
		if l, v := tickOf(s, again, p); l != nil || v != nil {
			t.Errorf("a tick at %d after one at %d wrote %s", again, at, text(l, v))
		}
	}
	if l, v := tickOf(s, at+15*sec, p); text(l, v) != "30 c_total 2\n" {
		t.Errorf("the next tick wrote %s", text(l, v))
	}
}

// After a pause of the whole program the old value stands just before the new
// one, so that the increase lies in the last interval, where it happened.
func TestTickAfterPause(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second}
	s := ledger.NewState()
	fold(t, s, p, epoch, 1, delta(t, "c_total", 1))
	tickOf(s, epoch.UnixMilli()+15*sec, p)
	fold(t, s, p, epoch.Add(700*time.Second), 2, delta(t, "c_total", 1))
	if l, v := tickOf(s, epoch.UnixMilli()+705*sec, p); text(l, v) != "690 c_total 1\n705 c_total 2\n" {
		t.Errorf("got %s", text(l, v))
	}
}

// Sparse series cost a fraction of what a scraped process would cost.
func TestSparseCost(t *testing.T) {
	const interval, span = 15 * time.Second, 2 * time.Hour
	dense := int(span / interval)
	for _, c := range []struct {
		name    string
		changes []time.Duration
		most    int // samples
	}{
		{"one job that counts three times in five minutes", []time.Duration{0, 2 * time.Minute, 5 * time.Minute}, dense / 6},
		{"three changes spread over the time, the worst case", []time.Duration{0, 40 * time.Minute, 80 * time.Minute}, dense / 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ledger.Policy{Interval: interval}
			s := ledger.NewState()
			n := 0
			for at := time.Duration(0); at < span; at += interval {
				if i := slices.Index(c.changes, at); i >= 0 {
					fold(t, s, p, epoch.Add(at), i, delta(t, "c_total", 1))
				}
				l, v := tickOf(s, epoch.Add(at+interval).UnixMilli(), p)
				n += len(l) + len(v)
			}
			t.Attr("narthex_samples", strconv.Itoa(n))
			t.Attr("scraped_samples", strconv.Itoa(dense))
			if n > c.most {
				t.Errorf("%d samples, want at most %d", n, c.most)
			}
		})
	}
}

// Totals are dropped long after their last change; the series then begins
// anew at zero.
func TestForget(t *testing.T) {
	p := ledger.Policy{Interval: time.Minute, Idle: 5 * time.Minute, Forget: time.Hour}
	s := ledger.NewState()
	fold(t, s, p, epoch, 1, delta(t, "c_total", 5))
	at := epoch
	for range 62 {
		at = at.Add(time.Minute)
		tickOf(s, at.UnixMilli(), p)
	}
	if n, _ := s.Sizes(); n != 0 {
		t.Fatalf("%d series after the forget time", n)
	}
	fold(t, s, p, at, 2, delta(t, "c_total", 3))
	l, v := tickOf(s, at.Add(time.Minute).UnixMilli(), p)
	if got := text(l, v); got != "3720 c_total 0\n3780 c_total 3\n" {
		t.Errorf("reborn as %s", got)
	}
}
