package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// grouped is a push to the group {job="j"}.
func grouped(t testing.TB, s *ledger.State, p ledger.Policy, now time.Time, op narthex.GroupOp, ttl time.Duration, series ...narthex.Series) []narthex.Rejection {
	t.Helper()
	return groupedAs(t, s, p, now, "j", op, ttl, series...)
}

func groupedAs(t testing.TB, s *ledger.State, p ledger.Policy, now time.Time, job string, op narthex.GroupOp, ttl time.Duration, series ...narthex.Series) []narthex.Rejection {
	t.Helper()
	for i := range series {
		series[i].Labels = series[i].Labels.With("job", job)
	}
	e, err := ledger.NewEntry(&narthex.Batch{
		Received: now, Series: series,
		Group: &narthex.Group{Labels: narthex.Labels{{Name: "job", Value: job}}, Op: op, TTL: ttl},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Fold(e, now.UnixMilli(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out.Rejected
}

// typed is a series as an exposition has it.
func typed(t testing.TB, name string, typ narthex.Type, v float64) narthex.Series {
	return narthex.Series{Labels: labels(t, name), Type: typ, Samples: []narthex.Sample{{Value: v}}}
}

func TestGroup(t *testing.T) {
	p := ledger.Policy{Interval: 10 * time.Second, Settle: 10 * time.Second, Heartbeat: 30 * time.Second, Idle: time.Minute}
	s := ledger.NewState()
	now := epoch
	tick := func() string {
		now = now.Add(10 * time.Second)
		var keep strings.Builder
		for line := range strings.Lines(text(tickOf(s, now.UnixMilli(), p))) {
			if !strings.Contains(line, "_time_seconds") {
				keep.WriteString(strings.ReplaceAll(line, `{job="j"}`, ""))
			}
		}
		return keep.String()
	}
	expect := func(want string) {
		t.Helper()
		if got := tick(); got != want {
			t.Errorf("at %v\n got %q\nwant %q", now.Sub(epoch), got, want)
		}
	}
	gauge, counter := narthex.TypeGauge, narthex.TypeCounter
	grouped(t, s, p, now, narthex.GroupReplace, 0, typed(t, "g", gauge, 1), typed(t, "c_total", counter, 5))
	expect("10 g 1\n10 c_total 5\n") // no zero: it is a total, not an increment
	expect("20 g 1\n20 c_total 5\n")
	expect("")
	expect("")
	expect("50 g 1\n50 c_total 5\n") // heartbeat
	// POST replaces metrics of the same name only.
	grouped(t, s, p, now, narthex.GroupExtend, 0, typed(t, "g", gauge, 2), typed(t, "h", gauge, 3))
	expect("60 g 2\n60 h 3\n")
	// PUT replaces all; what is gone ends at once.
	grouped(t, s, p, now, narthex.GroupReplace, 0, typed(t, "h", gauge, 4))
	expect("70 g stale\n70 c_total stale\n70 h 4\n")
	// It never goes idle.
	for range 100 {
		tick()
	}
	if got := tick() + tick() + tick(); got != "1100 h 4\n" {
		t.Errorf("after a long time: %q", got)
	}
	// Deleted and pushed again between two ticks, nothing ends.
	grouped(t, s, p, now, narthex.GroupDelete, 0)
	grouped(t, s, p, now, narthex.GroupReplace, 0, typed(t, "h", gauge, 5))
	expect("1110 h 5\n")
	grouped(t, s, p, now, narthex.GroupDelete, 0)
	expect("1120 h stale\n")
	expect("")
	if n, _ := s.Sizes(); n != 0 {
		t.Errorf("%d series are kept of a deleted group", n)
	}
	// A time to live ends the group by itself; a push begins it anew.
	grouped(t, s, p, now, narthex.GroupReplace, 25*time.Second, typed(t, "g", gauge, 1))
	expect("1140 g 1\n")
	grouped(t, s, p, now, narthex.GroupReplace, 25*time.Second, typed(t, "g", gauge, 1))
	expect("1150 g 1\n")
	expect("1160 g 1\n")
	expect("1170 g stale\n")
	if len(s.Groups()) != 0 {
		t.Error("the group outlived its time")
	}
}

// The gauges of the push's times are those of a Pushgateway.
func TestGroupTimes(t *testing.T) {
	p := ledger.Policy{Interval: time.Second}
	s := ledger.NewState()
	at := epoch
	times := func() string {
		at = at.Add(time.Second)
		var out []string
		leads, values := tickOf(s, at.UnixMilli(), p)
		for _, x := range append(leads, values...) {
			if name := x.Labels.Get(narthex.MetricName); strings.HasSuffix(name, "_time_seconds") {
				out = append(out, fmt.Sprint(strings.TrimSuffix(name, "_time_seconds"), " ", x.Samples[0].Value-float64(epoch.Unix())))
			}
		}
		return strings.Join(out, ", ")
	}
	zero := fmt.Sprint(-float64(epoch.Unix()))
	grouped(t, s, p, at, narthex.GroupFail, 0)
	if got := times(); got != "push_failure 0, push "+zero {
		t.Errorf("after a failure: %s", got)
	}
	grouped(t, s, p, at, narthex.GroupReplace, 0, typed(t, "g", narthex.TypeGauge, 1))
	if got := times(); got != "push_failure 0, push 1" {
		t.Errorf("after a success: %s", got)
	}
	groupedAs(t, s, p, at, "other", narthex.GroupReplace, 0, typed(t, "x", narthex.TypeGauge, 1))
	if r := grouped(t, s, p, at, narthex.GroupReplace, 0, typed(t, "x", narthex.TypeCounter, 1)); len(r) != 1 || !strings.Contains(r[0].Reason, "is a gauge") {
		t.Errorf("another type in another group: %v", r)
	}
	if got := times(); !strings.HasPrefix(got, "push_failure 2, push 1") {
		t.Errorf("after a refusal: %s", got)
	}
	// The type may change where nobody else has the metric.
	if r := groupedAs(t, s, p, at, "other", narthex.GroupReplace, 0, typed(t, "x", narthex.TypeCounter, 1)); r != nil {
		t.Errorf("a new type of its own metric: %v", r)
	}
	// What is counted elsewhere can't be in a group, nor the other way round.
	fold(t, s, p, at, 1, narthex.Series{Labels: labels(t, "n_total", "job", "j"), As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}})
	if r := grouped(t, s, p, at, narthex.GroupReplace, 0, typed(t, "n_total", narthex.TypeCounter, 1)); len(r) != 1 {
		t.Errorf("a series of the ledger in a group: %v", r)
	}
	out := fold(t, s, p, at, 2, narthex.Series{Labels: labels(t, "g", "job", "j"), As: narthex.AsGauge, Samples: []narthex.Sample{{Value: 1, Time: 1}}})
	if len(out.Rejected) != 1 || !strings.Contains(out.Rejected[0].Reason, "belongs to the group") {
		t.Errorf("a series of a group as a gauge: %v", out.Rejected)
	}
}

// A nightly job's success is there the whole day.
func TestGroupIsThereAfter26Hours(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second}
	s := ledger.NewState()
	grouped(t, s, p, epoch, narthex.GroupReplace, 0, typed(t, "job_success", narthex.TypeGauge, 1))
	last := epoch
	n := 0
	for at := epoch; at.Before(epoch.Add(26 * time.Hour)); at = at.Add(15 * time.Second) {
		_, values := tickOf(s, at.UnixMilli(), p)
		for _, x := range values {
			if x.Labels.Get(narthex.MetricName) == "job_success" {
				if gap := at.Sub(last); gap > 5*time.Minute {
					t.Fatalf("a gap of %v at %v: PromQL looks back 5m", gap, at.Sub(epoch))
				}
				last = at
				n++
			}
		}
	}
	t.Logf("%d samples in 26 h", n)
	if age := epoch.Add(26 * time.Hour).Sub(last); age > 5*time.Minute {
		t.Errorf("the last sample is %v old", age)
	}
}
