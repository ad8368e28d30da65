package tsdb_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/tsdb"
)

// disk is the files of a store on a disk that may not take what is written. It
// notes what is on it: what stood in a file when it was synced with success. Like a
// kernel it takes for written what it could not write, and says so once.
type disk struct {
	mu      sync.Mutex
	fails   error             // of the next sync of a file that has grown
	dirty   map[string]bool   // files that were written to through the disk
	durable map[string]string // by path
}

func newDisk() *disk {
	return &disk{dirty: make(map[string]bool), durable: make(map[string]string)}
}

func (d *disk) options() tsdb.Options {
	return options(time.Hour).WithFiles(func(path string, flag int, real func(string, int) (tsdb.File, error)) (tsdb.File, error) {
		f, err := real(path, flag)
		return diskFile{f, path, d}, err
	})
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = err
}

type diskFile struct {
	tsdb.File
	path string
	d    *disk
}

func (f diskFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.dirty[f.path] = true
	return f.File.WriteAt(p, off)
}

// Sync makes durable what was written since the last one, of which a file that has
// only been opened to be read knows nothing after a failure.
func (f diskFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	b, err := os.ReadFile(f.path)
	if err != nil { // a directory
		return f.File.Sync()
	}
	if err := f.d.fails; err != nil {
		f.d.fails = nil
		f.d.durable[f.path+" (lost)"] = string(b)
		delete(f.d.dirty, f.path)
		return err
	}
	if _, lost := f.d.durable[f.path+" (lost)"]; lost && !f.d.dirty[f.path] {
		return nil // the pages are clean
	}
	delete(f.d.durable, f.path+" (lost)")
	f.d.durable[f.path] = string(b)
	return f.File.Sync()
}

// image makes of a store's directory what is on the disk.
func (d *disk) image(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(to, "chunks_head")); err != nil { // nobody syncs it
		t.Fatal(err)
	}
	for _, log := range []string{"wal", "wbl"} {
		files, err := filepath.Glob(filepath.Join(dir, log, "0*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if err := os.WriteFile(filepath.Join(to, log, filepath.Base(path)), []byte(d.durable[path]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// A sync that failed says nothing about those after it. So nothing is stored any
// more, until a store that is opened anew has written again what it found; what was
// acknowledged is on the disk at any time.
func TestSyncAfterFailure(t *testing.T) {
	for name, at := range map[string]float64{"in order": 2, "late": -2} {
		t.Run(name, func(t *testing.T) {
			d, dir := newDisk(), t.TempDir()
			db, err := tsdb.Open(dir, d.options())
			if err != nil {
				t.Fatal(err)
			}
			write := func(at, v float64) error {
				return db.Write(t.Context(), &narthex.Batch{Series: []narthex.Series{floats(name1, at, v)}})
			}
			if err := errors.Join(write(0, 1), write(-1, 7), db.Sync()); err != nil {
				t.Fatal(err)
			}
			before := []point{{-1, 7}, {0, 1}}
			if err := errors.Join(write(at, 2), write(2*at, 4)); err != nil {
				t.Fatal(err)
			}
			d.fail(syscall.EIO)
			for range 3 {
				if err := db.Sync(); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "start narthex again") {
					t.Fatalf("synced by a disk that fails: %v", err)
				}
			}
			if err := write(5, 5); narthex.KindOf(err) != narthex.Unavailable || !errors.Is(err, syscall.EIO) {
				t.Fatalf("written after a sync that failed: %v", err)
			}
			if diff := cmp.Diff(before, stored(t, open(t, d.image(t, dir), options(time.Hour)))[`{__name__="m"}`]); diff != "" {
				t.Errorf("what was acknowledged and what is on the disk: %s", diff)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}

			// The next one reads what the first has written, from the cache, and acknowledges it.
			d.fail(syscall.EIO)
			if db, err := tsdb.Open(dir, d.options()); !errors.Is(err, syscall.EIO) {
				t.Fatalf("opened %v on a disk that fails: %v", db, err)
			}
			if db, err = tsdb.Open(dir, d.options()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if err := errors.Join(write(at, 2), write(2*at, 4), write(9, 9), db.Sync()); err != nil {
				t.Fatal(err)
			}
			want := map[int64]float64{-1: 7, 0: 1, int64(at): 2, int64(2 * at): 4, 9: 9}
			got := map[int64]float64{}
			for _, p := range stored(t, open(t, d.image(t, dir), options(time.Hour)))[`{__name__="m"}`] {
				got[p.T] = p.V
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what was acknowledged and what is on the disk: %s", diff)
			}
		})
	}
}

var name1 = name("m")

// Files that the TSDB has left since the last sync are synced too: it passes over
// what its own syncs of them say. Each is opened once, and the newest stays open.
func TestSyncOfLeftFiles(t *testing.T) {
	dir := t.TempDir()
	var did []string
	open := func(path string, flag int) (tsdb.File, error) {
		f, err := os.OpenFile(path, flag, 0)
		name := filepath.Base(path)
		if path == dir {
			name = "dir"
		}
		return noted{f, name, &did}, err
	}
	var log tsdb.SyncedTo
	for _, step := range []struct {
		grow []string
		want string
	}{
		{nil, ""},
		{[]string{"00000000"}, "sync dir, close dir, sync 00000000"},
		{nil, ""},
		{[]string{"00000000"}, "sync 00000000"},
		{[]string{"00000000", "00000001", "00000002"}, "sync 00000000, sync dir, close dir, close 00000000, sync 00000001, sync dir, close dir, close 00000001, sync 00000002"},
		{[]string{"00000002"}, "sync 00000002"},
	} {
		for _, name := range step.grow {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString("more")
			f.Close()
		}
		did = nil
		if err := log.Sync(dir, open); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, strings.Join(did, ", ")); diff != "" {
			t.Errorf("after %v grew: %s", step.grow, diff)
		}
	}
}

// noted is a file that notes what is done to it.
type noted struct {
	*os.File
	name string
	did  *[]string
}

func (f noted) Sync() error {
	*f.did = append(*f.did, "sync "+f.name)
	return f.File.Sync()
}

func (f noted) Close() error {
	*f.did = append(*f.did, "close "+f.name)
	return f.File.Close()
}

// Nothing is written while less than 16 MiB are free, and all again afterwards.
func TestKeepFree(t *testing.T) {
	const floor = 16 << 20
	free, known := uint64(floor), true
	db := open(t, t.TempDir(), options(time.Hour).WithFree(func() (uint64, bool) { return free, known }))
	var want []point
	for i, c := range []struct {
		free  uint64
		known bool
		takes bool
	}{{floor, true, true}, {floor - 1, true, false}, {0, true, false}, {0, false, true}, {1 << 40, true, true}} {
		free, known = c.free, c.known
		b := &narthex.Batch{Series: []narthex.Series{floats(name1, float64(i), 1)}}
		err := db.Write(context.Background(), b)
		if c.takes {
			want = append(want, point{int64(i), 1})
		}
		if c.takes && err != nil || !c.takes && (narthex.KindOf(err) != narthex.Unavailable || !strings.Contains(err.Error(), "less than the 16 MiB that it wants: make room; nothing was stored")) {
			t.Errorf("with %d bytes free (known: %v): %v", c.free, c.known, err)
		}
	}
	if diff := cmp.Diff(want, stored(t, db)[`{__name__="m"}`]); diff != "" {
		t.Error(diff)
	}
}
