package app

import (
	"context"
	"sync"
	"time"
)

// room is a number of bytes that requests share. No sender has more than its
// share of it, so that one whose bodies never end does not keep out the others.
type room struct {
	share int64

	mu      sync.Mutex
	free    int64
	held    map[string]int64 // by sender
	changed chan struct{}    // closed and replaced when bytes come free
}

func newRoom(size, share int64) *room {
	return &room{free: size, share: share, held: make(map[string]int64), changed: make(chan struct{})}
}

// patience is how long a request waits for room before it is turned away.
const patience = 5 * time.Second

// take waits for n bytes for a sender and reports whether it got them.
func (r *room) take(ctx context.Context, who string, n int64) bool {
	if r.tryTake(who, n) {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if r.tryTake(who, n) {
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

func (r *room) tryTake(who string, n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free < n || r.held[who]+n > r.share {
		return false
	}
	r.free -= n
	r.held[who] += n
	return true
}

func (r *room) give(who string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	if r.held[who] -= n; r.held[who] == 0 {
		delete(r.held, who)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}
