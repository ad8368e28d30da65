package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// cached is a store that loses what it was not told to make durable.
type cached struct {
	*store
	safe map[string][]narthex.Sample
	fail func() error // says whether Sync fails
}

func newCached(t testing.TB) *cached {
	return &cached{store: newStore(t), safe: make(map[string][]narthex.Sample)}
}

func (s *cached) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail()
	}
	clear(s.safe)
	for name, have := range s.series {
		s.safe[name] = slices.Clone(have)
	}
	return nil
}

// cut is a power cut.
func (s *cached) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.series = maps.Clone(s.safe)
}

// What the store had not made durable when the power was cut is written again,
// however long it takes until it is back.
func TestPowerCut(t *testing.T) {
	for _, pause := range []time.Duration{15 * time.Second, 2 * time.Hour} {
		c, st := &clock{now: epoch}, newCached(t)
		o := options(t, t.TempDir(), nil, c)
		o.Sink = st
		l := open(t, o)
		write(t, l, c, "a", delta(t, "old_total", 1))
		c.add(15 * time.Second)
		tick(t, l)
		write(t, l, c, "b", delta(t, "new_total", 5), delta(t, "old_total", 1))
		write(t, l, c, "raw", sample(t, "raw", 7, c.Now().UnixMilli()))
		var failing error
		st.mu.Lock()
		st.fail = func() error { return failing }
		st.mu.Unlock()
		for i := range 3 {
			failing = errDisk
			c.add(15 * time.Second)
			if err := l.Tick(context.Background()); !errors.Is(err, errDisk) {
				t.Fatalf("tick %d of a store that can't sync: %v", i, err)
			}
		}
		o.Dir = snapshotDir(t, o.Dir)
		st.cut()
		st.mu.Lock()
		st.fail = nil
		st.mu.Unlock()
		c.add(pause)
		l = open(t, o)
		tick(t, l)
		for name, want := range map[string]float64{"new_total": 5, "old_total": 2, "raw": 7} {
			if got := greatest(st.store, name); got != want {
				t.Errorf("after %v: %s is %v, want %v", pause, name, got, want)
			}
		}
		if first := st.series["new_total"][0]; first.Value != 0 {
			t.Errorf("after %v: new_total begins at %v", pause, first.Value)
		}
	}
}

// Neither does a tick take the samples that came before it for durable, nor the
// outbox those that it has delivered.
func TestPowerCutAfterDelivery(t *testing.T) {
	c, st := &clock{now: epoch}, newCached(t)
	o := options(t, t.TempDir(), nil, c)
	o.Sink, o.CheckpointEvery = st, time.Hour
	l := open(t, o)
	c.add(15 * time.Second)
	tick(t, l)
	poll(t, "the first checkpoint is made", func() bool { return l.Stats().Checkpoints == 1 })
	st.mu.Lock()
	st.fail = func() error { return errDisk }
	st.mu.Unlock()
	write(t, l, c, "direct", sample(t, "direct", 7, c.Now().UnixMilli()))
	st.away(true)
	write(t, l, c, "late", sample(t, "late", 8, c.Now().UnixMilli()))
	st.away(false)
	poll(t, "it is delivered", func() bool { return st.last("late") == 8 })
	c.add(15 * time.Second)
	if err := l.Tick(context.Background()); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	o.Dir = snapshotDir(t, o.Dir)
	st.cut()
	st.mu.Lock()
	st.fail = nil
	st.mu.Unlock()
	open(t, o)
	poll(t, "both are there", func() bool { return st.last("direct") == 7 && st.last("late") == 8 })
}

// found is a log file as it was left: it counts what is done to it.
type found struct {
	ledger.File
	fail    error // of the next sync
	written []byte
	durable []byte // what was written by the last sync
}

func (f *found) WriteAt(p []byte, off int64) (int, error) {
	f.written = slices.Clone(p)
	return f.File.WriteAt(p, off)
}

func (f *found) Sync() error {
	if f.fail != nil {
		return f.fail
	}
	f.durable = f.written
	return f.File.Sync()
}

// A process that is killed between the write and the sync of a push leaves it in
// the cache, and its sender tries again. It is told that the push is known only
// once that is on the disk: the next process writes it again and syncs it, for the
// kernel may have taken a write that failed for done. If it can't, it does not
// start, however often it is tried.
func TestKilledBeforeSync(t *testing.T) {
	c, st, f := &clock{now: epoch}, newStore(t), &fault{}
	o := options(t, t.TempDir(), st, c).WithFiles(func(path string, real func(string) (ledger.File, error)) (ledger.File, error) {
		file, err := real(path)
		return faulty{file, f}, err
	})
	l := open(t, o)
	write(t, l, c, "before", delta(t, "c_total", 1))
	f.set(nil, errDisk, errDisk) // no sync, and no way back
	b := &narthex.Batch{ID: "during", Received: c.Now(), Series: []narthex.Series{delta(t, "c_total", 10)}}
	if err := l.Write(t.Context(), b); narthex.KindOf(err) != narthex.Unavailable {
		t.Fatalf("%v, want unavailable", err)
	}
	o = options(t, snapshotDir(t, o.Dir), st, c)
	for _, fails := range []error{errDisk, errDisk, nil} {
		file := &found{fail: fails}
		l, err := ledger.Open(t.Context(), o.WithFilesFound(func(path string, real func(string) (ledger.File, error)) (ledger.File, error) {
			var err error
			file.File, err = real(path)
			return file, err
		}))
		if !errors.Is(err, fails) {
			t.Fatalf("opened with a sync that says %v: %v", fails, err)
		}
		if fails != nil {
			continue
		}
		t.Cleanup(func() { l.Close() })
		if !bytes.Contains(file.durable, []byte("c_total")) {
			t.Errorf("the push is not written again and synced, only %q", file.durable)
		}
		if b := write(t, l, c, "during", delta(t, "c_total", 10)); !b.Duplicate {
			t.Error("the push that the log has is not known")
		}
		c.add(15 * time.Second)
		tick(t, l)
		if got := st.last("c_total"); got != 11 {
			t.Errorf("total %v, want 11", got)
		}
	}
}

// Names of destinations are anybody's: each has a directory of its own, under
// the outbox, and finds it again.
func TestDestinationNames(t *testing.T) {
	c, dir := &clock{now: epoch}, t.TempDir()
	long := ""
	for i := range 100 {
		long += fmt.Sprint("é", i%10)
	}
	names := []string{"", ".", "..", "../../x", "a/b", "a b", "%2E", "\x00", "Ü", long, long + "x", "state", "log"}
	stores := make([]*store, len(names))
	o := options(t, dir, nil, c)
	o.Sink, o.Others = nil, make(map[string]narthex.Sink)
	for i, name := range names {
		stores[i] = newStore(t)
		stores[i].away(true)
		o.Others[name] = stores[i]
	}
	l := open(t, o)
	write(t, l, c, "a", sample(t, "raw", 7, c.Now().UnixMilli()))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, st := range stores {
		st.away(false)
	}
	open(t, o)
	poll(t, "all have it, once", func() bool {
		return !slices.ContainsFunc(stores, func(st *store) bool { return st.last("raw") != 7 })
	})
	o.Others = map[string]narthex.Sink{"store": stores[0]}
	o.Dir, o.Sink = t.TempDir(), stores[1]
	if l, err := ledger.Open(context.Background(), o); err == nil {
		l.Close()
		t.Error("two destinations of one name")
	}
}
