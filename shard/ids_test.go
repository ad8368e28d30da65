package shard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/shard"
	"narthex/state"
)

// watched is a store that counts, by what the keys begin with.
type watched struct {
	state.Memory
	mu    sync.Mutex
	loads map[string]int
	size  map[string]int // of what is there now
	// fail says whether a save fails, and whether it is done all the same.
	fail func(key string) (done bool, err error)
}

func newWatched() *watched { return &watched{loads: map[string]int{}, size: map[string]int{}} }

func kind(key string) string { return key[:strings.IndexAny(key+"/", "/0123456789")] }

func (w *watched) Load(ctx context.Context, key string) (state.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads[kind(key)]++
	return w.Memory.Load(ctx, key)
}

func (w *watched) Save(ctx context.Context, key string, prev state.Entry, data []byte) (state.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed error
	if w.fail != nil {
		var done bool
		if done, failed = w.fail(key); failed != nil && !done {
			return state.Entry{}, failed
		}
	}
	e, err := w.Memory.Save(ctx, key, prev, data)
	if err == nil {
		if delete(w.size, key); data != nil {
			w.size[key] = len(data)
		}
	}
	if failed != nil {
		return state.Entry{}, failed
	}
	return e, err
}

// dropOne deletes a value of ids.
func (w *watched) dropOne(t *testing.T) bool {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.size {
		if kind(key) != "ids" {
			continue
		}
		e, err := w.Memory.Load(t.Context(), key)
		if err == nil {
			_, err = w.Memory.Save(t.Context(), key, e, nil)
		}
		if delete(w.size, key); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

// count returns how many values there are of a kind, and the size of the largest.
func (w *watched) count(of string) (n, largest int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, size := range w.size {
		if kind(key) == of {
			n, largest = n+1, max(largest, size)
		}
	}
	return n, largest
}

func (w *watched) loaded(of string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loads[of]
}

func openSmall(t testing.TB, st state.Store, c *clock) *shard.Shards {
	t.Helper()
	s, err := shard.Open(t.Context(), shard.Options{
		Store: st, OpenIDs: 16, Now: c.Now, Logger: slog.New(slog.DiscardHandler),
		Destinations: map[string]narthex.Sink{"none": narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Ids leave the group's own value in time, become few values of a bounded size,
// are there for those that fold, not read by those that tick, and go when their
// horizon has passed.
func TestIDs(t *testing.T) {
	const pushes = 1000
	c, w := &clock{now: epoch}, newWatched()
	s := openSmall(t, w, c)
	for i := range pushes {
		if i%50 == 0 {
			s = openSmall(t, w, c) // another process
		}
		if err := s.Write(t.Context(), batch(t, c, fmt.Sprint(i), "c_total")); err != nil {
			t.Fatal(err)
		}
	}
	n, largest := w.count("ids")
	if _, own := w.count("e"); n < pushes/(16*8) || n > 20 || largest > 40*16*8 || own > 50_000 {
		t.Errorf("%d values of ids, of up to %d bytes, and %d of the group", n, largest, own)
	}
	c.add(15 * time.Second)
	before := w.loaded("ids")
	if err := openSmall(t, w, c).Tick(t.Context()); err != nil || w.loaded("ids") != before {
		t.Errorf("a tick: %v, %d loads of ids", err, w.loaded("ids")-before)
	}
	s = openSmall(t, w, c)
	for i := range pushes {
		b := batch(t, c, fmt.Sprint(i), "c_total")
		if err := s.Write(t.Context(), b); err != nil || !b.Duplicate {
			t.Fatalf("%d again: %v, duplicate %v", i, err, b.Duplicate)
		}
	}
	if got := w.loaded("ids") - before; got != n {
		t.Errorf("the retries loaded %d values of ids, want each of %d once", got, n)
	}
	// A lifecycle rule that deleted ids which nobody needs any more: two ticks on,
	// nobody asks for them.
	c.add(25 * time.Hour)
	if !w.dropOne(t) {
		t.Fatal("there are no ids")
	}
	s = openSmall(t, w, c)
	if err := s.Write(t.Context(), batch(t, c, "later", "c_total")); narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("a push when ids are missing: %v", err)
	}
	for range 2 {
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.add(15 * time.Second)
	}
	if n, _ := w.count("ids"); n != 0 {
		t.Errorf("after the horizon %d values of ids are left", n)
	}
	if err := s.Write(t.Context(), batch(t, c, "later", "c_total")); err != nil {
		t.Error(err)
	}
}

// Saves whose fate is not known, at any of their steps: nothing is counted twice,
// nothing is lost.
func TestAmbiguousSaves(t *testing.T) {
	errLost := errors.New("the answer was lost")
	for _, done := range []bool{false, true} {
		for _, of := range []string{"ids", "e"} {
			c, w := &clock{now: epoch}, newWatched()
			n := 0
			w.fail = func(key string) (bool, error) {
				if kind(key) != of {
					return false, nil
				}
				if n++; n%3 != 0 {
					return false, nil
				}
				return done, errLost
			}
			s := openSmall(t, w, c)
			failed := 0
			for i := range 200 {
				for {
					b := batch(t, c, fmt.Sprint(i), "c_total")
					err := s.Write(t.Context(), b)
					if err == nil {
						break
					}
					if failed++; narthex.KindOf(err) != narthex.Unavailable {
						t.Fatal(err)
					}
				}
			}
			st := &store{t: t, series: map[string][]narthex.Sample{}}
			w.fail = nil
			s = open(t, w, c, 1, map[string]narthex.Sink{"store": st})
			c.add(15 * time.Second)
			if err := s.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			if st.check(map[string]float64{"c_total": 200}); failed == 0 {
				t.Errorf("no save of %s failed", of)
			}
		}
	}
}

// A thousand pushes with long rejections don't make a group's value large, and
// the last of them can be told.
func TestOutcomesAreBounded(t *testing.T) {
	c, w := &clock{now: epoch}, newWatched()
	s := openSmall(t, w, c)
	if err := s.Write(t.Context(), batch(t, c, "first", "c_total")); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 120)
	for i := range 1300 {
		b := batch(t, c, fmt.Sprint(i), "c_total")
		b.Series[0].As, b.Series[0].Type = narthex.AsGauge, narthex.TypeGauge // it is a counter
		for j := range 30 {
			more := batch(t, c, "", "c_total").Series[0]
			more.Labels = append(more.Labels, narthex.Label{Name: "l", Value: fmt.Sprint(long, j)})
			if i > 0 {
				more.As, more.Type = narthex.AsGauge, narthex.TypeGauge
			}
			b.Series = append(b.Series, more)
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if _, largest := w.count("e"); largest > 150_000 {
		t.Errorf("the group's value has %d bytes", largest)
	}
	if o, ok, err := s.Lookup(t.Context(), "", "1299"); err != nil || !ok || len(o.Rejected) != 20 || !strings.Contains(o.Rejected[19].Reason, "keeps it as a counter") {
		t.Errorf("the last one: %v %v, %d rejections", ok, err, len(o.Rejected))
	}
	if o, ok, err := s.Lookup(t.Context(), "", "600"); err != nil || !ok || len(o.Rejected) != 1 || !strings.Contains(o.Rejected[0].Reason, "too long ago") {
		t.Errorf("an old one: %+v %v %v", o, ok, err)
	}
}

// A refused entry can be looked up, and does not spoil what is said of the one
// that had its id first.
func TestRefusedIsTold(t *testing.T) {
	c, w := &clock{now: epoch}, newWatched()
	s := openSmall(t, w, c)
	first := batch(t, c, "id", "c_total")
	first.Digest = narthex.Digest{1}
	if err := s.Write(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	other := batch(t, c, "id", "c_total")
	other.Digest = narthex.Digest{2}
	if err := s.Write(t.Context(), other); narthex.KindOf(err) != narthex.Conflict {
		t.Fatal(err)
	}
	again := batch(t, c, "id", "c_total")
	again.Digest = narthex.Digest{1}
	if err := s.Write(t.Context(), again); err != nil || !again.Duplicate || len(again.Rejected) != 0 {
		t.Errorf("the first one again: %v %+v", err, again)
	}
	if o, ok, err := s.Lookup(t.Context(), "", "id"); err != nil || !ok || o.Refused || len(o.Rejected) != 1 {
		t.Errorf("lookup: %+v %v %v", o, ok, err)
	}
	old := batch(t, c, "old", "c_total")
	old.Received = c.Now().Add(-25 * time.Hour)
	if err := s.Write(t.Context(), old); narthex.KindOf(err) != narthex.Invalid {
		t.Fatal(err)
	}
	if o, ok, err := s.Lookup(t.Context(), "", "old"); err != nil || !ok || !o.Refused || len(o.Rejected) != 1 {
		t.Errorf("lookup of what is too old: %+v %v %v", o, ok, err)
	}
}

// The deadline comes before all groups have ticked: the others come first the
// next time.
func TestTickIsFair(t *testing.T) {
	const groups = 64
	c, w := &clock{now: epoch}, newWatched()
	var ctx context.Context
	var cancel context.CancelFunc
	var mu sync.Mutex
	left, ticked := 0, map[string]bool{}
	sink := narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 {
			cancel()
			return ctx.Err()
		}
		for _, x := range b.Series {
			ticked[x.Labels.String()] = true
		}
		return nil
	})
	s := open(t, w, c, groups, map[string]narthex.Sink{"slow": sink})
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("c%d_total", i))
	}
	if err := s.Write(t.Context(), batch(t, c, "all", names...)); err != nil {
		t.Fatal(err)
	}
	for round := 0; len(ticked) < len(names); round++ {
		if round > 20 {
			t.Fatalf("after %d ticks %d of %d series were written", round, len(ticked), len(names))
		}
		c.add(15 * time.Second)
		ctx, cancel = context.WithCancel(t.Context())
		left = 30 // requests that there is time for
		if err := s.Tick(ctx); err != nil && narthex.KindOf(err) == 0 && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
}

// Totals that a destination refuses for good are dropped alone; without any
// destination nothing is ticked away.
func TestDestinations(t *testing.T) {
	c, w := &clock{now: epoch}, newWatched()
	picky := &store{t: t, series: map[string][]narthex.Sample{}}
	sink := narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		for _, x := range b.Series {
			if x.Labels.String() == "bad_total" {
				return narthex.Errorf(narthex.Invalid, "one of %d series is bad", len(b.Series))
			}
		}
		return picky.Write(ctx, b)
	})
	none := open(t, w, c, 1, nil)
	if err := none.Write(t.Context(), batch(t, c, "id", "a_total", "b_total", "bad_total", "c_total")); err != nil {
		t.Fatal(err)
	}
	c.add(15 * time.Second)
	if err := none.Tick(t.Context()); narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("a tick that goes nowhere: %v", err)
	}
	sample := batch(t, c, "sample", "s")
	sample.Series[0].As = narthex.AsSample
	if err := none.Write(t.Context(), sample); narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("a sample that goes nowhere: %v", err)
	}
	s := open(t, w, c, 1, map[string]narthex.Sink{"picky": sink})
	if err := s.Tick(t.Context()); err != nil {
		t.Error(err)
	}
	picky.check(map[string]float64{"a_total": 1, "b_total": 1, "c_total": 1})
	if n := s.Stats(); n.Rejected != 2 || n.SinkErrors != 0 {
		t.Errorf("%+v", n)
	}
	if err := s.Write(t.Context(), sample); err != nil || len(picky.series["s"]) != 1 {
		t.Errorf("the sample: %v, %v", err, picky.series["s"])
	}
}
