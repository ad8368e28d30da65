//go:build unix && !solaris && !aix

package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir makes the directory this process's own until unlock is called or the
// process ends.
func lockDir(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the ledger's directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("the data directory %s is in use by another narthex (%w): stop that one, or start this one with another --data", dir, err)
	}
	return func() { f.Close() }, nil
}
