package ledger

import (
	"bytes"
	"maps"
	"slices"

	"narthex"
)

// memory is the last total that a source pushed of an account. It is kept in
// the account, so that the total and what it was made of change in one step.
type memory struct {
	at    int64 // ms; when the source pushed it. It is kept for the horizon
	start int64 // ms; when its counting began, 0 if it did not say
	value float64
	hist  *narthex.Histogram // takes the place of value; never changed
}

// refuseTotal says why an item of totals can't be folded, or "". A counter does
// not fall within one start, so one that does was overtaken on its way.
func (s *State) refuseTotal(e *Entry, it *item, a *account, p Policy) string {
	if !e.totals(it) {
		return ""
	}
	m := a.sources[e.source]
	if m == nil {
		if s.memories >= p.MaxSeries {
			return "the ledger remembers the last totals of as many sources as it may (limits.series): let a process keep its source's name, or push increments"
		}
		return ""
	}
	for _, x := range it.samples {
		if x.Start != 0 && (x.Start < m.start || x.Start == m.start && total(x.Value, x.Histogram) < total(m.value, m.hist)) {
			return "a later push of this source was counted before it, so nothing is added"
		}
	}
	return ""
}

// totals reports whether the item's samples are totals of the entry's source.
func (e *Entry) totals(it *item) bool { return e.source != (ID{}) && it.as == narthex.AsDelta }

// increments returns the item itself, or, of an item of totals, one with what
// these are above the source's last ones. The item fits: see State.refuse.
func (s *State) increments(e *Entry, it *item, a *account) *item {
	if !e.totals(it) {
		return it
	}
	m := a.sources[e.source]
	if m == nil {
		if a.sources == nil {
			a.sources = make(map[ID]*memory)
		}
		m = new(memory)
		a.sources[e.source] = m
		s.memories++
	}
	out := *it
	out.samples = make([]narthex.Sample, 0, len(it.samples))
	for _, x := range it.samples {
		out.samples = append(out.samples, m.advance(x, e.Received))
	}
	return &out
}

// advance returns what x is above the total remembered, and remembers x.
func (m *memory) advance(x narthex.Sample, at int64) narthex.Sample {
	d := x
	if m.start == 0 || x.Start <= m.start { // else it began anew, and all of it is new
		if x.Histogram != nil {
			if h, ok := subtract(x.Histogram, m.hist); ok {
				d.Histogram = h
			}
		} else if x.Value >= m.value {
			d.Value = x.Value - m.value
		}
	}
	m.at, m.value, m.hist = max(m.at, at), x.Value, x.Histogram.Clone()
	if x.Start != 0 {
		m.start = x.Start
	}
	return d
}

// total is a value that only grows within one start.
func total(v float64, h *narthex.Histogram) float64 {
	if h != nil {
		return h.Count
	}
	return v
}

// subtract returns now without what was before, false if now did not grow out
// of before. Two native ones are compared at the resolution and with the zero
// bucket that both can have.
func subtract(now, before *narthex.Histogram) (*narthex.Histogram, bool) {
	switch {
	case before == nil || now.Count < before.Count:
		return nil, false
	case (now.Schema == narthex.CustomBounds) != (before.Schema == narthex.CustomBounds):
		return nil, false
	}
	d := now.Clone()
	d.Count -= before.Count
	d.Sum -= before.Sum
	if now.Schema != narthex.CustomBounds {
		return d, subtractNative(d, now, before)
	}
	if !slices.Equal(now.Bounds, before.Bounds) {
		return nil, false
	}
	for i, n := range before.Positive.Counts {
		if d.Positive.Counts[i] -= n; d.Positive.Counts[i] < 0 {
			return nil, false
		}
	}
	return d, true
}

func subtractNative(d, now, before *narthex.Histogram) bool {
	a, b := newCounts(now), newCounts(before)
	align(a, b)
	if a.zero -= b.zero; a.zero < 0 {
		return false
	}
	for side := range a.sides {
		for i, n := range b.sides[side] {
			if a.sides[side][i] -= n; a.sides[side][i] < 0 {
				return false
			}
		}
	}
	a.into(d)
	return true
}

// align makes the schemas and the zero buckets of a and b the same.
func align(a, b *counts) {
	schema := min(a.schema, b.schema)
	a.coarsen(schema)
	b.coarsen(schema)
	for a.zeroThreshold != b.zeroThreshold {
		wider := max(a.zeroThreshold, b.zeroThreshold)
		a.widenZero(wider)
		b.widenZero(wider)
	}
}

// forgetSources drops the sources that have not pushed since before and returns
// how many those are.
func (a *account) forgetSources(before int64) int {
	n := len(a.sources)
	maps.DeleteFunc(a.sources, func(_ ID, m *memory) bool { return m.at < before })
	return n - len(a.sources)
}

func (a *account) encodeSources(enc *encoder) {
	enc.uint(uint64(len(a.sources)))
	if len(a.sources) == 0 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(a.sources), func(x, y ID) int { return bytes.Compare(x[:], y[:]) })
	for _, id := range ids {
		m := a.sources[id]
		enc.raw(id[:])
		enc.int(m.at)
		enc.int(m.start)
		enc.number(m.value)
		enc.histogram(m.hist)
	}
}

func (a *account) decodeSources(d *decoder) {
	n := d.count(len(ID{}) + 4)
	if n == 0 {
		return
	}
	a.sources = make(map[ID]*memory, n)
	for range n {
		var id ID
		copy(id[:], d.raw(uint64(len(id))))
		m := &memory{at: d.int(), start: d.int(), value: d.number(), hist: d.histogram()}
		if wrongShape(m.hist) {
			d.fail()
		}
		a.sources[id] = m
	}
	if len(a.sources) != n {
		d.fail()
	}
}
