package probe_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/probe"
	"narthex/state"
)

// sink keeps what is written, by series.
type sink struct {
	mu      sync.Mutex
	batches []*narthex.Batch
	samples map[string][]narthex.Sample
	err     error
	wrote   chan struct{}
}

func newSink() *sink {
	return &sink{samples: make(map[string][]narthex.Sample), wrote: make(chan struct{}, 1000)}
}

func (s *sink) Write(_ context.Context, b *narthex.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.batches = append(s.batches, b)
	for _, x := range b.Series {
		s.samples[x.Labels.String()] = append(s.samples[x.Labels.String()], x.Samples...)
	}
	s.wrote <- struct{}{}
	return nil
}

// of returns the samples of the series whose text begins with the prefix.
func (s *sink) of(prefix string) []narthex.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []narthex.Sample
	for name, samples := range s.samples {
		if strings.HasPrefix(name, prefix) {
			out = append(out, samples...)
		}
	}
	return out
}

// total adds up increments; an id counts once.
func (s *sink) total(prefix string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, seen := 0.0, make(map[string]bool)
	for _, b := range s.batches {
		if b.ID != "" && seen[b.ID] {
			continue
		}
		seen[b.ID] = true
		for _, x := range b.Series {
			if strings.HasPrefix(x.Labels.String(), prefix) && x.As == narthex.AsDelta {
				if h := x.Samples[0].Histogram; h != nil {
					sum += h.Count
				} else {
					sum += x.Samples[0].Value
				}
			}
		}
	}
	return sum
}

// site is a page that is up or down.
type site struct {
	*httptest.Server
	down atomic.Bool
	asks atomic.Int64
	hung chan struct{} // has one for each request that hangs
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{hung: make(chan struct{}, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asks.Add(1)
		if s.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.URL.Path == "/hang" {
			s.hung <- struct{}{}
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func newRunner(t *testing.T, set *stats.Set) *probe.Runner {
	t.Helper()
	modules, err := probe.ParseModules("modules.yml", []byte(doorModules), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: probe.Guard{Loopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	return probe.NewRunner(probe.RunnerOptions{Prober: p, Stats: set})
}

func target(name, address string, every time.Duration) probe.Target {
	return probe.Target{Name: name, Target: address, Module: "http_2xx", Every: every, Timeout: every, Labels: narthex.Labels{{Name: "team", Value: "shop"}}}
}

func newSchedule(t *testing.T, o probe.ScheduleOptions) *probe.Schedule {
	t.Helper()
	s, err := probe.NewSchedule(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRound: everything due in one batch, with its labels, its times and its
// increments, which count once however often the round is made.
func TestRound(t *testing.T) {
	page, samples, counts := newSite(t), newSink(), newSink()
	var targets []probe.Target
	for i := range 20 {
		targets = append(targets, target(fmt.Sprintf("t%02d", i), fmt.Sprintf("%s/%d", page.URL, i), time.Minute))
	}
	history := new(probe.History)
	s := newSchedule(t, probe.ScheduleOptions{Targets: targets, Runner: newRunner(t, nil), Samples: samples, Counts: counts, Region: "us-west-2", History: history})
	at, before := time.Now().Truncate(time.Minute), time.Now()
	report, err := s.Round(t.Context(), at, time.Minute)
	if err != nil || report.Due != 20 || report.Probed != 20 || report.Failed != 0 {
		t.Fatalf("got %+v, %v", report, err)
	}
	if len(samples.batches) != 1 || len(counts.batches) != 1 {
		t.Errorf("%d and %d batches", len(samples.batches), len(counts.batches))
	}
	got := samples.of(`probe_success{instance="` + page.URL + `/3",job="probe",module="http_2xx",name="t03",region="us-west-2",team="shop"}`)
	if len(got) != 1 || got[0].Value != 1 || got[0].Time < before.UnixMilli() || got[0].Time > time.Now().UnixMilli() {
		t.Errorf("probe_success is %v", got)
	}
	if n := len(samples.of(`narthex_runner_round_cpu_wait_seconds{job="probe",region="us-west-2"}`)); n != 1 {
		t.Errorf("%d samples of the runner's wait", n)
	}
	if _, err := s.Round(t.Context(), at, time.Minute); err != nil { // a retry
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"probe_scheduled_total": 20, "probe_all_success_count": 20, "probe_all_success_sum": 20, "probe_all_duration_seconds": 20} {
		if got := counts.total(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := len(history.Records(func(*probe.Seen) bool { return true })); n != 20 {
		t.Errorf("the history has %d targets", n)
	}
}

// TestRoundsCoverAllSlots: rounds of 15 s, one after the other, have each target
// due as often as its interval says, none twice.
func TestRoundsCoverAllSlots(t *testing.T) {
	page, samples, counts := newSite(t), newSink(), newSink()
	var targets []probe.Target
	for i, every := range []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 2 * time.Minute} {
		targets = append(targets, target(fmt.Sprintf("t%d", i), page.URL, every))
	}
	s := newSchedule(t, probe.ScheduleOptions{Targets: targets, Runner: newRunner(t, nil), Samples: samples, Counts: counts})
	begin := time.Now().Truncate(time.Hour)
	for i := range 16 { // four minutes
		if _, err := s.Round(t.Context(), begin.Add(time.Duration(i+1)*15*time.Second), 15*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	scheduled := map[string]float64{"t0": 48, "t1": 16, "t2": 4, "t3": 2}
	probed := map[string]float64{"t0": 16, "t1": 16, "t2": 4, "t3": 2} // t0 is due more often than there are rounds
	for name := range scheduled {
		prefix := fmt.Sprintf(`{instance=%q,job="probe",module="http_2xx",name=%q`, page.URL, name)
		if got := counts.total("probe_scheduled_total" + prefix); got != scheduled[name] {
			t.Errorf("%s was due %v times, want %v", name, got, scheduled[name])
		}
		if got := counts.total("probe_all_success_count" + prefix); got != probed[name] {
			t.Errorf("%s was probed %v times, want %v", name, got, probed[name])
		}
	}
}

// TestRoundEndsInTime: what hangs does not keep the round from answering, and is
// seen as due all the same.
func TestRoundEndsInTime(t *testing.T) {
	page, samples, counts := newSite(t), newSink(), newSink()
	s := newSchedule(t, probe.ScheduleOptions{
		Targets: []probe.Target{target("hangs", page.URL+"/hang", time.Minute), target("well", page.URL, time.Minute)},
		Runner:  newRunner(t, nil), Samples: samples, Counts: counts,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	report, err := s.Round(ctx, time.Now().Truncate(time.Minute), time.Minute)
	if err != nil || ctx.Err() != nil || report.Probed != 2 || report.Failed != 1 {
		t.Errorf("got %+v, %v, %v", report, err, ctx.Err())
	}
	if counts.total("probe_scheduled_total") != 2 || counts.total("probe_all_success_sum") != 1 {
		t.Error("the increments are wrong")
	}
}

// stale returns the series that ended.
func stale(s *sink) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name, samples := range s.samples {
		if narthex.IsStaleMarker(samples[len(samples)-1].Value) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// TestStaleMarkers: a series that a target has no more ends, and all of a target
// that is no more, also when it left while nothing ran.
func TestStaleMarkers(t *testing.T) {
	page, samples, keep := newSite(t), newSink(), new(state.Memory)
	targets := []probe.Target{target("a", page.URL+"/a", time.Minute), target("b", page.URL+"/b", time.Minute)}
	o := probe.ScheduleOptions{Targets: targets, Runner: newRunner(t, nil), Samples: samples, Keep: keep}
	round := func(s *probe.Schedule) {
		t.Helper()
		if _, err := s.Round(t.Context(), time.Now(), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	s := newSchedule(t, o)
	page.down.Store(true)
	round(s)
	if got := stale(samples); len(got) != 0 {
		t.Fatalf("these ended: %v", got)
	}
	if len(samples.of("probe_failure_info")) != 2 {
		t.Fatal("there is no failure")
	}
	page.down.Store(false)
	round(newSchedule(t, o)) // another instance
	failures := len(stale(samples))
	if got := stale(samples); failures != 2 || !strings.HasPrefix(got[0], "probe_failure_info") {
		t.Fatalf("these ended: %v", got)
	}
	before := len(samples.of("probe_success"))
	o.Targets = targets[:1]
	round(newSchedule(t, o)) // b left while nothing ran
	for _, name := range stale(samples) {
		if strings.Contains(name, `name="a"`) && !strings.HasPrefix(name, "probe_failure_info") {
			t.Errorf("%s ended", name)
		}
	}
	b := samples.of(`probe_success{instance="` + page.URL + `/b"`)
	if len(samples.of("probe_success")) != before+2 || !narthex.IsStaleMarker(b[len(b)-1].Value) || b[len(b)-1].Time <= b[len(b)-2].Time {
		t.Errorf("b goes on: %v", b)
	}
	n := len(samples.of(""))
	round(newSchedule(t, o))
	for name, list := range samples.samples {
		if strings.Contains(name, `name="b"`) && len(list) > 0 && narthex.IsStaleMarker(list[len(list)-1].Value) && len(list) > 1 && narthex.IsStaleMarker(list[len(list)-2].Value) {
			t.Errorf("%s ended twice", name)
		}
	}
	if len(samples.of("")) == n {
		t.Error("nothing was written")
	}
}

// TestMarkersWaitForTheSink: a marker whose write failed is written by the next one.
func TestMarkersWaitForTheSink(t *testing.T) {
	page, samples := newSite(t), newSink()
	o := probe.ScheduleOptions{Targets: []probe.Target{target("a", page.URL, time.Minute)}, Runner: newRunner(t, nil), Samples: samples, Keep: new(state.Memory)}
	s := newSchedule(t, o)
	page.down.Store(true)
	if _, err := s.Round(t.Context(), time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	page.down.Store(false)
	samples.err = errors.New("away")
	if _, err := s.Round(t.Context(), time.Now(), time.Minute); !errors.Is(err, samples.err) {
		t.Fatalf("got %v", err)
	}
	samples.err = nil
	if _, err := newSchedule(t, o).Round(t.Context(), time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := stale(samples); len(got) != 1 || !strings.HasPrefix(got[0], "probe_failure_info") {
		t.Errorf("these ended: %v", got)
	}
}

// TestTwoInstances: one that has not seen what the other saved takes it over.
func TestTwoInstances(t *testing.T) {
	page, samples := newSite(t), newSink()
	a, b := target("a", page.URL+"/a", time.Minute), target("b", page.URL+"/b", time.Minute)
	o := probe.ScheduleOptions{Targets: []probe.Target{a, b}, Runner: newRunner(t, nil), Samples: samples, Keep: new(state.Memory)}
	first, second := newSchedule(t, o), newSchedule(t, o)
	for _, s := range []*probe.Schedule{first, second, first} {
		page.down.Store(!page.down.Load())
		if _, err := s.Round(t.Context(), time.Now(), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	o.Targets = nil
	if _, err := newSchedule(t, o).Round(t.Context(), time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	for name, list := range samples.samples {
		if !strings.HasPrefix(name, "narthex_runner_round") && !narthex.IsStaleMarker(list[len(list)-1].Value) {
			t.Errorf("%s goes on", name)
		}
	}
}

// TestRun: targets are probed at their places in the interval, each as often as it
// should, and what was found while the program stops is written.
func TestRun(t *testing.T) {
	page, samples, counts := newSite(t), newSink(), newSink()
	var targets []probe.Target
	for i := range 10 {
		targets = append(targets, target(fmt.Sprintf("t%d", i), fmt.Sprintf("%s/%d", page.URL, i), time.Second))
	}
	s := newSchedule(t, probe.ScheduleOptions{Targets: targets, Runner: newRunner(t, nil), Samples: samples, Counts: counts})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	for len(samples.of("probe_success")) < 30 {
		select {
		case <-samples.wrote:
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is written")
		}
	}
	stop()
	<-ended
	asked, written := page.asks.Load(), len(samples.of("probe_success"))
	if int(asked) < written || counts.total("probe_all_success_count") != float64(written) {
		t.Errorf("%d probes, %d samples, %v counted", asked, written, counts.total("probe_all_success_count"))
	}
	// The places are steady: the same millisecond of each second, but for the machine.
	for i := range targets {
		list := samples.of(fmt.Sprintf(`probe_success{instance="%s/%d"`, page.URL, i))
		for j := 1; j < len(list); j++ {
			if list[j].Time <= list[j-1].Time {
				t.Errorf("t%d: %v", i, list)
			}
		}
	}
	places := make(map[int64]bool)
	for i := range targets {
		list := samples.of(fmt.Sprintf(`probe_success{instance="%s/%d"`, page.URL, i))
		places[list[0].Time%1000/100] = true
	}
	if len(places) < 3 {
		t.Errorf("all targets are probed at once: %v", slices.Sorted(maps.Keys(places)))
	}
}

// TestRunnerIsBounded: beyond its bound a request is turned away, and a scheduled
// probe waits.
func TestRunnerIsBounded(t *testing.T) {
	page := newSite(t)
	modules, err := probe.ParseModules("modules.yml", []byte(doorModules), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: probe.Guard{Loopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	r := probe.NewRunner(probe.RunnerOptions{Prober: p, Concurrency: 1})
	hanging, cancel := context.WithCancel(t.Context())
	ended := make(chan *probe.Result)
	go func() {
		out, _ := r.Run(hanging, probe.Request{Target: page.URL + "/hang", Module: "http_2xx"})
		ended <- out
	}()
	<-page.hung
	if _, err := r.TryRun(t.Context(), probe.Request{Target: page.URL, Module: "http_2xx"}); narthex.KindOf(err) != narthex.Limited {
		t.Errorf("got %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if _, err := r.Run(short, probe.Request{Target: page.URL, Module: "http_2xx"}); narthex.KindOf(err) != narthex.Limited {
		t.Errorf("got %v", err)
	}
	cancel()
	if out := <-ended; out == nil || out.Success || !out.Cold {
		t.Errorf("got %+v", out)
	}
	out, err := r.Run(t.Context(), probe.Request{Target: page.URL, Module: "http_2xx"})
	if err != nil || !out.Success || out.Cold {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestRunnerCounts(t *testing.T) {
	page, set := newSite(t), new(stats.Set)
	r := newRunner(t, set)
	page.down.Store(true)
	for range 2 {
		if _, err := r.Run(t.Context(), probe.Request{Target: page.URL, Module: "http_2xx"}); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if _, err := set.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`narthex_probes_total{verdict="failure"} 2`, `narthex_probe_failures_total{phase="assert",reason="status"} 2`, "narthex_probes_running 0"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing:\n%s", want, b.String())
		}
	}
}
