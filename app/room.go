package app

import (
	"context"
	"sync"
	"time"
)

// room is a number of bytes that requests share.
type room struct {
	mu      sync.Mutex
	free    int64
	changed chan struct{} // closed and replaced when bytes come free
}

func newRoom(size int64) *room { return &room{free: size, changed: make(chan struct{})} }

// patience is how long a request waits for room before it is turned away.
const patience = 5 * time.Second

// take waits for n bytes and reports whether it got them.
func (r *room) take(ctx context.Context, n int64) bool {
	if r.tryTake(n) {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if r.tryTake(n) {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (r *room) tryTake(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free < n {
		return false
	}
	r.free -= n
	return true
}

func (r *room) give(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	close(r.changed)
	r.changed = make(chan struct{})
}
