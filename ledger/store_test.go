package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

const sec = int64(1000)

// epoch is when the tests' clocks begin: a multiple of every interval used.
var epoch = time.UnixMilli(1_800_000_000_000)

// store is a sink with the rules of a Prometheus without an out-of-order
// window. It fails the test where a real one would lose or bend something.
type store struct {
	t       testing.TB
	mu      sync.Mutex
	series  map[string][]narthex.Sample
	refused int          // totals that came out of order
	fail    func() error // says whether the next write fails
}

func newStore(t testing.TB) *store { return &store{t: t, series: make(map[string][]narthex.Sample)} }

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
			s.add(b, name, v)
		}
	}
	return nil
}

func (s *store) add(b *narthex.Batch, name string, v narthex.Sample) {
	have := s.series[name]
	i, found := slices.BinarySearchFunc(have, v.Time, func(h narthex.Sample, t int64) int { return int(h.Time - t) })
	switch {
	case found && math.Float64bits(have[i].Value) != math.Float64bits(v.Value):
		if b.Totals {
			s.t.Errorf("%s has two values at %d: %v and %v", name, v.Time, have[i].Value, v.Value)
		}
		b.Reject(name, "another value stands there")
	case found:
	case i < len(have):
		s.refused++
	default:
		s.series[name] = append(have, v)
	}
}

// last returns a series' newest value.
func (s *store) last(name string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.series[name]
	if len(have) == 0 {
		return math.NaN()
	}
	return have[len(have)-1].Value
}

// resets counts how often a series falls.
func (s *store) resets(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := 0.0
	for _, v := range s.series[name] {
		if v.Value < was {
			n++
		}
		if !math.IsNaN(v.Value) {
			was = v.Value
		}
	}
	return n
}

func labels(t testing.TB, name string, kv ...string) narthex.Labels {
	t.Helper()
	ls := []narthex.Label{{Name: narthex.MetricName, Value: name}}
	for i := 0; i < len(kv); i += 2 {
		ls = append(ls, narthex.Label{Name: kv[i], Value: kv[i+1]})
	}
	out, err := narthex.NewLabels(ls...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func delta(t testing.TB, name string, v float64) narthex.Series {
	return narthex.Series{Labels: labels(t, name), Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: v}}}
}

func gauge(t testing.TB, name string, v float64, at int64) narthex.Series {
	return narthex.Series{Labels: labels(t, name), Type: narthex.TypeGauge, As: narthex.AsGauge, Samples: []narthex.Sample{{Value: v, Time: at}}}
}

func sample(t testing.TB, name string, v float64, at int64) narthex.Series {
	return narthex.Series{Labels: labels(t, name), Samples: []narthex.Sample{{Value: v, Time: at}}}
}

// clock is a clock that tests set.
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

func open(t testing.TB, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func write(t testing.TB, l *ledger.Ledger, c *clock, id string, series ...narthex.Series) *narthex.Batch {
	t.Helper()
	b := &narthex.Batch{ID: id, Received: c.Now(), Series: series}
	if err := l.Write(context.Background(), b); err != nil {
		t.Fatalf("write %s: %v", id, err)
	}
	return b
}

func tick(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if err := l.Tick(context.Background()); err != nil {
		t.Fatalf("tick: %v", err)
	}
}

// text prints samples a line each, times as seconds from the epoch.
func text(groups ...[]narthex.Series) string {
	var b strings.Builder
	for _, g := range groups {
		for _, s := range g {
			for _, v := range s.Samples {
				val := fmt.Sprint(v.Value)
				if math.IsNaN(v.Value) {
					val = "stale"
				}
				fmt.Fprintf(&b, "%v %s %s\n", float64(v.Time-epoch.UnixMilli())/1000, s.Labels, val)
			}
		}
	}
	return b.String()
}

var errDisk = errors.New("no space left on device")

// tickOf is a tick whose samples the store takes.
func tickOf(s *ledger.State, t int64, p ledger.Policy) (leads, values []narthex.Series) {
	leads, values = s.Tick(t, p)
	s.Confirm(t)
	return leads, values
}
