package tsdb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writtenAgain is how much of a log, in bytes, is written again when the store is
// opened: two of its files. Those before were left, and synced with success, before
// a write after that was acknowledged.
const writtenAgain = 256 << 20

// secure makes durable what another process has left in the logs of the store in
// dir, before it is read. It writes the end of each once more, where it stands: what
// the kernel could not write back counts as written for it, so that a sync alone
// would find nothing to do (see [brokenError]). Nothing of it changes, whoever may
// have the store open.
func secure(dir string, open opener) error {
	for _, log := range []string{filepath.Join(dir, walDir), filepath.Join(dir, wblDir)} {
		names, err := logFiles(log)
		if err != nil {
			return err
		}
		again := int64(0)
		for i := len(names) - 1; i >= 0; i-- {
			path := filepath.Join(log, names[i])
			if again >= writtenAgain {
				err = syncPath(path, open)
			} else {
				err = writeAgain(path, open, &again)
			}
			if err != nil {
				return fmt.Errorf("make durable what the store was left with: %w", err)
			}
		}
		if err := syncPath(log, open); err != nil {
			return err
		}
	}
	return nil
}

// writeAgain writes a file's content to where it is, syncs it, and adds its size to
// total.
func writeAgain(path string, open opener, total *int64) error {
	f, err := open(path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	at := int64(0)
	for err == nil {
		var n int
		n, err = f.ReadAt(buf, at)
		if n > 0 {
			if _, werr := f.WriteAt(buf[:n], at); werr != nil {
				err = werr
			}
		}
		at += int64(n)
	}
	if err == io.EOF {
		err = f.Sync()
	}
	*total += at
	return errors.Join(err, f.Close())
}
