package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// The phases.
const (
	measuring  = "the most"
	steady     = "steady"
	overloaded = "overload"
	recovering = "after it"
)

// sample is what is seen at one moment, and since the one before.
type sample struct {
	Phase    string  `json:"phase"`
	Seconds  float64 `json:"seconds"` // since the phase began
	Length   float64 `json:"length_seconds"`
	Offered  float64 `json:"offered_per_second"`
	Answered float64 `json:"answered_per_second"`
	Busy     float64 `json:"answered_429_per_second"`
	// Milliseconds, of pushes by all doors; those answered 429; queries.
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	BusyP99  float64 `json:"busy_p99_ms"`
	QueryP99 float64 `json:"query_p99_ms"`
	// Bytes. Heap is what was alive at the last collection.
	Resident   float64 `json:"resident_bytes"`
	Anonymous  float64 `json:"resident_anonymous_bytes"`
	Heap       float64 `json:"heap_bytes"`
	Store      float64 `json:"store_bytes"`
	Goroutines float64 `json:"goroutines"`
	FDs        float64 `json:"descriptors"`
	// TickLag is how long after its time a tick was in the store, on average, in ms;
	// Lag how many seconds what is in the store is behind the last tick; Fsync how long
	// a group commit took, on average, in ms.
	TickLag float64 `json:"tick_lag_ms"`
	Lag     float64 `json:"lag_seconds"`
	Fsync   float64 `json:"fsync_ms"`
	IDs     float64 `json:"ids"`
	Chunks  float64 `json:"head_chunks"`
	Missed  bool    `json:"metrics_not_answered,omitempty"`
}

// watch takes samples.
type watch struct {
	s       *server
	d       *driver
	phase   string
	begun   time.Time
	last    time.Time
	before  map[string]float64
	mu      sync.Mutex
	samples []sample
	totals  map[string]*notes // by phase, without latencies
}

func newWatch(s *server, d *driver) *watch {
	return &watch{s: s, d: d, totals: make(map[string]*notes)}
}

func (w *watch) begin(phase string) {
	w.d.take()
	w.phase, w.begun, w.last = phase, time.Now(), time.Now()
	w.totals[phase] = &notes{kinds: make(map[string]int), failures: make(map[string]int)}
}

// every takes a sample each interval until the function that it returns is called,
// which takes the last one.
func (w *watch) every(ctx context.Context, interval time.Duration) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				w.take(ctx)
			case <-over:
				w.take(ctx)
				return
			}
		}
	}()
	return func() { close(over); <-done }
}

func (w *watch) take(ctx context.Context) {
	n, now := w.d.take(), time.Now()
	length := now.Sub(w.last).Seconds()
	x := sample{
		Phase: w.phase, Seconds: now.Sub(w.begun).Seconds(), Length: length,
		Offered: float64(n.offered) / length, Answered: float64(len(n.answered)+len(n.queries)) / length, Busy: float64(len(n.busy)) / length,
		P50: quantile(n.answered, 0.5), P99: quantile(n.answered, 0.99), BusyP99: quantile(n.busy, 0.99), QueryP99: quantile(n.queries, 0.99),
		FDs: float64(w.s.descriptors()), Store: float64(w.s.stored()),
	}
	x.Resident, x.Anonymous = w.s.resident()
	w.last = now
	m, err := w.s.metrics(ctx)
	if err != nil {
		x.Missed = true
	} else {
		x.Heap, x.Goroutines = m["go_memstats_next_gc_bytes"]/2, m["go_goroutines"]
		x.IDs, x.Chunks = m["narthex_ledger_ids"], m["prometheus_tsdb_head_chunks"]
		x.Lag = m[`narthex_destination_lag_seconds{destination="store"}`]
		x.TickLag = mean(m, w.before, "narthex_ledger_tick_duration_seconds")
		x.Fsync = mean(m, w.before, "narthex_ledger_commit_duration_seconds")
		w.before = m
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples = append(w.samples, x)
	t := w.totals[w.phase]
	t.offered, t.unsent, t.rude = t.offered+n.offered, t.unsent+n.unsent, t.rude+n.rude
	t.busy = append(t.busy, n.busy...)
	for k, v := range n.kinds {
		t.kinds[k] += v
	}
	for k, v := range n.failures {
		t.failures[k] += v
	}
}

// mean is that of a histogram's observations since before, in ms.
func mean(now, before map[string]float64, name string) float64 {
	n := now[name+"_count"] - before[name+"_count"]
	if n <= 0 {
		return 0
	}
	return 1000 * (now[name+"_sum"] - before[name+"_sum"]) / n
}

// of returns the samples of a phase.
func (w *watch) of(phase string) []sample {
	var out []sample
	for _, x := range w.samples {
		if x.Phase == phase {
			out = append(out, x)
		}
	}
	return out
}

// answered is the rate of a phase.
func (w *watch) answered(phase string) float64 {
	n, length := 0., 0.
	for _, x := range w.of(phase) {
		n, length = n+x.Answered*x.Length, length+x.Length
	}
	return n / length
}

// quantile returns one of some durations, in ms; 0 if there are none.
func quantile(list []time.Duration, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(list[int(q*float64(len(list)-1))]) / float64(time.Millisecond)
}
