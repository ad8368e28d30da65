package proxy

import (
	"context"
	"sync"
)

// room bounds the requests under way, of all and of each sender.
type room struct {
	all chan struct{}
	own int

	mu       sync.Mutex
	bySender map[string]int
}

func newRoom(all, own int) *room {
	return &room{all: make(chan struct{}, all), own: own, bySender: make(map[string]int)}
}

// take waits for a place until ctx ends, and reports whether there is one. A
// sender that has all its places does not wait: it would keep others waiting.
func (r *room) take(ctx context.Context, sender string) bool {
	r.mu.Lock()
	full := r.bySender[sender] >= r.own
	if !full {
		r.bySender[sender]++
	}
	r.mu.Unlock()
	if full {
		return false
	}
	select {
	case r.all <- struct{}{}:
		return true
	case <-ctx.Done():
		r.leave(sender)
		return false
	}
}

func (r *room) give(sender string) {
	<-r.all
	r.leave(sender)
}

func (r *room) leave(sender string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySender[sender]--; r.bySender[sender] == 0 {
		delete(r.bySender, sender)
	}
}
