package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"narthex"
	"narthex/state"
)

// The checkpoint in the store is the state's encoding behind a small head of
// its own: the first log file that it does not include.
const checkpointKey = "checkpoint"

// checkpointed is the outcome of saving a checkpoint.
type checkpointed struct {
	entry    state.Entry
	file     int // log files before it are no longer needed
	segments []string
	took     time.Duration
	leftover error // old segments that could not be deleted
	err      error
}

func (l *Ledger) checkpointIfDue() {
	if l.saving {
		return
	}
	if l.wal.size >= l.o.CheckpointBytes || l.state.last-l.lastSave >= l.o.CheckpointEvery.Milliseconds() {
		l.beginCheckpoint()
	}
}

// beginCheckpoint encodes the state and saves it in the background.
func (l *Ledger) beginCheckpoint() {
	begun := l.o.Now()
	l.lastSave = l.state.last
	snap, err := l.snapshot()
	if err != nil {
		l.stats.checkpointFails.Add(1)
		l.o.Logger.Error("the ledger can't make a checkpoint; the log grows until it can", "err", err)
		return
	}
	l.saving = true
	go func() {
		c := snap.save(l.saveCtx, l.store)
		c.took = l.o.Now().Sub(begun)
		l.saved <- c
	}()
}

func (l *Ledger) finishCheckpoint(c checkpointed) {
	l.saving = false
	if c.err != nil {
		l.stats.checkpointFails.Add(1)
		l.o.Logger.Error("the ledger can't save its checkpoint; the log grows until it can", "err", c.err)
		// It may have been saved all the same. The directory is locked, so
		// whatever is there is this ledger's own.
		if e, err := l.store.Load(context.Background(), checkpointKey); err == nil {
			l.entry = e
		}
		return
	}
	l.stats.checkpoints.Add(1)
	l.stats.checkpointTook.Store(int64(c.took))
	l.entry = c.entry
	clear(l.written)
	for _, key := range c.segments {
		l.written[key] = true
	}
	if c.leftover != nil { // until the next start, which sweeps
		l.o.Logger.Warn("old segments of ids can't be deleted", "err", c.leftover)
	}
	files, err := logFiles(l.wal.dir)
	for _, n := range files {
		if n < c.file {
			err = errors.Join(err, os.Remove(logPath(l.wal.dir, n)))
		}
	}
	if err != nil {
		l.o.Logger.Warn("old log files can't be deleted", "err", err)
	}
}

// snapshot is a state, encoded, and what must happen before it may be saved.
type snapshot struct {
	prev     state.Entry
	data     []byte
	segments map[string]func() []byte // to be encoded and stored first
	keys     []string                 // all that the state refers to
	old      []string                 // what only the checkpoint before refers to
	file     int
	inflight *inflight
	mark     uint64
	sinks    []*destination
}

// snapshot begins a new log file, so that the files before it and the snapshot
// say the same, and encodes the state.
func (l *Ledger) snapshot() (*snapshot, error) {
	file, err := l.wal.rotate()
	if err != nil {
		return nil, err
	}
	s := &snapshot{prev: l.entry, file: file, segments: make(map[string]func() []byte), inflight: l.inflight, mark: l.inflight.mark(), sinks: l.destinations}
	named := make(map[string]bool)
	for _, seg := range l.state.Segments(func(first int64) string {
		key := fmt.Sprintf("ids/%d-%d", first, file)
		for named[key] {
			key += "x"
		}
		named[key] = true
		return key
	}) {
		if !l.written[seg.Key] {
			s.segments[seg.Key] = seg.Encode // later: it does not change any more
		}
		s.keys = append(s.keys, seg.Key)
	}
	for key := range l.written {
		if !slices.Contains(s.keys, key) {
			s.old = append(s.old, key)
		}
	}
	head := encoder{}
	head.uint(uint64(file))
	head.uint(l.wal.next)
	s.data = append(head.b, l.state.Encode()...)
	return s, nil
}

// save stores the segments, then the checkpoint, and deletes the segments that it has
// made superfluous. It first waits until the sink has taken what the log would
// otherwise bring again.
func (s *snapshot) save(ctx context.Context, store state.Store) checkpointed {
	c := checkpointed{file: s.file, segments: s.keys}
	if err := s.inflight.wait(ctx, s.mark); err != nil {
		c.err = fmt.Errorf("the store has not taken all samples: %w", err)
		return c
	}
	for _, d := range s.sinks {
		if c.err = d.sync(); c.err != nil {
			return c
		}
	}
	for key, encode := range s.segments {
		old, err := store.Load(ctx, key)
		if err == nil {
			_, err = store.Save(ctx, key, old, encode())
		}
		if err != nil {
			c.err = fmt.Errorf("save ids: %w", err)
			return c
		}
	}
	if c.entry, c.err = store.Save(ctx, checkpointKey, s.prev, s.data); c.err != nil {
		return c
	}
	for _, key := range s.old {
		old, err := store.Load(ctx, key)
		if err == nil {
			_, err = store.Save(ctx, key, old, nil)
		}
		c.leftover = errors.Join(c.leftover, err)
	}
	return c
}

// restore loads the checkpoint. It returns the number of the log file that
// goes on from it and of that file's first frame.
func (l *Ledger) restore(ctx context.Context) (file int, frame uint64, err error) {
	e, err := l.store.Load(ctx, checkpointKey)
	if err != nil {
		return 0, 0, err
	}
	if l.entry = e; e.Data == nil {
		l.state = NewState()
		l.attach()
		return 1, 1, nil
	}
	d := &decoder{b: e.Data}
	file, frame = int(d.uint()), d.uint()
	path := filepath.Join(l.o.Dir, "state", checkpointKey)
	if d.err != nil {
		return 0, 0, fmt.Errorf("%s: %w", path, d.err)
	}
	if l.state, err = Decode(d.b); err != nil {
		return 0, 0, fmt.Errorf("%s: %w: restore the data directory from a backup", path, err)
	}
	l.attach()
	err = l.state.LoadSegments(func(key string) ([]byte, error) {
		l.written[key] = true
		e, err := l.store.Load(ctx, key)
		return e.Data, err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: restore the data directory from a backup", path, err)
	}
	return file, frame, l.sweep()
}

// attach tells the state which destinations there are, and them what they have
// taken.
func (l *Ledger) attach() {
	var names []string
	for _, d := range l.destinations {
		names = append(names, d.name)
	}
	l.state.Destinations(names...)
	for _, d := range l.destinations {
		d.taken.Store(l.state.Taken(d.name))
	}
}

// sweep deletes what a crash left among the state's files: values that were not
// finished, and segments that no checkpoint refers to.
func (l *Ledger) sweep() error {
	dir := filepath.Join(l.o.Dir, "state")
	unfinished, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	more, err2 := filepath.Glob(filepath.Join(dir, "ids", "*"))
	err = errors.Join(err, err2)
	for _, path := range append(unfinished, more...) {
		if !l.written["ids/"+filepath.Base(path)] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return fmt.Errorf("clear what a crash left: %w", err)
	}
	return nil
}

// replay folds what the log holds beyond the checkpoint, writes its samples
// again, and begins a new log file.
func (l *Ledger) replay(ctx context.Context, dir string, first int) error {
	files, err := logFiles(dir)
	if err != nil {
		return err
	}
	var again []*narthex.Batch // samples that may not have arrived
	for i, n := range files {
		l.wal.number = n
		if n < first {
			continue
		}
		next, torn, err := readLog(logPath(dir, n), l.wal.next, i == len(files)-1, l.o.open, func(r record) error { return l.redo(r, &again) })
		if err != nil {
			return err
		}
		l.wal.next = next
		if torn > 0 {
			l.stats.torn.Add(uint64(torn))
			l.o.Logger.Warn("cut an unfinished write off the log's end; it had not been acknowledged", "file", logPath(dir, n), "bytes", torn)
		}
	}
	for _, b := range again {
		l.passAgain(ctx, b, b.Series, l.inflight.begin())
	}
	if len(l.destinations) == 1 { // then what counts as written is what it has taken
		d := l.destinations[0]
		l.state.Took(d.name, l.state.taken, l.policy)
		d.taken.Store(l.state.Taken(d.name))
	}
	// Never below the checkpoint's file, whatever was moved away.
	l.wal.number = max(l.wal.number, first-1)
	_, err = l.wal.rotate()
	return err
}

// redo does again what a record says. It adds to again what has to be passed on
// once more, and takes from it what a tick says has arrived.
func (l *Ledger) redo(r record, again *[]*narthex.Batch) error {
	p := l.policy
	if r.entry == nil {
		p.Interval = r.interval
		l.state.Confirm(r.taken)
		l.state.Tick(r.tick, p) // what was not taken of it goes out with the next
		if n := uint64(len(*again)); n > r.behind {
			*again = (*again)[n-r.behind:]
		}
		return nil
	}
	l.stats.replayed.Add(1)
	p.MaxSeries = math.MaxInt // it was taken under the limit of its day
	out, err := l.state.Fold(r.entry, r.entry.Received, p)
	if err != nil {
		return err
	}
	if n := len(out.Rejected); n > 0 {
		l.o.Logger.Debug("series of a logged entry are rejected, as they were", "series", n, "first", out.Rejected[0].Series, "reason", out.Rejected[0].Reason)
	}
	if len(out.Samples) > 0 {
		*again = append(*again, &narthex.Batch{Received: r.entry.received(), Series: out.Samples})
	}
	return nil
}
