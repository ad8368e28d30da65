package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

func options(t testing.TB, dir string, st *store, c *clock) ledger.Options {
	return ledger.Options{
		Dir: dir, Sink: st, Now: c.Now, Policy: ledger.Policy{Interval: 15 * time.Second},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

func TestLedger(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	write(t, l, c, "a", delta(t, "c_total", 2), gauge(t, "g", 5, 0), sample(t, "raw", 1, epoch.UnixMilli()-1))
	if b := write(t, l, c, "a", delta(t, "c_total", 2)); !b.Duplicate {
		t.Error("the second delivery is not a duplicate")
	}
	if written, ok := l.Lookup("", "a"); !ok || !written.IsZero() {
		t.Errorf("before the tick: written %v, known %v", written, ok)
	}
	if st.last("raw") != 1 {
		t.Error("a sample with its own time waits for the tick")
	}
	c.add(20 * time.Second)
	tick(t, l)
	if written, ok := l.Lookup("", "a"); !ok || !written.Equal(epoch.Add(15*time.Second)) {
		t.Errorf("after the tick: written %v, known %v", written, ok)
	}
	if _, ok := l.Lookup("other", "a"); ok {
		t.Error("another identity sees the id")
	}
	if st.last("c_total") != 2 || st.last("g") != 5 {
		t.Errorf("c_total %v, g %v", st.last("c_total"), st.last("g"))
	}
	// Another process can't have the directory meanwhile.
	if _, err := ledger.Open(context.Background(), o); err == nil || !strings.Contains(err.Error(), "in use by another narthex") {
		t.Errorf("second open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := &narthex.Batch{ID: "late", Received: c.Now(), Series: []narthex.Series{delta(t, "c_total", 1)}}
	if err := l.Write(context.Background(), b); narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("write after close: %v", err)
	}
	l = open(t, o)
	if b := write(t, l, c, "a", delta(t, "c_total", 2)); !b.Duplicate {
		t.Error("the id is forgotten after a restart")
	}
	write(t, l, c, "b", delta(t, "c_total", 3))
	c.add(15 * time.Second)
	tick(t, l)
	if st.last("c_total") != 5 {
		t.Errorf("c_total %v after a restart, want 5", st.last("c_total"))
	}
}

// snapshotDir copies what a crash right now would leave. A copy is not made at
// one point in time, so it is made again if a checkpoint came between.
func snapshotDir(t testing.TB, from string) string {
	t.Helper()
	for {
		to := copyDir(t, from)
		was, _ := os.ReadFile(filepath.Join(to, "state", "checkpoint"))
		if is, _ := os.ReadFile(filepath.Join(from, "state", "checkpoint")); bytes.Equal(was, is) {
			return to
		}
	}
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.Walk(from, func(path string, info os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if info.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Entries and ticks, with a crash after any of them: what was acknowledged is
// there, once.
func TestLedgerCrash(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			c, st := &clock{now: epoch}, newStore(t)
			o := options(t, t.TempDir(), st, c)
			o.CheckpointBytes = 2000
			l := open(t, o)
			truth := map[string]float64{}
			for i := range 300 {
				switch r.IntN(8) {
				case 0:
					c.add(time.Duration(r.IntN(40)) * time.Second)
					tick(t, l)
				case 1:
					o.Dir = snapshotDir(t, o.Dir)
					l = open(t, o)
				default:
					name := fmt.Sprintf("c%d_total", r.IntN(5))
					id := fmt.Sprint(i)
					write(t, l, c, id, delta(t, name, 1))
					truth[name]++
					if r.IntN(3) == 0 {
						if b := write(t, l, c, id, delta(t, name, 1)); !b.Duplicate {
							t.Errorf("entry %d counted twice", i)
						}
					}
				}
			}
			c.add(time.Minute)
			tick(t, l)
			for name, want := range truth {
				if got := st.last(name); got != want || st.resets(name) != 0 {
					t.Errorf("%s: %v with %d resets, want %v", name, got, st.resets(name), want)
				}
			}
			if l.Stats().Series != len(truth) {
				t.Errorf("%d series, want %d", l.Stats().Series, len(truth))
			}
		})
	}
}

// Many writers share fsyncs; nothing is lost or counted twice, with checkpoints
// and ticks going on.
func TestLedgerConcurrent(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	o.CheckpointBytes = 20_000
	l := open(t, o)
	var dups atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 200 {
				// Every fourth id is sent by two writers.
				id := fmt.Sprint(w, "-", i)
				if i%4 == 0 {
					id = fmt.Sprint(w/2, "+", i)
				}
				if write(t, l, c, id, delta(t, "c_total", 1)).Duplicate {
					dups.Add(1)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for range 50 {
		c.add(15 * time.Second)
		tick(t, l)
	}
	<-done
	c.add(15 * time.Second)
	tick(t, l)
	if want := float64(16*150 + 8*50); st.last("c_total") != want || dups.Load() != 8*50 {
		t.Errorf("total %v (want %v), %d duplicates", st.last("c_total"), want, dups.Load())
	}
	s := l.Stats()
	if s.Commits >= 16*200 || s.Checkpoints == 0 {
		t.Errorf("%d commits, %d checkpoints", s.Commits, s.Checkpoints)
	}
	o.Dir = snapshotDir(t, o.Dir)
	c.add(15 * time.Second)
	l = open(t, o)
	tick(t, l)
	if got := st.last("c_total"); got != 16*150+8*50 {
		t.Errorf("total %v after a crash", got)
	}
}

// faulty is a log file on a disk that fills up and fails.
type faulty struct {
	ledger.File
	fault *fault
}

type fault struct {
	mu    sync.Mutex
	write func(p []byte) int // how much of p still fits; nil: all
	sync  error
	trunc error
}

func (f *fault) set(write func([]byte) int, sync, trunc error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write, f.sync, f.trunc = write, sync, trunc
}

func (f faulty) WriteAt(p []byte, off int64) (int, error) {
	f.fault.mu.Lock()
	defer f.fault.mu.Unlock()
	if f.fault.write != nil {
		if n := f.fault.write(p); n < len(p) {
			f.File.WriteAt(p[:n], off)
			return n, errDisk
		}
	}
	return f.File.WriteAt(p, off)
}

func (f faulty) Sync() error {
	f.fault.mu.Lock()
	defer f.fault.mu.Unlock()
	return errors.Join(f.fault.sync, f.File.Sync())
}

func (f faulty) Truncate(n int64) error {
	f.fault.mu.Lock()
	defer f.fault.mu.Unlock()
	if f.fault.trunc != nil {
		return f.fault.trunc
	}
	return f.File.Truncate(n)
}

func TestLedgerDiskFaults(t *testing.T) {
	half := func(p []byte) int { return len(p) / 2 }
	none := func([]byte) int { return 0 }
	for _, tc := range []struct {
		name        string
		write       func([]byte) int
		sync, trunc error
	}{
		{"full", none, nil, nil},
		{"full in the middle of a write", half, nil, nil},
		{"sync fails", nil, errDisk, nil},
		{"nothing works any more", half, errDisk, errDisk},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, st, f := &clock{now: epoch}, newStore(t), &fault{}
			o := options(t, t.TempDir(), st, c).WithFiles(func(path string, real func(string) (ledger.File, error)) (ledger.File, error) {
				file, err := real(path)
				return faulty{file, f}, err
			})
			l := open(t, o)
			write(t, l, c, "before", delta(t, "c_total", 1))
			f.set(tc.write, tc.sync, tc.trunc)
			for _, id := range []string{"during", "during", "more"} {
				b := &narthex.Batch{ID: id, Received: c.Now(), Series: []narthex.Series{delta(t, "c_total", 10), sample(t, "raw", 1, 5)}}
				if err := l.Write(t.Context(), b); narthex.KindOf(err) != narthex.Unavailable || narthex.IsRejected(err) {
					t.Errorf("%s: %v, want unavailable", id, err)
				}
			}
			if len(st.series["raw"]) > 0 {
				t.Error("a sample of a failed push reached the store")
			}
			c.add(15 * time.Second)
			if err := l.Tick(t.Context()); err == nil {
				t.Error("a tick that can't be logged was written")
			}
			crashed := snapshotDir(t, o.Dir)
			f.set(nil, nil, nil)
			if b := write(t, l, c, "during", delta(t, "c_total", 10)); b.Duplicate {
				t.Error("a failed push is remembered")
			}
			c.add(15 * time.Second)
			tick(t, l)
			if got := st.last("c_total"); got != 11 {
				t.Errorf("total %v, want 11", got)
			}
			// A crash in the midst of it loses nothing that was acknowledged
			// and, where the write did not reach the disk whole, keeps nothing
			// that was not.
			st2 := newStore(t)
			o2 := options(t, crashed, st2, c)
			l2 := open(t, o2)
			tick(t, l2)
			if got := st2.last("c_total"); got != 1 {
				t.Errorf("total %v after a crash while the disk failed, want 1", got)
			}
		})
	}
}

// The end of the log is cut anywhere: what was whole before stays.
func TestLedgerTornTail(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	o := options(t, t.TempDir(), st, c)
	l := open(t, o)
	file := filepath.Join(o.Dir, "log", "00000001.log")
	write(t, l, c, "a", delta(t, "c_total", 1))
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, l, c, "b", delta(t, "c_total", 1))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	try := func(data []byte, last bool) (int, int, error) {
		path := filepath.Join(t.TempDir(), "00000001.log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return ledger.ReadLog(path, last)
	}
	for n := int(before.Size()); n < len(whole); n++ {
		if records, torn, err := try(whole[:n], true); err != nil || records != 1 || torn != n-int(before.Size()) {
			t.Fatalf("cut at %d: %d records, %d torn, %v", n, records, torn, err)
		}
		if n > int(before.Size()) {
			if _, _, err := try(whole[:n], false); err == nil {
				t.Fatalf("cut at %d of a file that is not the last: no error", n)
			}
		}
	}
	// A flipped bit in the first frame is damage, for a good frame follows; in
	// the last frame it can't be told from a torn write.
	for n := len("narthex log 1\n"); n < len(whole); n++ {
		bad := bytes.Clone(whole)
		bad[n] ^= 0x10
		records, _, err := try(bad, true)
		if n < int(before.Size()) && (err == nil || !strings.Contains(err.Error(), "damaged")) {
			t.Fatalf("bit flipped at %d: %d records, %v", n, records, err)
		}
		if n >= int(before.Size()) && (err != nil || records != 1) {
			t.Fatalf("bit flipped at %d: %d records, %v", n, records, err)
		}
	}
	// The ledger itself says what to do.
	dir := snapshotDir(t, o.Dir)
	bad := bytes.Clone(whole)
	bad[30] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "log", "00000001.log"), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dir = dir
	if _, err := ledger.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("open of a damaged log: %v", err)
	}
}

// While the store is away nothing is lost: samples with their own time and the
// zeros of new counters are written when it is back, also after a crash.
func TestLedgerSinkDown(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash=", crash), func(t *testing.T) {
			var down atomic.Bool
			down.Store(true)
			c, st := &clock{now: epoch}, newStore(t)
			st.fail = func() error {
				if down.Load() {
					return errDisk
				}
				return nil
			}
			o := options(t, t.TempDir(), st, c)
			l := open(t, o)
			write(t, l, c, "a", delta(t, "c_total", 42), sample(t, "raw", 7, epoch.UnixMilli()))
			for range 3 {
				c.add(15 * time.Second)
				if err := l.Tick(t.Context()); !errors.Is(err, errDisk) {
					t.Fatalf("tick: %v", err)
				}
			}
			down.Store(false)
			if crash {
				o.Dir = snapshotDir(t, o.Dir)
				l = open(t, o)
			}
			c.add(15 * time.Second)
			tick(t, l)
			st.mu.Lock()
			got := st.series["c_total"]
			st.mu.Unlock()
			if len(got) < 2 || got[0].Value != 0 || got[0].Time != epoch.UnixMilli() || got[len(got)-1].Value != 42 {
				t.Errorf("c_total: %v", got)
			}
			deadline := time.After(10 * time.Second)
			for st.last("raw") != 7 {
				select {
				case <-deadline:
					t.Fatal("the sample did not arrive")
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
}
