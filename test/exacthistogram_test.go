package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/openmetrics"
	"narthex/push"
)

// observation is one push of values to one series.
type observation struct {
	id, series int
	values     []int
}

// body is the push: a classic histogram and a native one.
func (o observation) body() []byte {
	labels := map[string]string{"n": fmt.Sprint(o.series)}
	b, _ := json.Marshal(map[string]any{"histograms": []any{
		map[string]any{"name": "obs", "labels": labels, "observe": o.values, "buckets": "small"},
		map[string]any{"name": "nat", "labels": labels, "observe": o.values, "buckets": "native"},
	}})
	return b
}

// observed is the truth of one series.
type observed struct {
	count, sum int
	upTo       map[string]int // by le
}

// Observations, many of them pushed twice, in any order, and the totals of
// registries, pushed again and again, while the program is killed and started
// again: counts, sums and buckets are the truth.
func TestHistogramsExactUnderKills(t *testing.T) {
	t.Parallel()
	const pushers, series = 16, 40
	pushes, kills := scaled(20_000, 2_000), scaled(20, 4)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("NARTHEX_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("NARTHEX_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	bounds := map[string]int{"1.0": 1, "2.0": 2, "5.0": 5, "10.0": 10, "+Inf": 1 << 30}
	truth := make([]observed, series)
	for i := range truth {
		truth[i].upTo = make(map[string]int)
	}
	var jobs []observation
	for i := range pushes {
		o := observation{id: i, series: r.IntN(series)}
		w := &truth[o.series]
		for range 1 + r.IntN(5) {
			v := r.IntN(15)
			o.values = append(o.values, v)
			w.count++
			w.sum += v
			for le, bound := range bounds {
				if v <= bound {
					w.upTo[le]++
				}
			}
		}
		jobs = append(jobs, o)
		if r.IntN(5) == 0 {
			jobs = append(jobs, o)
		}
	}
	r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })

	s := newServer(t, "scrape_interval: 1s\nhistograms: {small: \"1, 2, 5, 10\"}\n")
	queue := make(chan observation)
	var wg sync.WaitGroup
	for n := range pushers {
		wg.Go(func() { observe(t, s, n, queue) })
	}
	at := make(map[int]bool)
	for len(at) < kills {
		at[r.IntN(len(jobs))] = true
	}
	for i, o := range jobs {
		if at[i] {
			s.kill()
			s.start()
		}
		queue <- o
	}
	close(queue)
	wg.Wait()
	s.kill()
	s.start()
	compareObserved(t, s, truth, len(jobs))
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// observe pushes what comes in the queue, and after each the totals of a
// registry of its own, of which it now and then repeats a push.
func observe(t *testing.T, s *server, n int, queue chan observation) {
	c := &push.Client{URL: s.url(), Wait: 20 * time.Millisecond}
	total := 0
	for o := range queue {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if r, err := c.Send(ctx, fmt.Sprint("obs-", o.id), o.body()); err != nil || len(r.Rejected) > 0 {
			t.Errorf("push %d: %v %v", o.id, r, err)
		}
		total++
		x := push.Exposition{
			Group: []narthex.Label{{Name: "job", Value: "registries"}}, Aggregate: true, Source: fmt.Sprint("pusher-", n),
			ContentType: openmetrics.Text.ContentType(),
			Body: fmt.Appendf(nil, "# TYPE reg_total counter\nreg_total %d\n# TYPE reg histogram\nreg_bucket{le=\"1\"} %d\nreg_bucket{le=\"+Inf\"} %d\nreg_sum %d\nreg_count %d\n",
				total, total/2, total, 3*total, total),
		}
		for range 1 + total%2 {
			if r, err := c.SendExposition(ctx, fmt.Sprint("reg-", n, "-", total), x); err != nil || len(r.Rejected) > 0 {
				t.Errorf("totals %d of %d: %v %v", total, n, r, err)
			}
		}
		cancel()
	}
}

func compareObserved(t *testing.T, s *server, truth []observed, pushed int) {
	t.Helper()
	total := 0
	for _, w := range truth {
		total += w.count
	}
	eventually(t, "all observations are there", func() bool {
		return s.value("sum(obs_count)") == fmt.Sprint(total) && s.value("sum(histogram_count(nat))") == fmt.Sprint(total) &&
			s.value("reg_total") == fmt.Sprint(pushed)
	})
	compare := func(expr string, want func(w observed, labels map[string]string) int) {
		t.Helper()
		for _, r := range query(t, s.url(), expr, time.Time{}) {
			n, _ := strconv.Atoi(r.Metric["n"])
			if w := fmt.Sprint(want(truth[n], r.Metric)); r.Value.v != w {
				t.Errorf("%s %v: %s, want %s", expr, r.Metric, r.Value.v, w)
			}
		}
	}
	count := func(w observed, _ map[string]string) int { return w.count }
	sum := func(w observed, _ map[string]string) int { return w.sum }
	compare("obs_count", count)
	compare("obs_sum", sum)
	compare("obs_bucket", func(w observed, labels map[string]string) int { return w.upTo[labels["le"]] })
	compare("histogram_count(nat)", count)
	compare("histogram_sum(nat)", sum)
	// The native buckets up to a bound that is one of theirs.
	compare("round(histogram_fraction(-Inf, 2, nat) * histogram_count(nat))", func(w observed, _ map[string]string) int { return w.upTo["2.0"] })
	if got, want := len(query(t, s.url(), "obs_bucket", time.Time{})), 5*len(truth); got != want {
		t.Errorf("%d buckets, want %d", got, want)
	}
	for expr, want := range map[string]int{
		"reg_count": pushed, "reg_sum": 3 * pushed, `reg_bucket{le="+Inf"}`: pushed,
		"max(resets(obs_count[1h]))": 0, "max(resets(nat[1h]))": 0, "resets(reg_total[1h])": 0,
	} {
		if got := s.value(expr); got != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %d", expr, got, want)
		}
	}
}
