package ledger

import (
	"slices"
	"sort"

	"narthex"
)

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

// maxLeads bounds the leads that wait for a destination that is away: their
// sizes, which are 1 but for histograms.
const maxLeads = 1_000_000

// size is about how many plain leads take as much memory.
func (l *lead) size() int {
	if l.hist == nil {
		return 1
	}
	return 3 + (len(l.hist.Positive.Counts)+len(l.hist.Positive.Spans)+len(l.hist.Negative.Counts)+len(l.hist.Negative.Spans))/8
}

// Leads returns the leads of the ticks later than after, oldest first. They go
// out in a request of their own, before the values that they precede.
func (s *State) Leads(after int64) []narthex.Series {
	return rendered(s.leadsAfter(after))
}

// leadsAfter returns the leads of the ticks later than after. What is in the
// slice does not change any more.
func (s *State) leadsAfter(after int64) []lead {
	first := sort.Search(len(s.leads), func(i int) bool { return s.leads[i].tick > after })
	return slices.Clip(s.leads[first:])
}

// rendered returns the leads as series.
func rendered(leads []lead) []narthex.Series {
	if len(leads) == 0 {
		return nil
	}
	out := make([]narthex.Series, 0, len(leads))
	for _, l := range leads {
		// Of the account only what names it: it may have changed since.
		a := account{labels: l.a.labels, typ: l.a.typ, family: l.a.family, unit: l.a.unit, help: l.a.help, hist: l.hist}
		out = a.emit(out, l.at, l.value, l.hist, l.marker)
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
	over := -maxLeads
	for i := n; i < len(s.leads); i++ {
		over += s.leads[i].size()
	}
	for ; over > 0; n++ {
		over -= s.leads[n].size()
		s.lost++
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
// destination lacks that was away for long; with 0, what one is given that has
// taken nothing: what goes on, and what has ended but left a lead for it.
func (s *State) Restate(after int64) []narthex.Series {
	var out []narthex.Series
	began := make(map[*account]bool)
	if after == 0 {
		for _, l := range s.leads {
			began[l.a] = true
		}
	}
	for _, a := range s.accounts {
		if a.minutes != nil || a.written <= after {
			continue
		}
		ended := a.stale && (a.gone || a.changed <= after) // else the last value is not there yet
		if after == 0 && (ended || a.stale && !began[a]) {
			continue // one that begins has nothing to end
		}
		at := s.last
		if ended && a.written < at {
			at-- // if it wakes at the next tick, its old value stands at this one
		}
		out = a.emit(out, at, a.wrote, a.wroteHist, ended)
	}
	return out
}
