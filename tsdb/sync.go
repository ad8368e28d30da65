package tsdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sync makes durable what Write has stored: afterwards it survives a power cut
// too. The TSDB leaves its write-ahead logs (of samples in order, and of late
// ones) to the operating system and offers no call for it, so their newest
// files are synced by name; it syncs the older ones itself when it leaves them.
func (db *DB) Sync() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return syncFailed(errors.New("the store is closed"))
	}
	for _, log := range []string{"wal", "wbl"} {
		if err := syncLog(filepath.Join(db.dir, log)); err != nil {
			return syncFailed(err)
		}
	}
	return nil
}

func syncFailed(err error) error { return fmt.Errorf("sync the store: %w", err) }

// syncLog syncs the directory and its last two files: the one before the last
// may be left a moment ago.
func syncLog(dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name, and so by age
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	paths := []string{dir}
	for i := len(entries) - 1; i >= 0 && len(paths) < 3; i-- {
		if entries[i].Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, entries[i].Name()))
		}
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // truncated meanwhile
			return err
		}
	}
	return nil
}
