//go:build unix

package probe

import (
	"syscall"
	"time"
)

// processTimes returns how much CPU time the process has used.
func processTimes() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
