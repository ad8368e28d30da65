package ledger_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// Of samples that wait in one piece only those are given up that are too old,
// and each is counted once, however often delivery is tried.
func TestOutboxAge(t *testing.T) {
	c, far := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), far, c)
	o.OutboxAge = time.Hour
	far.away(true)
	l := open(t, o)
	for i := range 120 { // two hours, one a minute
		c.add(time.Minute)
		write(t, l, c, fmt.Sprint(i), sample(t, "s", float64(i), c.Now().UnixMilli()))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	tries := 0
	far.mu.Lock()
	far.fail = func() error {
		if tries++; tries < 2 {
			return errAway
		}
		return nil
	}
	far.mu.Unlock()
	l = open(t, o)
	poll(t, "the outbox is empty", func() bool { return l.Destinations()[0].Waiting == 0 })
	if got, gone := far.samples(), l.Destinations()[0].Dropped; got < 59 || got > 61 || gone != uint64(120-got) {
		t.Errorf("%d samples of the last hour arrived, %d were given up", got, gone)
	}
}

// A destination that has taken nothing yet is given what rose and ended while it
// was away.
func TestDestinationAwayFromTheStart(t *testing.T) {
	c, near, far := &clock{now: epoch}, newStore(t), newStore(t)
	o := options(t, t.TempDir(), near, c)
	o.Others = map[string]narthex.Sink{"far": far}
	far.away(true)
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 7))
	for range 4 * 90 {
		c.add(15 * time.Second)
		_ = l.Tick(context.Background())
	}
	far.away(false)
	c.add(15 * time.Second)
	tick(t, l)
	if have := far.series["c_total"]; len(have) != 2 || have[0].Value != 0 || have[1].Value != 7 {
		t.Errorf("it has %v", have)
	}
}

// A series whose end came late to a destination wakes there from its old value.
func TestLateMarkerAndWake(t *testing.T) {
	c, near, far := &clock{now: epoch}, newStore(t), newStore(t)
	o := options(t, t.TempDir(), near, c)
	o.Others = map[string]narthex.Sink{"far": far}
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 7))
	for i := range 4 * 90 {
		far.away(i > 4*55)
		c.add(15 * time.Second)
		_ = l.Tick(context.Background())
	}
	far.away(false)
	c.add(15 * time.Second)
	tick(t, l)
	write(t, l, c, "b", delta(t, "c_total", 1))
	c.add(15 * time.Second)
	tick(t, l) // the store fails the test if two values meet
	have := far.series["c_total"]
	if n := len(have); n < 3 || have[n-3].Value == have[n-3].Value || have[n-2].Value != 7 || have[n-1].Value != 8 {
		t.Errorf("it ends with %v", have[max(0, len(have)-4):])
	}
}

// Totals of a source are added by what they grew, also to a series that is
// written by the minute, and are forgotten with the horizon.
func TestMinutesOfTotals(t *testing.T) {
	s, p := ledger.NewState(), ledger.Policy{}
	now := epoch.UnixMilli()
	fold := func(id string, late time.Duration, source string, v float64) {
		e, err := ledger.NewEntry(&narthex.Batch{ID: id, Received: time.UnixMilli(now), Lateness: late, Cumulative: source, Series: []narthex.Series{delta(t, "c_total", v)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Fold(e, now, p); err != nil {
			t.Fatal(err)
		}
	}
	fold("a", time.Minute, "", 1)
	for i := range 10 {
		now += 60 * sec
		fold(fmt.Sprint(i), 0, "process", 100)
		tickOf(s, now, p)
	}
	totals, _ := s.Find(nil, 1)
	if totals[0].Value != 101 || totals[0].Sources != 1 {
		t.Errorf("%+v", totals[0])
	}
	tickOf(s, now+25*3600*sec, p)
	if totals, _ = s.Find(nil, 1); totals[0].Sources != 0 {
		t.Errorf("after a day: %+v", totals[0])
	}
}

// Whatever hangs until its context ends does not outlive the ledger.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	c := &clock{now: epoch}
	hangs := narthex.SinkFunc(func(ctx context.Context, _ *narthex.Batch) error {
		<-ctx.Done()
		return ctx.Err()
	})
	away := narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return errAway })
	o := options(t, t.TempDir(), nil, c)
	o.Sink, o.Others = hangs, map[string]narthex.Sink{"hangs": hangs, "away": away}
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 1))
	done := make(chan struct{}, 2)
	go func() {
		b := &narthex.Batch{ID: "raw", Received: c.Now(), Series: []narthex.Series{sample(t, "raw", 1, 1)}}
		if err := l.Write(context.Background(), b); err != nil {
			t.Error(err)
		}
		done <- struct{}{}
	}()
	c.add(15 * time.Second)
	go func() { _ = l.Tick(context.Background()); done <- struct{}{} }()
	poll(t, "both are on their way", func() bool { _, ok := l.Lookup("", "raw"); return ok && l.Stats().Ticks == 1 })
	began := time.Now()
	_ = l.Close()
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("closing took %v", d)
	}
	<-done
	<-done
	poll(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	st := newStore(t)
	o.Sink, o.Others = st, nil
	l = open(t, o)
	c.add(15 * time.Second)
	tick(t, l)
	poll(t, "nothing is lost", func() bool { return st.last("c_total") == 1 && st.last("raw") == 1 })
}
