package app

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// room is a number of something that requests share, such as bytes or turns. No
// sender has more than its share of it, so that one whose bodies never end does not
// keep out the others. Who finds it full waits in line, which is of a bounded length:
// more would only wait longer, in memory. A line that has stood for some time is no
// burst that will be done with but overload, and is kept short.
//
// Source: Nichols and Jacobson, "Controlling Queue Delay", 2012: what tells a bad queue
// from a good one is not its length but that it does not go away.
type room struct {
	size, share int64
	line        int           // how many may wait
	patience    time.Duration // how long

	mu      sync.Mutex
	free    int64
	held    map[string]int64 // by sender
	waiting *list.List       // of *waiter, who came first in front
	waits   map[string]int   // by sender
	stands  time.Time        // since when somebody waits
}

// A line that has stood for this long is cut to a part of what it may have.
const (
	standing     = time.Second
	standingPart = 4
)

// waiter is a request in line.
type waiter struct {
	who   string
	n     int64
	ready chan struct{} // closed when it has what it waits for
}

func newRoom(size, share int64, line int, patience time.Duration) *room {
	return &room{
		size: size, share: share, line: line, patience: patience,
		free: size, held: make(map[string]int64), waiting: list.New(), waits: make(map[string]int),
	}
}

// take waits for n for a sender and reports whether it got them: at once it does not
// if the line is full.
func (r *room) take(ctx context.Context, who string, n int64) bool {
	r.mu.Lock()
	if r.fits(who, n) {
		r.grant(who, n)
		r.mu.Unlock()
		return true
	}
	now := time.Now()
	if r.waiting.Len() == 0 {
		r.stands = now
	}
	line := r.line
	if now.Sub(r.stands) >= standing {
		line /= standingPart
	}
	// A sender's share of the line is that of the room.
	if r.waiting.Len() >= line || int64(r.waits[who])*r.size >= int64(line)*r.share {
		r.mu.Unlock()
		return false
	}
	w := &waiter{who, n, make(chan struct{})}
	place := r.waiting.PushBack(w)
	r.waits[who]++
	r.mu.Unlock()

	timer := time.NewTimer(r.patience)
	defer timer.Stop()
	select {
	case <-w.ready:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-w.ready: // in this instant
		return true
	default:
	}
	r.leave(place)
	r.admit() // who stood behind it may want less
	return false
}

// fits reports whether n may go to a sender who comes now: nobody waits for what is
// free.
func (r *room) fits(who string, n int64) bool {
	if n > r.free || r.held[who]+n > r.share {
		return false
	}
	for e := r.waiting.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiter); r.held[w.who]+w.n <= r.share {
			return false
		}
	}
	return true
}

func (r *room) grant(who string, n int64) {
	r.free -= n
	r.held[who] += n
}

// leave takes a waiter out of the line.
func (r *room) leave(place *list.Element) {
	w := r.waiting.Remove(place).(*waiter)
	if r.waits[w.who]--; r.waits[w.who] == 0 {
		delete(r.waits, w.who)
	}
}

// admit gives what is free to those who wait, in order. Who has its share already is
// passed over; who wants more than is free is not, or it would wait for ever.
func (r *room) admit() {
	for e := r.waiting.Front(); e != nil && r.free > 0; {
		w, next := e.Value.(*waiter), e.Next()
		if r.held[w.who]+w.n <= r.share {
			if w.n > r.free {
				return
			}
			r.grant(w.who, w.n)
			r.leave(e)
			close(w.ready)
		}
		e = next
	}
}

// give gives back what was taken.
func (r *room) give(who string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free += n
	if r.held[who] -= n; r.held[who] == 0 {
		delete(r.held, who)
	}
	r.admit()
}
