package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

var errAway = errors.New("away")

// away lets a store fail, or not.
func (s *store) away(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = nil
	if yes {
		s.fail = func() error { return errAway }
	}
}

// samples returns how many samples a store has.
func (s *store) samples() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.series {
		n += len(have)
	}
	return n
}

// One destination that is away for hours holds up no other, costs the others
// nothing, and has every total when it is back, also if the ledger was opened
// anew meanwhile.
func TestDestinationAway(t *testing.T) {
	for _, restart := range []bool{false, true} {
		c, near, far, alone := &clock{now: epoch}, newStore(t), newStore(t), newStore(t)
		o := options(t, t.TempDir(), near, c)
		o.Others = map[string]narthex.Sink{"far": far}
		l := open(t, o)
		reference := open(t, options(t, t.TempDir(), alone, c))
		step := func() {
			c.add(15 * time.Second)
			tick(t, reference)
			if err := l.Tick(context.Background()); err != nil && !errors.Is(err, errAway) {
				t.Fatal(err)
			}
		}
		inc := func(id, name string) {
			write(t, l, c, id, delta(t, name, 1))
			write(t, reference, c, id, delta(t, name, 1))
		}
		inc("a", "early_total")
		step()
		far.away(true)
		for i := range 3 * 60 * 4 {
			if i%50 == 0 {
				inc(fmt.Sprint(i), fmt.Sprintf("s%d_total", i%5))
			}
			if i == 100 {
				inc("new", "new_total")
			}
			if i == 400 && restart {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open(t, o)
			}
			step()
		}
		far.away(false)
		for range 20 {
			step()
		}
		if near.samples() > alone.samples()*12/10 {
			t.Errorf("with another one away the store was given %d samples, alone it is %d", near.samples(), alone.samples())
		}
		for name := range near.series {
			if near.resets(name)+far.resets(name) > 0 {
				t.Errorf("%s was reset", name)
			}
		}
		for _, name := range []string{"s0_total", "new_total"} {
			if a, b := greatest(near, name), greatest(far, name); a != b || a == 0 {
				t.Errorf("%s: %v near, %v far", name, a, b)
			}
			if first := far.series[name][0].Value; first != 0 {
				t.Errorf("%s begins at %v where it came back", name, first)
			}
		}
		d := l.Destinations()
		if len(d) != 2 || d[0].Name != "far" || d[0].Err != nil || !d[0].Taken.Equal(d[1].Taken) {
			t.Errorf("destinations: %+v", d)
		}
	}
}

// A destination that is new is given all totals there are.
func TestDestinationNew(t *testing.T) {
	c, dir, old, fresh := &clock{now: epoch}, t.TempDir(), newStore(t), newStore(t)
	o := options(t, dir, old, c)
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 7))
	for range 60 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.Others = map[string]narthex.Sink{"fresh": fresh}
	l = open(t, o)
	c.add(15 * time.Second)
	tick(t, l)
	if got := fresh.last("c_total"); got != 7 {
		t.Errorf("the new destination has %v", got)
	}
}

// What was restated is what was ticked, whatever was folded since.
func TestRestateIsIdentical(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s, p := ledger.NewState(), ledger.Policy{}
	fold := func(now int64) {
		h := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: []float64{1, 2}, Count: 1, Sum: 1.5, Positive: narthex.Buckets{Counts: []float64{0, 1, 0}}}
		b := &narthex.Batch{Received: time.UnixMilli(now), Series: []narthex.Series{
			delta(t, fmt.Sprintf("c%d_total", r.IntN(20)), float64(r.IntN(5))),
			gauge(t, fmt.Sprintf("g%d", r.IntN(20)), float64(r.IntN(100)), now),
			{Labels: labels(t, fmt.Sprintf("h%d", r.IntN(3))), Type: narthex.TypeHistogram, As: narthex.AsDelta, Samples: []narthex.Sample{{Histogram: h}}},
		}}
		e, err := ledger.NewEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Fold(e, now, p); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(2000) {
		now := epoch.UnixMilli() + i*15*sec
		if r.IntN(3) == 0 {
			fold(now - 5*sec)
		}
		leads, values := s.Tick(now, p)
		for range r.IntN(3) {
			fold(now + 1*sec)
		}
		again, err := ledger.Decode(s.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(again.Leads(now-1), again.Restate(now-1)), text(leads, values); got != want {
			t.Fatalf("tick %d: restated\n%swas\n%s", i, got, want)
		}
		s = again
		s.Took("x", now, p)
	}
}

// Entries that are cut up over states, sent again at random, while the states
// are regrouped at random, are counted once.
func TestRegroupProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p, now := ledger.Policy{Horizon: time.Hour}, epoch.UnixMilli()
	groups := []*ledger.State{ledger.NewPart(0, ledger.Shards)}
	of := func(v uint8) int {
		for i, g := range groups {
			if from, to := g.Range(); int(v) >= from && int(v) < to {
				return i
			}
		}
		t.Fatalf("nobody has the virtual shard %d", v)
		return 0
	}
	truth := map[string]float64{}
	var open []*ledger.Entry // that some part has not folded
	for i := range 1500 {
		now += 15 * sec
		b := &narthex.Batch{ID: fmt.Sprint(i), Received: time.UnixMilli(now)}
		for range 1 + r.IntN(6) {
			name := fmt.Sprintf("c%d_total", r.IntN(100))
			b.Series = append(b.Series, delta(t, name, 1))
			truth[name]++
		}
		e, err := ledger.NewEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
		for k := 0; k < len(open); k++ {
			whole := true
			for n, part := range open[k].Parts(of) {
				if whole = whole && r.IntN(4) > 0; !whole {
					continue
				}
				if _, err := groups[n].Fold(part, now, p); err != nil {
					t.Fatal(err)
				}
			}
			if whole && r.IntN(3) > 0 { // else it is delivered once more
				open = append(open[:k], open[k+1:]...)
				k--
			}
		}
		for _, g := range groups {
			g.Tick(now, p)
			g.Took("x", now, p)
		}
		if r.IntN(30) == 0 {
			groups = regroup(t, groups, 1<<r.IntN(5))
		}
	}
	for _, e := range open {
		for n, part := range e.Parts(of) {
			if _, err := groups[n].Fold(part, now, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]float64{}
	for _, g := range groups {
		g.Tick(now+15*sec, p)
		for _, s := range g.Restate(1) {
			got[s.Labels.Get(narthex.MetricName)] = s.Samples[0].Value
		}
	}
	for name, want := range truth {
		if got[name] != want && !math.IsNaN(got[name]) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// regroup joins all states and cuts the whole into n, through their encodings.
func regroup(t *testing.T, groups []*ledger.State, n int) (out []*ledger.State) {
	t.Helper()
	whole, err := ledger.Join(groups...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s, err := whole.Cut(i*ledger.Shards/n, (i+1)*ledger.Shards/n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}
