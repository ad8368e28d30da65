package webconfig

import (
	"sync"
	"time"
)

// Limiter lets requests through at a rate, a burst of them at once.
type Limiter struct {
	interval time.Duration // between two requests
	burst    int

	mu   sync.Mutex // protects debt and last
	debt time.Duration
	last time.Time
}

// Allow reports whether a request at the time may pass, and takes its place if
// so.
func (l *Limiter) Allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if passed := now.Sub(l.last); passed > 0 {
		l.debt = max(0, l.debt-passed)
		l.last = now
	}
	if l.debt > time.Duration(l.burst-1)*l.interval {
		return false
	}
	l.debt += l.interval
	return true
}

// Interval returns the time after which a refused request may pass.
func (l *Limiter) Interval() time.Duration { return l.interval }
