package ledger

import "time"

// Policy says when the ledger writes what it knows. The zero value of a field
// stands for its default.
type Policy struct {
	// Interval is the distance of ticks; a tick's time is a multiple of it.
	// Default 15 s.
	Interval time.Duration
	// Settle is how long a series is repeated at every tick after it has
	// changed. Default 5 min.
	Settle time.Duration
	// Heartbeat is the distance of samples after that. Default 2 min, so that
	// two of them lie in any window of 5 min.
	Heartbeat time.Duration
	// Idle is how long after its last change a series ends, with a staleness
	// marker. Default 1 h.
	Idle time.Duration
	// Forget is how long after its last change a total is dropped. Default 30 d.
	Forget time.Duration
	// Horizon is how long an entry's id is remembered. An older entry is
	// refused. Default 24 h.
	Horizon time.Duration
	// MaxSeries is how many series the ledger holds. Default 1,000,000.
	MaxSeries int
	// OpenIDs is how many ids are saved with the state itself before they are put
	// into a segment of their own. Default 65,536.
	OpenIDs int
	// MergedIDs is how many ids a segment has at most that is made of smaller ones.
	// Default 4,194,304.
	MergedIDs int
}

func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&p.Interval, 15*time.Second)
	set(&p.Settle, 5*time.Minute)
	set(&p.Heartbeat, 2*time.Minute)
	set(&p.Idle, time.Hour)
	set(&p.Forget, 30*24*time.Hour)
	set(&p.Horizon, 24*time.Hour)
	if p.MaxSeries == 0 {
		p.MaxSeries = 1_000_000
	}
	if p.OpenIDs == 0 {
		p.OpenIDs = maxOpen
	}
	if p.MergedIDs == 0 {
		p.MergedIDs = maxMerged
	}
	return p
}
