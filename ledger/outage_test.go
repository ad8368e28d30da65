package ledger_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"narthex"
)

// greatest returns a series' greatest value.
func greatest(st *store, name string) (m float64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, v := range st.series[name] {
		if v.Value > m {
			m = v.Value
		}
	}
	return m
}

// poll waits until ok holds.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

// An increment that was acknowledged while the store was away for longer than
// idle is written when it is back.
func TestOutageLongerThanIdle(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	write(t, l, c, "a", delta(t, "c_total", 10))
	c.add(15 * time.Second)
	tick(t, l)
	st.mu.Lock()
	st.fail = func() error { return errDisk }
	st.mu.Unlock()
	write(t, l, c, "b", delta(t, "c_total", 5))
	for range 2 * 60 * 4 { // two hours away
		c.add(15 * time.Second)
		l.Tick(context.Background())
	}
	st.mu.Lock()
	st.fail = nil
	st.mu.Unlock()
	for range 24 * 60 * 4 { // a day of good ticks
		c.add(15 * time.Second)
		tick(t, l)
	}
	if m := greatest(st, "c_total"); m != 15 {
		t.Errorf("after a day with a good store the greatest value stored is %v, acknowledged 15", m)
	}
}

// So is one whose tick failed just before a clean stop.
func TestOutageAndRestart(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 10))
	c.add(15 * time.Second)
	tick(t, l)
	st.mu.Lock()
	st.fail = func() error { return errDisk }
	st.mu.Unlock()
	write(t, l, c, "b", delta(t, "c_total", 5))
	c.add(15 * time.Second)
	l.Tick(context.Background()) // no leads due, values fail
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	st.mu.Lock()
	st.fail = nil
	st.mu.Unlock()
	c.add(2 * time.Hour)
	l = open(t, o)
	for range 24 * 60 * 4 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	if m := greatest(st, "c_total"); m != 15 {
		t.Errorf("the greatest value stored is %v, acknowledged 15", m)
	}
}

// Whoever gives up a damaged log loses what it held, and nothing after it.
func TestLogMovedAway(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	for i := range 3 {
		write(t, l, c, fmt.Sprint("a", i), delta(t, "c_total", 1))
		c.add(15 * time.Second)
		tick(t, l)
		l.Close()
		l = open(t, o)
	}
	l.Close()
	files, _ := filepath.Glob(filepath.Join(o.Dir, "log", "*.log"))
	for _, f := range files {
		os.Rename(f, filepath.Join(t.TempDir(), filepath.Base(f)))
	}
	// The store is away, so the next checkpoint waits.
	st.fail = func() error { return errDisk }
	l = open(t, o)
	write(t, l, c, "s", sample(t, "raw", 1, c.Now().UnixMilli()))
	write(t, l, c, "acked", delta(t, "c_total", 39))
	crash := snapshotDir(t, o.Dir)
	st2 := newStore(t)
	o.Dir, o.Sink = crash, st2
	l2 := open(t, o)
	c.add(15 * time.Second)
	tick(t, l2)
	if _, ok := l2.Lookup("", "acked"); !ok {
		t.Errorf("the acknowledged entry is gone; c_total is %v, want 42; replayed %d", st2.last("c_total"), l2.Stats().Replayed)
	}
}

// Sums that pass the largest number are refused, not stored.
func TestSumOverflow(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	write(t, l, c, "a", observe(t, "h", "1, 2", 1.5e308))
	if b := write(t, l, c, "b", observe(t, "h", "1, 2", 1.5e308)); len(b.Rejected) != 1 {
		t.Errorf("a sum past the largest number: %v", b.Rejected)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, o)
}

// A total that the store refuses for good does not hold up the others.
func TestRefusedTotal(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	n := 0
	o := options(t, t.TempDir(), st, c)
	o.Sink = narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		for _, s := range b.Series {
			if s.Labels.Get("__name__") == "bad_total" {
				n++
				return narthex.Errorf(narthex.Invalid, "label too long for this store")
			}
		}
		return st.Write(ctx, b)
	})
	l := open(t, o)
	write(t, l, c, "a", delta(t, "good_total", 10))
	c.add(15 * time.Second)
	tick(t, l)
	write(t, l, c, "b", delta(t, "bad_total", 1), delta(t, "good_total", 10))
	for range 100 {
		c.add(15 * time.Second)
		l.Tick(context.Background())
	}
	if v := st.last("good_total"); v != 20 {
		t.Errorf("100 ticks after one series was refused for good, good_total is %v, want 20; refused %d times; checkpoints %d, log files kept", v, n, l.Stats().Checkpoints)
	}
}

// A save whose outcome was not known does not end all later ones.
func TestCheckpointAfterConflict(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	o.CheckpointBytes = 1
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 1))
	poll(t, "the first checkpoint is made", func() bool { return l.Stats().Checkpoints > 0 })
	// What a Save leaves whose rename was done and whose sync of the directory failed.
	path := filepath.Join(o.Dir, "state", "checkpoint")
	data, _ := os.ReadFile(path)
	os.WriteFile(path, append(data, 1), 0o600)
	base := l.Stats().Checkpoints
	n := 0
	poll(t, "checkpoints are made again", func() bool {
		n++
		write(t, l, c, fmt.Sprint("x", n), delta(t, "c_total", 1))
		return l.Stats().Checkpoints > base+1
	})
}

// What was taken under a higher limit stays taken.
func TestLimitLowered(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	for i := range 10 {
		write(t, l, c, fmt.Sprint(i), delta(t, fmt.Sprintf("c%d_total", i), 1))
	}
	crash := snapshotDir(t, o.Dir)
	o.Dir, o.Policy.MaxSeries = crash, 5
	l2 := open(t, o)
	c.add(15 * time.Second)
	tick(t, l2)
	if n := l2.Stats().Series; n != 10 {
		t.Errorf("%d of 10 acknowledged series after a restart with a lower limit; rejected stat %d", n, l2.Stats().Rejected)
	}
}

// Samples that wait for the store do not cost a goroutine each.
func TestOutboxIsOneGoroutine(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	st.fail = func() error { return errDisk }
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	before := runtime.NumGoroutine()
	for i := range 2000 {
		write(t, l, c, fmt.Sprint(i), sample(t, "raw", 1, c.Now().UnixMilli()+int64(i)))
	}
	if n := runtime.NumGoroutine() - before; n > 100 {
		t.Errorf("2000 pushes while the store is away left %d goroutines", n)
	}
}

// Samples that are tried again are copies, and what is refused then is counted.
func TestRetryKeepsNothingOfTheCaller(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	first := true
	got := make(chan float64, 1)
	o := options(t, t.TempDir(), st, c)
	o.Sink = narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		if first {
			first = false
			return errDisk
		}
		got <- b.Series[0].Samples[0].Value
		b.Reject("raw", "too old")
		return nil
	})
	l := open(t, o)
	b := write(t, l, c, "a", sample(t, "raw", 1, c.Now().UnixMilli()))
	b.Series[0].Samples[0].Value = 666 // ours again, says Sink
	if v := <-got; v != 1 {
		t.Errorf("the store got %v, pushed 1", v)
	}
	poll(t, "the refusal is counted", func() bool { return l.Stats().Rejected == 1 })
}

// A series that leaves its group and is counted at once is born after the
// marker.
func TestGroupEndThenDelta(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	g := &narthex.Group{Labels: narthex.Labels{{Name: "job", Value: "j"}}}
	x := narthex.Series{Labels: labels(t, "x_total", "job", "j"), Type: narthex.TypeCounter, Samples: []narthex.Sample{{Value: 5}}}
	b := &narthex.Batch{ID: "g", Received: c.Now(), Group: g, Series: []narthex.Series{x}}
	if err := l.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	c.add(15 * time.Second)
	tick(t, l)
	b = &narthex.Batch{ID: "d", Received: c.Now(), Group: &narthex.Group{Labels: g.Labels, Op: narthex.GroupDelete}}
	if err := l.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	write(t, l, c, "early", narthex.Series{Labels: x.Labels, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 3}}})
	c.add(15 * time.Second)
	tick(t, l)
	write(t, l, c, "later", narthex.Series{Labels: x.Labels, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 3}}})
	c.add(15 * time.Second)
	tick(t, l)
}

// A push is written when the store has taken its tick, not before.
func TestLookupOfFailedTick(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	st.fail = func() error { return errDisk }
	l := open(t, options(t, t.TempDir(), st, c))
	write(t, l, c, "a", delta(t, "c_total", 1))
	c.add(15 * time.Second)
	l.Tick(context.Background())
	if w, ok := l.Lookup("", "a"); ok && !w.IsZero() {
		t.Errorf("the receipt says written at %v; the store has %v", w.UTC(), st.series)
	}
}

// A gauge that is older than what is known wakes nothing.
func TestLateGaugeWakesNothing(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	write(t, l, c, "a", gauge(t, "g", 7, c.Now().UnixMilli()))
	for range 300 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	n := len(st.series["g"])
	write(t, l, c, "b", gauge(t, "g", 3, epoch.UnixMilli()-1000))
	c.add(15 * time.Second)
	tick(t, l)
	if m := len(st.series["g"]); m != n {
		t.Errorf("a superseded event from the past wrote the old value %v anew", st.last("g"))
	}
}

// A staleness marker that the store did not take is written again.
func TestMarkerIsWrittenAgain(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	write(t, l, c, "a", delta(t, "c_total", 10))
	for range 240 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	st.mu.Lock()
	st.fail = func() error { return errDisk }
	st.mu.Unlock()
	c.add(15 * time.Second)
	l.Tick(context.Background())
	st.mu.Lock()
	st.fail = nil
	st.mu.Unlock()
	for range 240 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	if v := st.last("c_total"); !math.IsNaN(v) {
		t.Errorf("the series never ends: last %v", v)
	}
}

// A checkpoint waits until the store has taken the values of the ticks that it
// holds.
func TestCheckpointWaitsForValues(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	o.CheckpointBytes = 1
	inValues, goOn := make(chan struct{}), make(chan struct{})
	armed := false
	o.Sink = narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		if armed {
			close(inValues)
			<-goOn
		}
		return st.Write(ctx, b)
	})
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 10))
	c.add(15 * time.Second)
	tick(t, l)
	write(t, l, c, "b", delta(t, "c_total", 5))
	armed = true
	c.add(15 * time.Second)
	done := make(chan struct{})
	go func() { l.Tick(context.Background()); close(done) }()
	<-inValues
	for i := range 200 { // each would make a checkpoint
		write(t, l, c, fmt.Sprint("x", i), delta(t, "c_total", 0))
	}
	crash := snapshotDir(t, o.Dir)
	armed = false
	close(goOn)
	<-done
	st2 := newStore(t)
	o.Dir, o.Sink = crash, st2
	c.add(2 * time.Hour)
	l2 := open(t, o)
	for range 24 * 60 {
		c.add(15 * time.Second)
		tick(t, l2)
	}
	if m := greatest(st2, "c_total"); m != 15 {
		t.Errorf("after the crash the greatest value stored is %v, acknowledged 15", m)
	}
}
