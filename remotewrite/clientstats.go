package remotewrite

import (
	"maps"
	"sync"
	"time"
)

// Stats are a client's counts since it was made.
type Stats struct {
	Requests  uint64 // sent, each attempt
	Retries   uint64 // of Requests: sent again after trouble
	Searches  uint64 // of Requests: to find what a receiver won't have
	Bytes     uint64 // of all requests, compressed
	Fallbacks uint64 // times that 1.0 was found to be needed

	Samples    uint64 // stored, as far as the receiver says
	Failed     uint64 // not stored now; the caller may try again
	Superseded uint64 // not stored, and not needed: totals that came too late
	Refused    map[Reason]uint64
	Short      uint64 // samples that a receiver's 2xx did not count as written
	Exemplars  uint64 // refused

	LastSuccess time.Time
	LastError   string    // of the last failure, "" after a success
	LastFailure time.Time // zero after a success
}

// stats counts.
type stats struct {
	mu sync.Mutex
	n  Stats
}

func (s *stats) add(f func(n *Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.n)
}

func (s *stats) refuse(reason Reason, samples int) {
	s.add(func(n *Stats) {
		if n.Refused == nil {
			n.Refused = make(map[Reason]uint64)
		}
		n.Refused[reason] += uint64(samples)
	})
}

// Stats returns what the client has counted.
func (c *Client) Stats() Stats {
	c.stats.mu.Lock()
	defer c.stats.mu.Unlock()
	out := c.stats.n
	out.Refused = maps.Clone(out.Refused)
	return out
}
