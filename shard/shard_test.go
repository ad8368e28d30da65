package shard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/shard"
	"narthex/state"
)

var epoch = time.UnixMilli(1_800_000_000_000)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// store keeps what is written, with the rules of a Prometheus without an
// out-of-order window, and fails the test where that would bend something.
type store struct {
	t      testing.TB
	mu     sync.Mutex
	series map[string][]narthex.Sample
	fail   func() error
}

func (s *store) Write(_ context.Context, b *narthex.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	for _, x := range b.Series {
		name := x.Labels.String()
		for _, v := range x.Samples {
			have := s.series[name]
			i, found := slices.BinarySearchFunc(have, v.Time, func(h narthex.Sample, t int64) int { return int(h.Time - t) })
			switch {
			case found && math.Float64bits(have[i].Value) != math.Float64bits(v.Value):
				s.t.Errorf("%s has two values at %d: %v and %v", name, v.Time, have[i].Value, v.Value)
			case !found && i == len(have):
				s.series[name] = append(have, v)
			}
		}
	}
	return nil
}

// check compares the last values with the truth, and looks for resets.
func (s *store) check(truth map[string]float64) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, want := range truth {
		have := s.series[name]
		if len(have) == 0 || have[len(have)-1].Value != want {
			s.t.Errorf("%s: %v samples, the last of %v; want %v", name, len(have), have[max(0, len(have)-1):], want)
			continue
		}
		if have[0].Value != 0 {
			s.t.Errorf("%s begins at %v", name, have[0].Value)
		}
		for i := range have[1:] {
			if have[i+1].Value < have[i].Value {
				s.t.Errorf("%s falls from %v to %v", name, have[i].Value, have[i+1].Value)
			}
		}
	}
}

func batch(t testing.TB, c *clock, id string, names ...string) *narthex.Batch {
	t.Helper()
	b := &narthex.Batch{ID: id, Received: c.Now()}
	for _, name := range names {
		ls, err := narthex.NewLabels(narthex.Label{Name: narthex.MetricName, Value: name})
		if err != nil {
			t.Fatal(err)
		}
		b.Series = append(b.Series, narthex.Series{Labels: ls, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}})
	}
	return b
}

func open(t testing.TB, st state.Store, c *clock, groups int, sinks map[string]narthex.Sink) *shard.Shards {
	t.Helper()
	s, err := shard.Open(t.Context(), shard.Options{
		Store: st, Groups: groups, Destinations: sinks, Now: c.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Writers that come and go, conflicts, regrouping while they write, entries
// delivered again, destinations that fail: everything is counted once, and the
// series never fall.
func TestExact(t *testing.T) {
	const writers, entries, names = 6, 120, 40
	c, mem := &clock{now: epoch}, new(state.Memory)
	r := rand.New(rand.NewPCG(5, 6))
	away := false
	steady, shaky := &store{t: t, series: map[string][]narthex.Sample{}}, &store{t: t, series: map[string][]narthex.Sample{}}
	shaky.fail = func() error {
		if away {
			return narthex.Errorf(narthex.Unavailable, "away")
		}
		return nil
	}
	sinks := map[string]narthex.Sink{"steady": steady, "shaky": shaky}
	truth := map[string]float64{}
	for round := range 12 {
		shaky.mu.Lock()
		away = round%3 == 1
		shaky.mu.Unlock()
		var wg sync.WaitGroup
		for w := range writers {
			var mine []*narthex.Batch
			for i := range entries / 12 {
				var in []string
				for range 1 + r.IntN(5) {
					in = append(in, fmt.Sprintf("c%d_total", r.IntN(names)))
				}
				for _, name := range in {
					truth[name]++
				}
				mine = append(mine, batch(t, c, fmt.Sprintf("%d/%d/%d", round, w, i), in...))
			}
			s := open(t, mem, c, 4, sinks) // a process of its own
			again := r.IntN(len(mine))
			wg.Go(func() {
				for i, b := range mine {
					for b.Duplicate = false; ; {
						if err := s.Write(t.Context(), b); err == nil {
							break
						} else if narthex.IsRejected(err) {
							t.Errorf("write: %v", err)
							break
						}
					}
					if i == again {
						twice := *b
						if err := s.Write(t.Context(), &twice); err != nil || !twice.Duplicate {
							t.Errorf("the same again: %v, duplicate %v", err, twice.Duplicate)
						}
					}
				}
			})
		}
		if round%4 == 3 {
			s, n := open(t, mem, c, 4, sinks), 1<<r.IntN(6)
			wg.Go(func() {
				if err := s.Regroup(t.Context(), n); err != nil {
					t.Errorf("regroup: %v", err)
				}
			})
		}
		wg.Wait()
		c.add(15 * time.Second)
		for range 2 { // two processes tick at the same time
			s := open(t, mem, c, 4, sinks)
			wg.Go(func() {
				if err := s.Tick(t.Context()); err != nil && !away {
					t.Errorf("tick: %v", err)
				}
			})
		}
		wg.Wait()
	}
	away = false
	s := open(t, mem, c, 4, sinks)
	for range 3 {
		c.add(15 * time.Second)
		if err := s.Tick(t.Context()); err != nil {
			t.Error(err)
		}
	}
	named := map[string]float64{}
	for name, n := range truth {
		named[name] = n
	}
	steady.check(named)
	shaky.check(named)
}

// A writer that is killed between saving the state and writing leaves the same
// samples to the next one.
func TestKilledBetweenSwapAndWrite(t *testing.T) {
	c, mem := &clock{now: epoch}, new(state.Memory)
	var written [][]narthex.Series
	killed := true
	errKilled := errors.New("killed")
	recorder := narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		written = append(written, b.Series)
		if killed {
			return errKilled
		}
		return nil
	})
	sinks := map[string]narthex.Sink{"recorder": recorder}
	s := open(t, mem, c, 1, sinks)
	if err := s.Write(t.Context(), batch(t, c, "a", "c_total")); err != nil {
		t.Fatal(err)
	}
	c.add(15 * time.Second)
	if err := s.Tick(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	killed = false
	s = open(t, mem, c, 1, sinks)
	if err := s.Write(t.Context(), batch(t, c, "b", "c_total", "d_total")); err != nil {
		t.Fatal(err)
	}
	c.add(15 * time.Second)
	if err := s.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	t0 := epoch.UnixMilli()
	want := fmt.Sprintf("c_total 0@%d\nc_total 0@%d\nc_total 1@%d\nd_total 0@%d\nc_total 2@%d\nd_total 1@%d\n",
		t0, t0, t0+15000, t0+15000, t0+30000, t0+30000)
	got := ""
	for _, w := range written {
		for _, x := range w {
			got += fmt.Sprintf("%s %v@%d\n", x.Labels.Get(narthex.MetricName), x.Samples[0].Value, x.Samples[0].Time)
		}
	}
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLookup(t *testing.T) {
	c, mem := &clock{now: epoch}, new(state.Memory)
	none := map[string]narthex.Sink{"none": narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })}
	s := open(t, mem, c, 3, none)
	gauge := batch(t, c, "g", "x_total")
	if err := s.Write(t.Context(), gauge); err != nil {
		t.Fatal(err)
	}
	bad := batch(t, c, "bad", "x_total", "y_total")
	bad.Series[0].As, bad.Series[0].Type = narthex.AsGauge, narthex.TypeGauge // kept as a counter
	if err := s.Write(t.Context(), bad); err != nil || len(bad.Rejected) != 1 {
		t.Fatalf("%v, rejected %v", err, bad.Rejected)
	}
	if o, ok, err := s.Lookup(t.Context(), "", "bad"); err != nil || !ok || len(o.Rejected) != 1 || !o.Folded.Equal(epoch) || !o.Written.IsZero() {
		t.Errorf("before the tick: %+v %v %v", o, ok, err)
	}
	for range 2 {
		c.add(15 * time.Second)
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if o, ok, err := s.Lookup(t.Context(), "", "bad"); err != nil || !ok || !o.Written.Equal(epoch.Add(15*time.Second)) {
		t.Errorf("after it: %+v %v %v", o, ok, err)
	}
	if _, ok, err := s.Lookup(t.Context(), "somebody else", "bad"); ok || err != nil {
		t.Errorf("another identity knows it: %v %v", ok, err)
	}
}

// away is a store that can't be reached.
type away struct{ state.Store }

func (away) Load(context.Context, string) (state.Entry, error) {
	return state.Entry{}, errors.New("it does not answer")
}

// A ledger whose store is away is none: who keeps what Open returns would go on
// with one that knows no groups.
func TestOpenWithoutItsStore(t *testing.T) {
	if s, err := shard.Open(t.Context(), shard.Options{Store: away{}}); s != nil || narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("%v, %v", s, err)
	}
}
