package probe

import (
	"sync"
	"time"
)

// beat is how often the stall clock looks at the time. Lambda hands out CPU in
// periods of 20 ms, so that a function without any is kept waiting for longer.
const beat = 2 * time.Millisecond

// stallClock measures for how long the process was kept from running: a goroutine
// that asks to be woken every 2 ms adds up by how much it is late. It runs only
// while somebody measures. It sees what a cgroup's quota does, and a neighbour's
// load, also where /proc and /sys tell nothing.
type stallClock struct {
	mu    sync.Mutex
	users int
	last  time.Time     // of the beat
	total time.Duration // of stalls
}

// start begins a measurement. What it returns ends it and tells the stalls.
func (c *stallClock) start() (stalled func() time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look(time.Now())
	if c.users++; c.users == 1 {
		c.last = time.Now()
		go c.run()
	}
	before := c.total
	return func() time.Duration {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.look(time.Now())
		c.users--
		return c.total - before
	}
}

// look adds what the time since the last beat is too long by.
func (c *stallClock) look(now time.Time) {
	if late := now.Sub(c.last) - beat; c.users > 0 && late > beat/2 {
		c.total += late
		c.last = now
	}
}

func (c *stallClock) run() {
	t := time.NewTicker(beat)
	defer t.Stop()
	for now := range t.C {
		c.mu.Lock()
		if c.users == 0 {
			c.mu.Unlock()
			return
		}
		now = time.Now()
		c.look(now)
		c.last = now
		c.mu.Unlock()
	}
}
