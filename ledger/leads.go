package ledger

import "narthex"

// lead is a sample that must stand before an account's value at a tick: the
// zero from which a new counter rises, the old value from which a sleeping one
// wakes; or one of those that are written by the minute. Unlike a value, which the next tick restates, it is written once, so
// it is kept until all destinations have taken its tick.
type lead struct {
	a      *account
	tick   int64 // ms; the tick whose value it precedes
	at     int64 // ms; its own time
	value  float64
	hist   *narthex.Histogram // takes the place of value
	marker bool               // it ends the series instead
}

// maxLeads bounds the leads that wait for a destination that is away.
const maxLeads = 1_000_000

// Leads returns the leads of the ticks later than after, oldest first. They go
// out in a request of their own, before the values that they precede.
func (s *State) Leads(after int64) []narthex.Series {
	var out []narthex.Series
	for _, l := range s.leads {
		if l.tick > after {
			// Of the account only what names it: it may have changed since.
			a := account{labels: l.a.labels, typ: l.a.typ, family: l.a.family, unit: l.a.unit, help: l.a.help, hist: l.hist}
			out = a.emit(out, l.at, l.value, l.hist, l.marker)
		}
	}
	return out
}

// dropLeads forgets the leads of ticks up to t, and the oldest if there are too
// many.
func (s *State) dropLeads(t int64) {
	n := 0
	for n < len(s.leads) && s.leads[n].tick <= t {
		n++
	}
	if over := len(s.leads) - n - maxLeads; over > 0 {
		s.lost += uint64(over)
		n += over
	}
	if n > 0 {
		s.leads = append(s.leads[:0:0], s.leads[n:]...)
	}
}

// Restate returns the newest sample of each series that was written after the
// tick after, at the time of the last tick. With the tick before the last one
// that is what [State.Tick] returned, to the bit, whatever was folded since:
// a writer that was killed between saving the state and writing to a
// destination writes the same again. With an older one it is what a
// destination lacks that was away for long.
func (s *State) Restate(after int64) []narthex.Series {
	var out []narthex.Series
	for _, a := range s.accounts {
		if a.minutes == nil && a.written > after && (after > 0 || !a.stale) { // one that begins has nothing to end
			ended := a.stale && (a.gone || a.changed <= after) // else the last value is not there yet
			out = a.emit(out, s.last, a.wrote, a.wroteHist, ended)
		}
	}
	return out
}
