package tsdb

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/tsdb/tsdbutil"
)

// Lock makes a directory, if need be, and keeps other processes from locking it
// until unlock is called.
func Lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l, err := tsdbutil.NewDirLocker(dir, "narthex", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("another process uses %s: wait for it: %w", dir, err)
	}
	return l.Release, nil
}
