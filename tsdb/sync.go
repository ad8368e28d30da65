package tsdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Sync makes durable what Write has stored: afterwards it survives a power cut
// too. The TSDB leaves its write-ahead logs (of samples in order, and of late
// ones) to the operating system and offers no call for it, so their newest
// files are synced by name; it syncs the older ones itself when it leaves them.
//
// Calls share the work: one that comes while the disk is busy with another
// waits for the next round, together with all that come until it begins. Writes
// go on meanwhile.
func (db *DB) Sync() error {
	g := &db.syncing
	g.mu.Lock()
	r := g.next
	if r != nil {
		g.mu.Unlock()
		<-r.done
		return r.err
	}
	r = &round{done: make(chan struct{})}
	g.next = r
	g.mu.Unlock()

	g.turn.Lock() // the round before has ended
	g.mu.Lock()
	g.next = nil // what is written from here on is for another round
	g.mu.Unlock()
	r.err = db.syncLogs()
	g.turn.Unlock()
	close(r.done)
	return r.err
}

// rounds are the calls of Sync.
type rounds struct {
	mu   sync.Mutex
	next *round // that has not begun, and that may be joined

	turn     sync.Mutex // held by the round that is under way
	wal, wbl syncedTo
}

type round struct {
	done chan struct{}
	err  error
}

// syncedTo is how far a log is known to be on the disk.
type syncedTo struct {
	file string
	size int64
}

func (db *DB) syncLogs() error {
	db.mu.Lock()
	closed := db.closed
	db.mu.Unlock()
	if closed {
		return syncFailed(errors.New("the store is closed"))
	}
	if err := db.syncing.wal.sync(filepath.Join(db.dir, "wal")); err != nil {
		return syncFailed(err)
	}
	if err := db.syncing.wbl.sync(filepath.Join(db.dir, "wbl")); err != nil {
		return syncFailed(err)
	}
	return nil
}

func syncFailed(err error) error { return fmt.Errorf("sync the store: %w", err) }

// sync syncs the log's newest file if it has grown. When that is another file
// than before, it syncs the one before too, which may be left a moment ago, and
// the directory. The first time it syncs all: processes that were killed may have
// left any of them as they had written it, and nobody writes again what is there.
func (s *syncedTo) sync(dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name, and so by age
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var files []string // the newest first
	for i := len(entries) - 1; i >= 0 && (len(files) < 2 || s.file == ""); i-- {
		if entries[i].Type().IsRegular() {
			files = append(files, filepath.Join(dir, entries[i].Name()))
		}
	}
	if len(files) == 0 {
		return nil
	}
	info, err := os.Stat(files[0])
	if err != nil {
		return err
	}
	to := syncedTo{file: files[0], size: info.Size()}
	if to == *s {
		return nil
	}
	if to.file == s.file {
		files = files[:1]
	} else {
		files = append(files, dir)
	}
	for _, path := range files {
		if err := syncFile(path); err != nil {
			return err
		}
	}
	*s = to
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if errors.Is(err, fs.ErrNotExist) { // truncated meanwhile
		return nil
	}
	return err
}
