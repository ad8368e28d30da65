//go:build !unix || solaris || aix

package ledger

import (
	"fmt"
	"os"
	"path/filepath"
)

// lockDir makes the directory this process's own until unlock is called. Where
// there is no flock the lock is a file that outlives a crash.
func lockDir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data directory %s is in use by another narthex (%w): stop that one; if none runs, delete %s", dir, err, path)
	}
	return func() { f.Close(); os.Remove(path) }, nil
}
