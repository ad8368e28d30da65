package ledger

import (
	"math"
	"time"

	"narthex"
)

// staleMarker is the value that ends a series: Prometheus's staleness marker.
//
// Source: prometheus/model/value.StaleNaN; remote write 1.0, "Stale Markers".
func staleMarker() float64 { return math.Float64frombits(0x7ff0000000000002) }

// Grid returns the tick's time for now: the newest multiple of interval that
// is not later. Both are in ms.
func Grid(now int64, interval time.Duration) int64 {
	return now - now%interval.Milliseconds()
}

// Tick returns what is to be written at the time t, which is a multiple of
// p.Interval, in ms: first the leads (the zero from which a new counter rises,
// the old value from which a sleeping one wakes), which lie before t and go
// out in a request of their own, then the values at t. A tick that is not
// later than the last one does nothing.
func (s *State) Tick(t int64, p Policy) (leads, values []narthex.Series) {
	p = p.withDefaults()
	if t <= s.last {
		return nil, nil
	}
	s.last, s.clock = t, max(s.clock, t)
	s.ticks = s.ticks.add(t).expire(s.clock - p.Horizon.Milliseconds())
	s.ids.expire(s.clock - p.Horizon.Milliseconds())

	forget := false
	for _, a := range s.accounts {
		if lead, ok := a.lead(t, p); ok {
			leads = append(leads, a.sample(lead.Time, lead.Value))
		}
		if v, ok := a.tick(t, p); ok {
			values = append(values, a.sample(t, v))
		}
		forget = forget || a.stale && t-a.changed > p.Forget.Milliseconds()
	}
	if forget {
		s.forget(func(a *account) bool { return a.stale && t-a.changed > p.Forget.Milliseconds() })
	}
	return leads, values
}

// lead returns the sample that must stand before the account's value at t: of
// a counter that rises from where no sample stands at the tick before.
func (a *account) lead(t int64, p Policy) (narthex.Sample, bool) {
	if !a.dirty || a.typ != narthex.TypeCounter {
		return narthex.Sample{}, false
	}
	before := t - p.Interval.Milliseconds()
	if a.written >= before && !a.stale {
		return narthex.Sample{}, false
	}
	at := max(before, a.written+1)
	return narthex.Sample{Time: at, Value: a.wrote}, at < t
}

// tick returns the account's sample at t, if it is due.
func (a *account) tick(t int64, p Policy) (v float64, due bool) {
	switch age := t - a.changed; {
	case a.dirty:
		a.dirty, a.changed, a.stale = false, t, false
	case a.stale:
		return 0, false
	case age >= p.Idle.Milliseconds():
		a.written, a.stale = t, true
		return staleMarker(), true
	case age > p.Settle.Milliseconds() && t-a.written < p.Heartbeat.Milliseconds():
		return 0, false
	}
	a.written, a.wrote = t, a.value
	return a.value, true
}

func (a *account) sample(t int64, v float64) narthex.Series {
	return narthex.Series{
		Labels: a.labels, Type: a.typ, Unit: a.unit, Help: a.help,
		Samples: []narthex.Sample{{Time: t, Value: v}},
	}
}
