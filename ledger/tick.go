package ledger

import (
	"cmp"
	"time"

	"narthex"
)

// Grid returns the tick's time for now: the newest multiple of interval that
// is not later. Both are in ms.
func Grid(now int64, interval time.Duration) int64 {
	return now - now%interval.Milliseconds()
}

// Tick returns what is to be written at the time t, which is a multiple of
// p.Interval, in ms: first the leads (see [State.Leads]) of this tick and of
// those that are not written yet, which lie before t and go out in a request of
// their own, then the values at t. A tick that is not later than the last one
// does nothing.
func (s *State) Tick(t int64, p Policy) (leads, values []narthex.Series) {
	if t <= s.last {
		return nil, nil
	}
	values = s.advance(t, p.withDefaults())
	return s.Leads(s.taken), values
}

// advance makes the tick t, which is later than the last one, and returns its
// values. Its leads are in the state.
func (s *State) advance(t int64, p Policy) (values []narthex.Series) {
	// Ids expire by the tick before this one: a clock that leaps ahead for a
	// moment does not make the ledger forget.
	before := s.last - p.Horizon.Milliseconds()
	s.ticks = s.ticks.expire(before)
	s.ids.expire(before)
	s.last, s.clock = t, max(s.clock, t)
	s.expireGroups(t)

	drop := false
	if n := s.expected(); n > 0 {
		values = make([]narthex.Series, 0, n)
	}
	for _, a := range s.accounts {
		s.memories -= a.forgetSources(t - p.Horizon.Milliseconds())
		if a.minutes != nil {
			s.tickMinutes(a, t, p)
			drop = drop || a.over(t, s.taken, p)
			continue
		}
		if at, ok := a.lead(t, p); ok {
			s.leads = append(s.leads, lead{a: a, tick: t, at: at, value: a.wrote, hist: a.wroteHist})
		}
		if marker, ok := a.tick(t, s.taken, p); ok {
			values = a.emit(values, t, a.value, a.hist, marker)
		}
		drop = drop || a.over(t, s.taken, p)
	}
	if drop {
		s.forget(func(a *account) bool { return a.over(t, s.taken, p) })
	}
	s.dropLeads(0)
	s.emitted = len(values)
	return values
}

// expected is about how many series the next tick has: an eighth more than the last
// one, or, of a state that has not ticked in this process, those that have not ended.
func (s *State) expected() int {
	if s.emitted > 0 {
		return s.emitted + s.emitted/8
	}
	n := 0
	for _, a := range s.accounts {
		if a.dirty || !a.stale {
			n++
		}
	}
	return n
}

// lead says whether a sample must stand before the account's value at t, and
// when: of a counter that rises from where no sample stands at the tick before.
func (a *account) lead(t int64, p Policy) (at int64, due bool) {
	if !a.dirty || a.group != nil || a.typ == narthex.TypeGauge {
		return 0, false
	}
	before := t - p.Interval.Milliseconds()
	if a.written >= before && !a.stale {
		return 0, false
	}
	at = max(before, a.written+1)
	return at, at < t
}

// tick says whether the account has a sample at t, and whether that is the
// marker of its end. taken is the newest tick that the store has taken: until it
// has the account's last change, or its end, that is written at each tick.
func (a *account) tick(t, taken int64, p Policy) (marker, due bool) {
	switch age := t - a.changed; {
	case a.ended:
		due = a.written != 0
		a.ended, a.gone, a.group, a.dirty = false, true, nil, false
		a.written, a.stale = t, true
		return true, due
	case a.dirty:
		a.dirty, a.changed, a.stale = false, t, false
	case a.stale && a.written > taken:
		a.written = t
		return true, true
	case a.stale:
		return false, false
	case a.changed > taken:
	case a.group == nil && age >= p.Idle.Milliseconds():
		a.written, a.stale = t, true
		return true, true
	case age > p.Settle.Milliseconds() && t-a.written < p.Heartbeat.Milliseconds():
		return false, false
	}
	a.written, a.wrote, a.wroteHist = t, a.value, nil
	return false, true
}

// over reports whether the account is to be dropped: its end is written and
// taken, and its total is forgotten or was never the ledger's.
func (a *account) over(t, taken int64, p Policy) bool {
	if a.minutes != nil && len(a.minutes.pending) > 0 {
		return false
	}
	return a.stale && a.written <= taken && !a.dirty && (a.gone && a.written < t || a.group == nil && t-a.changed > p.Forget.Milliseconds())
}

// emit appends the account's series with the value at t, or with staleness
// markers.
func (a *account) emit(to []narthex.Series, t int64, v float64, h *narthex.Histogram, marker bool) []narthex.Series {
	if a.hist != nil && a.group == nil && !a.gone && a.hist.Schema == narthex.CustomBounds {
		return append(to, a.expand(cmp.Or(h, a.hist), t, marker)...)
	}
	x := narthex.Sample{Time: t, Value: v}
	switch {
	case marker:
		x.Value = narthex.StaleMarker()
	case a.hist != nil:
		x.Histogram = cmp.Or(h, a.hist).Clone()
	}
	return append(to, narthex.Series{
		Labels: a.labels, Type: a.typ, Family: a.family, Unit: a.unit, Help: a.help, Samples: []narthex.Sample{x},
	})
}
