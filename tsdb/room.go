package tsdb

import "fmt"

// keepFree is how much of the disk, in bytes, has to be free for a write. On a full
// one Prometheus's head keeps new series in memory whose record it could not log;
// their later samples are lost at the next start, when there is no series to them
// (seen with v0.315.0). So a write is refused before it comes to that, and is tried
// again when there is room.
const keepFree = 16 << 20

// room says why there is none for a write.
func (db *DB) room() error {
	free, ok := db.opts.free(db.dir)
	if ok && free < keepFree {
		return fmt.Errorf("%d KiB of the disk are free, less than the %d MiB that it wants: make room", free>>10, keepFree>>20)
	}
	return nil
}
