package shard

import (
	"context"
	"sync"
)

// room bounds what is decoded at a time: groups enter by their weight, several
// as long as they fit, one alone whatever it weighs.
type room struct {
	mu    sync.Mutex
	used  int
	limit int
	freed chan struct{} // closed when somebody leaves
}

func newRoom(limit int) *room { return &room{limit: limit, freed: make(chan struct{})} }

// enter waits for room, and returns what gives it back. The weight is asked for anew
// each time that somebody has left, as it may have become known.
func (r *room) enter(ctx context.Context, weigh func() int) (leave func(), err error) {
	for {
		weight := max(weigh(), 1)
		r.mu.Lock()
		if r.used == 0 || r.used+weight <= r.limit {
			r.used += weight
			r.mu.Unlock()
			return func() { r.leave(weight) }, nil
		}
		freed := r.freed
		r.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *room) leave(weight int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= weight
	close(r.freed)
	r.freed = make(chan struct{})
}
