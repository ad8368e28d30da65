package tsdb

import promtsdb "github.com/prometheus/prometheus/tsdb"

// Inner lets tests compact and load as no caller can.
func (db *DB) Inner() *promtsdb.DB { return db.inner }

// File is what syncing needs of a file.
type File = file

// SyncedTo is how far a log is known to be on the disk.
type SyncedTo struct{ syncedTo }

// Sync syncs the log in dir.
func (s *SyncedTo) Sync(dir string, open func(string, int) (File, error)) error {
	return s.sync(dir, open)
}

// WithFiles returns the options with files that open opens, as real does otherwise.
func (o Options) WithFiles(open func(path string, flag int, real func(string, int) (File, error)) (File, error)) Options {
	o.files = func(path string, flag int) (file, error) { return open(path, flag, openFile) }
	return o
}

// WithFree returns the options on a disk of which so much is free.
func (o Options) WithFree(free func() (bytes uint64, ok bool)) Options {
	o.free = func(string) (uint64, bool) { return free() }
	return o
}
