//go:build linux || darwin

package tsdb

import "syscall"

// freeBytes returns how much of the disk under dir this process may still write.
func freeBytes(dir string) (bytes uint64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
