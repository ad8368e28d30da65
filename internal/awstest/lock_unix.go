//go:build unix && !solaris && !aix

package awstest

import (
	"os"
	"syscall"
	"testing"
)

// lock waits for the lock on a file and returns what releases it.
func lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}
