//go:build !linux && !darwin

package tsdb

// freeBytes does not know.
func freeBytes(string) (bytes uint64, ok bool) { return 0, false }
