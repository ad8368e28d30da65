package tsdb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The TSDB's write-ahead logs, of samples in order and of late ones. Their files
// are named by rising numbers of one width; directories beside them are complete.
const (
	walDir = "wal"
	wblDir = "wbl"
)

// file is what syncing needs of an *os.File; tests put faults behind it.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
}

// opener opens a file or a directory, to read it only or to write to it as well.
type opener func(path string, flag int) (file, error)

func openFile(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0) }

// syncedTo is how far a log is known to be on the disk. Its newest file stays open:
// the kernel tells each who had the file open that it could not write something
// back, but who opens it later is told only if nobody was before, and the TSDB
// passes over what its own syncs say.
type syncedTo struct {
	name string
	size int64
	f    file
}

// sync syncs the log's newest file if it has grown. When that is another file than
// before, it syncs the one before, those between them, and the directory first.
func (s *syncedTo) sync(dir string, open opener) error {
	names, err := logFiles(dir)
	for len(names) > 1 && names[0] < s.name {
		names = names[1:]
	}
	if err != nil || len(names) == 0 {
		return err
	}
	newest := filepath.Join(dir, names[len(names)-1])
	info, err := os.Stat(newest)
	if err != nil {
		return err
	}
	if names[len(names)-1] == s.name && info.Size() == s.size {
		return nil
	}
	for _, name := range names {
		if err := s.advance(filepath.Join(dir, name), open); err != nil {
			return err
		}
	}
	s.size = info.Size()
	return nil
}

// advance syncs the file at path, and stays with it.
func (s *syncedTo) advance(path string, open opener) error {
	if name := filepath.Base(path); name != s.name {
		next, err := open(path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) { // truncated meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if err := syncPath(filepath.Dir(path), open); err != nil {
			return errors.Join(err, next.Close())
		}
		s.release()
		s.name, s.f = name, next
	}
	return syncOpen(path, s.f)
}

func (s *syncedTo) release() {
	if s.f != nil {
		s.f.Close() // it was only read
	}
	*s = syncedTo{}
}

func syncOpen(path string, f file) error {
	if err := f.Sync(); err != nil {
		return &brokenError{fmt.Errorf("sync %s: %w", path, err)}
	}
	return nil
}

// syncPath syncs a file or a directory; if it is gone that is no matter.
func syncPath(path string, open opener) error {
	f, err := open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(syncOpen(path, f), f.Close())
}

// logFiles returns the names of a log's files, the oldest first.
func logFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by age
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}
