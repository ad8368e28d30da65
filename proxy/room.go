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
	bySender map[string]*seats
}

// seats are one sender's.
type seats struct {
	taken chan struct{}
	n     int // requests that have one or wait for one
}

// maxWaiting is how many requests of one sender wait at most.
const maxWaiting = 100

func newRoom(all, own int) *room {
	return &room{all: make(chan struct{}, all), own: own, bySender: make(map[string]*seats)}
}

// take waits for a place until ctx ends, and reports whether there is one. A
// sender waits for one of its own first, so that it keeps no other waiting.
func (r *room) take(ctx context.Context, sender string) bool {
	r.mu.Lock()
	s := r.bySender[sender]
	if s == nil {
		s = &seats{taken: make(chan struct{}, r.own)}
		r.bySender[sender] = s
	}
	if s.n >= r.own+maxWaiting {
		r.mu.Unlock()
		return false
	}
	s.n++
	r.mu.Unlock()
	select {
	case s.taken <- struct{}{}:
	case <-ctx.Done():
		r.leave(sender, s)
		return false
	}
	select {
	case r.all <- struct{}{}:
		return true
	case <-ctx.Done():
		<-s.taken
		r.leave(sender, s)
		return false
	}
}

func (r *room) give(sender string) {
	<-r.all
	r.mu.Lock()
	s := r.bySender[sender]
	r.mu.Unlock()
	<-s.taken
	r.leave(sender, s)
}

func (r *room) leave(sender string, s *seats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.n--; s.n == 0 {
		delete(r.bySender, sender)
	}
}
