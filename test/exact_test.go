package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/push"
)

// Pushers send increments, many of them twice, in any order, while the program
// is killed and started again. What PromQL says is the truth, not one more and
// not one less.
func TestExactlyOnceUnderKills(t *testing.T) {
	t.Parallel()
	const pushers, series = 16, 500
	increments, kills := scaled(20_000, 3_000), scaled(20, 5)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("NARTHEX_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("NARTHEX_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	truth := make([]int, series)
	type job struct{ id, series, add int }
	var jobs []job
	for i := range increments {
		j := job{i, r.IntN(series), 1 + r.IntN(3)}
		truth[j.series] += j.add
		jobs = append(jobs, j)
		if r.IntN(5) == 0 {
			jobs = append(jobs, j)
		}
	}
	r.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })

	s := newServer(t, "scrape_interval: 1s\n")
	queue := make(chan job)
	var wg sync.WaitGroup
	for range pushers {
		wg.Go(func() {
			c := &push.Client{URL: s.url(), Wait: 20 * time.Millisecond}
			for j := range queue {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				b := &narthex.Batch{ID: fmt.Sprint("inc-", j.id), Series: []narthex.Series{{
					Labels:  narthex.Labels{{Name: narthex.MetricName, Value: "jobs_total"}, {Name: "n", Value: fmt.Sprint(j.series)}},
					As:      narthex.AsDelta,
					Samples: []narthex.Sample{{Value: float64(j.add)}},
				}}}
				if err := c.Write(ctx, b); err != nil || len(b.Rejected) > 0 {
					t.Errorf("push %d: %v %v", j.id, err, b.Rejected)
				}
				cancel()
			}
		})
	}
	// Kill after random shares of the jobs, so that kills meet pushes.
	at := make(map[int]bool)
	for len(at) < kills {
		at[r.IntN(len(jobs))] = true
	}
	for i, j := range jobs {
		if at[i] {
			s.kill()
			s.start()
		}
		queue <- j
	}
	close(queue)
	wg.Wait()
	s.kill()
	s.start()

	total := 0
	for _, n := range truth {
		total += n
	}
	eventually(t, fmt.Sprintf("sum(jobs_total) = %d", total), func() bool { return s.value("sum(jobs_total)") == fmt.Sprint(total) })
	for _, r := range query(t, s.url(), "jobs_total", time.Time{}) {
		n, _ := strconv.Atoi(r.Metric["n"])
		if r.Value.v != fmt.Sprint(truth[n]) {
			t.Errorf("series %d: %s, want %d", n, r.Value.v, truth[n])
		}
	}
	if got := s.value("max(resets(jobs_total[1h]))"); got != "0" {
		t.Errorf("resets: %s", got)
	}
	if got := s.value("sum(increase(jobs_total[1h] anchored))"); got != fmt.Sprint(total) {
		t.Errorf("increase(… anchored): %s, want %d", got, total)
	}
	if err := s.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
