package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// What narthex writes for a counter that was pushed in pieces is what a
// Prometheus scrapes from one long-lived process that holds the same total:
// the same values in the same order, from the zero before the first value on,
// and the same value at every moment at which neither is about to change.
func TestSamplesAreThoseOfAScrape(t *testing.T) {
	var total atomic.Int64
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE work_total counter\nwork_total %d\n", total.Load())
	}))
	defer process.Close()
	prom := startPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs: [{job_name: work, static_configs: [{targets: [%q]}]}]
`, process.Listener.Addr())).base
	s := newServer(t, "scrape_interval: 1s\n")

	scraped := func() []point { return samples(t, prom, "work_total") }
	eventually(t, "the process is scraped", func() bool { return len(query(t, prom, "work_total", time.Time{})) == 1 })
	var steady []time.Time // moments at which both have seen the change
	for i, add := range []int{1, 41, 3, 1000, 0, 7} {
		total.Add(int64(add))
		for part := range 3 { // what one process counts, three functions push
			n := add / 3
			if part == 2 {
				n = add - 2*n
			}
			if code, answer := s.push(fmt.Sprintf(`{"id":"%d-%d","counters":[{"name":"work_total","add":%d}]}`, i, part, n)); code != http.StatusOK {
				t.Fatalf("push: %d %v", code, answer)
			}
		}
		want := fmt.Sprint(total.Load())
		seen := func(base string) bool {
			r := query(t, base, "work_total", time.Time{})
			return len(r) == 1 && r[0].Value.v == want
		}
		eventually(t, "both show "+want, func() bool { return seen(prom) && seen(s.url()) })
		steady = append(steady, time.Now())
	}
	if a, b := distinct(scraped()), distinct(samples(t, s.url(), "work_total")); !slices.Equal(a, b) {
		t.Errorf("scraped %v, written %v", a, b)
	}
	for _, at := range steady {
		a, b := query(t, prom, "work_total", at)[0].Value.v, query(t, s.url(), "work_total", at)[0].Value.v
		if a != b {
			t.Errorf("at %v: scraped %s, written %s", at, a, b)
		}
	}
	// Tick by tick there is one sample, at the tick's grid time. A machine that
	// is busy for a whole second misses a tick; most must be there.
	got := samples(t, s.url(), "work_total")
	for i, p := range got {
		if p.t != float64(int64(p.t)) || i > 0 && p.t <= got[i-1].t {
			t.Errorf("sample %d is at %v, the one before at %v", i, p.t, got[max(i-1, 0)].t)
		}
	}
	if ticks := got[len(got)-1].t - got[0].t; float64(len(got)) < ticks/2 {
		t.Errorf("%d samples in %v ticks", len(got), ticks)
	}
	if got[0].v != "0" {
		t.Errorf("the first sample is %s", got[0].v)
	}
}

// distinct returns the values without repetitions of the one before.
func distinct(ps []point) (out []string) {
	for _, p := range ps {
		if len(out) == 0 || out[len(out)-1] != p.v {
			out = append(out, p.v)
		}
	}
	return out
}

// One push of 42 counts 42.
func TestOnePush(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	s.push(`{"counters":[{"name":"jobs_total","add":42}]}`)
	eventually(t, "five samples are stored", func() bool {
		r := query(t, s.url(), "jobs_total[1h]", time.Time{})
		return len(r) == 1 && len(r[0].Values) >= 5
	})
	written := samples(t, s.url(), "jobs_total")
	if written[0].v != "0" || written[1].v != "42" {
		t.Fatalf("born as %v", written[:2])
	}
	for _, p := range written[1:] {
		at := time.UnixMilli(int64(p.t * 1000))
		for _, expr := range []string{"increase(jobs_total[5m])", "increase(jobs_total[5m] anchored)"} {
			if got := query(t, s.url(), expr, at); len(got) != 1 || got[0].Value.v != "42" {
				t.Errorf("%s at %v: %v", expr, p.t, got)
			}
		}
		between := at.Add(400 * time.Millisecond)
		if between.Before(time.Now()) {
			if got := query(t, s.url(), "increase(jobs_total[5m] anchored)", between); got[0].Value.v != "42" {
				t.Errorf("anchored, between samples: %v", got)
			}
		}
	}
}

// One client's clock that is ahead does not make the others' samples too old.
func TestClientAhead(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\nstorage: {out_of_order_time_window: 1m}\n")
	now := time.Now()
	sample := func(name string, at time.Time) string {
		return fmt.Sprintf(`{"series":{"labels":{"__name__":%q},"samples":[{"value":1,"timestamp":%d}]}}`, name, at.UnixMilli())
	}
	code, answer := s.push(sample("ahead", now.Add(9*time.Minute)))
	if code != http.StatusOK || answer["warnings"] == nil {
		t.Errorf("a sample ahead of now: %d %v", code, answer)
	}
	for i := range 5 {
		at := now.Add(-time.Duration(i) * 10 * time.Second)
		if code, answer := s.push(sample("honest", at)); code != http.StatusOK {
			t.Errorf("a sample of %v ago: %d %v", time.Since(at), code, answer)
		}
	}
	if got := samples(t, s.url(), "honest"); len(got) != 5 {
		t.Errorf("%d of the other client's samples are stored, want 5", len(got))
	}
	ahead := samples(t, s.url(), "ahead")
	if ms, _ := strconv.ParseFloat(fmt.Sprint(ahead[0].t), 64); ms > float64(time.Now().UnixMilli())/1000 {
		t.Errorf("the sample is stored ahead of now, at %v", ahead[0].t)
	}
}
