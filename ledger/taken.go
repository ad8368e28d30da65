package ledger

import (
	"time"

	"narthex"
)

// Taken returns the newest tick that the destination has taken, in ms; 0 if it
// has taken none.
func (s *State) Taken(destination string) int64 {
	if len(s.takers) == 0 { // a state from before destinations had names
		return s.taken
	}
	return s.takers[destination]
}

// Took says that the destination has taken all samples up to the tick t. What
// those that keep up have taken counts as written: see [State.Confirm]. One that
// is behind by more than settle is not waited for; see [State.For].
func (s *State) Took(destination string, t int64, p Policy) {
	p = p.withDefaults()
	if s.takers == nil {
		s.takers = make(map[string]int64)
	}
	if t = min(t, s.last); t > s.takers[destination] {
		s.takers[destination] = t
	}
	oldest, slowest := s.last, int64(0)
	newest := int64(0)
	for _, at := range s.takers {
		oldest, newest = min(oldest, at), max(newest, at)
		if !s.behind(at, p.Settle) && (slowest == 0 || at < slowest) {
			slowest = at
		}
	}
	if slowest == 0 {
		slowest = newest
	}
	s.Confirm(slowest)
	s.dropLeads(oldest)
}

// For returns what the destination is to be given of the tick that has just
// been made, whose values are given: one that was away for so long that the
// others went on is given the newest value of all that it lacks.
func (s *State) For(destination string, values []narthex.Series) (leads, all []narthex.Series) {
	return s.Leads(s.Taken(destination)), s.lacks(destination, values)
}

// lacks returns the values of For.
func (s *State) lacks(destination string, values []narthex.Series) []narthex.Series {
	if taken := s.Taken(destination); taken < s.taken {
		return s.Restate(taken)
	}
	return values
}

func (s *State) behind(taken int64, settle time.Duration) bool {
	return taken < s.last-settle.Milliseconds()
}

// Destinations says which destinations there are: what others have taken is
// forgotten, and a new one has taken nothing yet. Without names nothing changes.
func (s *State) Destinations(names ...string) {
	if len(names) == 0 { // somebody looks at the state who writes nowhere
		return
	}
	before := s.takers
	first := len(before) == 0
	s.takers = make(map[string]int64, len(names))
	for _, name := range names {
		s.takers[name] = before[name]
		if first {
			s.takers[name] = s.taken
		}
	}
}
