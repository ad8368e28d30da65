package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// moody is a cached store that is away, takes half of a request, or takes it and
// says otherwise.
type moody struct {
	*cached
	rand *rand.Rand // guarded by the store
	mode int        // 0 good, 1 away, 2 half, 3 all, and an error; 4 any of these
}

func newMoody(t testing.TB, seed uint64) *moody {
	return &moody{cached: newCached(t), rand: rand.New(rand.NewPCG(seed, 9))}
}

func (s *moody) set(mode int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

func (s *moody) Write(ctx context.Context, b *narthex.Batch) error {
	s.mu.Lock()
	mode, n := s.mode, len(b.Series)
	if mode == 4 {
		mode = s.rand.IntN(4)
	}
	s.mu.Unlock()
	switch mode {
	case 0:
		return s.cached.Write(ctx, b)
	case 1:
		return errAway
	case 2:
		n /= 2
	}
	part := *b
	part.Series = b.Series[:n]
	return errors.Join(s.cached.Write(ctx, &part), errAway)
}

// rise returns what a series grew by from its first sample to its greatest, which
// is what increase() can see.
func (s *moody) rise(name string) float64 {
	s.mu.Lock()
	have := s.series[name]
	s.mu.Unlock()
	if len(have) == 0 {
		return 0
	}
	return greatest(s.store, name) - have[0].Value
}

// mortal is a sink that is gone once its process is killed.
type mortal struct {
	*moody
	killed *atomic.Bool
}

func (m mortal) Write(ctx context.Context, b *narthex.Batch) error {
	if m.killed.Load() {
		return errAway
	}
	return m.moody.Write(ctx, b)
}

// model is a ledger with two destinations and one that never comes back, and the
// truth about what was acknowledged.
type model struct {
	t         *testing.T
	r         *rand.Rand
	c         *clock
	o         ledger.Options
	l         *ledger.Ledger
	near, far *moody
	killed    *atomic.Bool
	truth     map[string]float64
}

// Whatever fails, is killed, or loses its power, in whatever order: all that was
// acknowledged is in each destination once it takes what it is given, first
// increments count, and nothing falls.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := &model{t: t, r: rand.New(rand.NewPCG(seed, 5)), c: &clock{now: epoch}, near: newMoody(t, seed), far: newMoody(t, seed+1), truth: map[string]float64{}}
			m.o = ledger.Options{Dir: t.TempDir(), Now: m.c.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), CheckpointBytes: 4000, OutboxAge: 10_000 * time.Hour}
			others := seed%2 > 0
			m.open(others)
			for i := range 400 {
				m.step(i, others)
			}
			m.check(others)
		})
	}
}

func (m *model) open(others bool) {
	m.killed = new(atomic.Bool)
	m.o.Sink = mortal{m.near, m.killed}
	if others {
		dead := narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return errAway })
		m.o.Others = map[string]narthex.Sink{"far": mortal{m.far, m.killed}, "dead": dead}
	}
	m.l = open(m.t, m.o)
}

func (m *model) ticks(n int) {
	for range n {
		m.c.add(15 * time.Second)
		_ = m.l.Tick(context.Background())
	}
}

func (m *model) step(i int, others bool) {
	switch m.r.IntN(26) {
	case 0, 1, 2, 3, 4, 5:
		m.c.add(time.Duration(m.r.IntN(30)) * time.Second)
		_ = m.l.Tick(context.Background())
	case 6:
		m.ticks(m.r.IntN(300)) // for longer than idle
	case 7:
		m.c.add(time.Duration(m.r.IntN(7200)) * time.Second)
	case 8:
		m.c.add(-time.Duration(m.r.IntN(40)) * time.Second)
	case 9:
		if err := m.l.Close(); err != nil {
			m.t.Fatal(err)
		}
		m.open(others)
	case 10, 11: // killed
		m.killed.Store(true)
		m.o.Dir = snapshotDir(m.t, m.o.Dir)
		if m.r.IntN(3) > 0 {
			m.near.cut()
			m.c.add(time.Duration(m.r.IntN(7200)) * time.Second)
		}
		m.open(others)
	case 12:
		m.near.set(max(0, m.r.IntN(6)-1))
	case 13:
		m.far.set(max(0, m.r.IntN(6)-1))
	default:
		m.push(i)
	}
}

func (m *model) push(i int) {
	b := &narthex.Batch{ID: fmt.Sprint(i), Received: m.c.Now()}
	add := func(s narthex.Series, counts string, v float64) {
		b.Series = append(b.Series, s)
		m.truth[counts] += v
	}
	switch m.r.IntN(6) {
	case 0:
		name := fmt.Sprintf("h%d", m.r.IntN(4))
		add(observe(m.t, name, "1, 2", 1.5), name+"_count", 1)
	case 1:
		name := fmt.Sprintf("raw%d", i)
		add(sample(m.t, name, float64(i+1), m.c.Now().UnixMilli()), name, float64(i+1))
	case 2:
		b.Lateness = 5 * time.Minute
		name := fmt.Sprintf("m%d_total", m.r.IntN(4))
		s := delta(m.t, name, 1)
		s.Samples[0].Time = m.c.Now().UnixMilli() - m.r.Int64N(6*60*sec)
		add(s, name, 1)
	default:
		for range 1 + m.r.IntN(3) {
			name := fmt.Sprintf("c%d_total", m.r.IntN(20))
			add(delta(m.t, name, 2), name, 2)
		}
	}
	if err := m.l.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
		m.t.Fatal(err, b.Rejected)
	}
}

func (m *model) check(others bool) {
	m.near.set(0)
	m.far.set(0)
	m.ticks(40)
	for _, d := range []*moody{m.near, m.far} {
		if d == m.far && !others {
			continue
		}
		for name, want := range m.truth {
			poll(m.t, name+" is there", func() bool { return greatest(d.store, name) >= want })
			if got := greatest(d.store, name); got != want || d.resets(name) > 0 {
				m.t.Errorf("%s is %v with %d resets, want %v", name, got, d.resets(name), want)
			}
			if got := d.rise(name); name[0] != 'r' && (got != want || math.IsNaN(got)) {
				m.t.Errorf("%s rises by %v, want %v", name, got, want)
			}
		}
	}
}
