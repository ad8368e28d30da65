//go:build unix

package logs

import (
	"io/fs"
	"syscall"
)

// identity returns what stays the same when a file is renamed.
func identity(info fs.FileInfo) (dev, ino uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino)
	}
	return 0, 0
}
