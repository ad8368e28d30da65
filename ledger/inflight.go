package ledger

import (
	"context"
	"sync"
)

// inflight knows what has been folded but has not reached the sink. A
// checkpoint waits for all that was begun before it: the log would bring it
// again after a crash, the checkpoint would not.
type inflight struct {
	mu      sync.Mutex
	next    uint64
	open    map[uint64]struct{}
	changed chan struct{} // closed and replaced when something is done
}

func newInflight() *inflight {
	return &inflight{open: make(map[uint64]struct{}), changed: make(chan struct{})}
}

// begin notes one thing under way and returns what ends it.
func (f *inflight) begin() (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.next
	f.next++
	f.open[n] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, n)
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// arrived returns the number below which all that was begun has arrived, and
// the one that the next will have.
func (f *inflight) arrived() (below, next uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	below = f.next
	for n := range f.open {
		below = min(below, n)
	}
	return below, f.next
}

// mark returns a number that is above those of all that was begun so far.
func (f *inflight) mark() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// wait returns once nothing below mark is under way.
func (f *inflight) wait(ctx context.Context, mark uint64) error {
	for {
		f.mu.Lock()
		clear, changed := true, f.changed
		for n := range f.open {
			clear = clear && n >= mark
		}
		f.mu.Unlock()
		if clear {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
