package ledger

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"narthex"
)

// Shards is the number of virtual shards. Each series belongs to one, for ever:
// what is configured is only how many of them one state holds.
const Shards = 256

// shardOf returns the virtual shard of a series, of all series of a histogram
// alike, or of a group by its labels: FNV-1a over the labels, without le and
// with the metric's name cut back to its family's.
func shardOf(ls narthex.Labels) uint8 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	add := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0xff) * prime // no byte of UTF-8: the end
	}
	for _, l := range ls {
		switch l.Name {
		case "le":
		case narthex.MetricName:
			name := l.Value
			for _, part := range []string{"_bucket", "_count", "_sum"} {
				if base, ok := strings.CutSuffix(name, part); ok && base != "" {
					name = base
					break
				}
			}
			add(name)
		default:
			add(l.Name)
			add(l.Value)
		}
	}
	return uint8(h ^ h>>32 ^ h>>16 ^ h>>8)
}

// Parts returns the entry cut up by where its series belong: of says which part
// a virtual shard is in. The parts have the entry's id.
func (e *Entry) Parts(of func(shard uint8) int) map[int]*Entry {
	parts := make(map[int]*Entry)
	part := func(ls narthex.Labels) *Entry {
		n := of(shardOf(ls))
		if parts[n] == nil {
			p := *e
			p.items = nil
			parts[n] = &p
		}
		return parts[n]
	}
	if e.group != nil {
		part(e.group.Labels).items = e.items
		return parts
	}
	if e.restore != nil {
		return e.restoreParts(of)
	}
	for _, it := range e.items {
		ls, _ := narthex.ParseKey(it.key) // NewEntry made it
		p := part(ls)
		p.items = append(p.items, it)
	}
	return parts
}

// span is a range of virtual shards, from inclusive, to exclusive. The zero
// span is all of them.
type span struct{ from, to int }

func (r span) full() span {
	if r == (span{}) {
		return span{0, Shards}
	}
	return r
}

func (r span) has(shard uint8) bool {
	r = r.full()
	return int(shard) >= r.from && int(shard) < r.to
}

func (r span) covers(q span) bool {
	r, q = r.full(), q.full()
	return r.from <= q.from && q.to <= r.to
}

// NewPart returns an empty state for the virtual shards from (inclusive) to to
// (exclusive).
func NewPart(from, to int) *State {
	s := NewState()
	s.holds = span{from, to}
	return s
}

// Range returns the virtual shards that the state holds: from inclusive, to
// exclusive.
func (s *State) Range() (from, to int) {
	r := s.holds.full()
	return r.from, r.to
}

// Cut returns a state with what s has of the virtual shards from (inclusive)
// to to (exclusive). It remembers all ids of s. s must not be used any more.
func (s *State) Cut(from, to int) (*State, error) {
	part := span{from, to}
	if from < 0 || to <= from || to > Shards || !s.holds.covers(part) {
		return nil, errors.New("a state can only be cut within what it holds")
	}
	out, _ := Join(s)
	out.holds = part
	kept := make(map[*account]bool)
	out.forget(func(a *account) bool {
		kept[a] = part.has(a.shard())
		return !kept[a]
	})
	var leads []lead
	for _, l := range out.leads {
		if kept[l.a] {
			leads = append(leads, l)
		}
	}
	out.leads = leads
	out.ids.closed = slices.DeleteFunc(out.ids.closed, func(seg *segment) bool {
		seg.holds = span{max(seg.holds.from, from), min(seg.holds.to, to)} // Join has set them
		return seg.holds.to <= seg.holds.from
	})
	out.groups, out.uses = make(map[string]*group), make(map[string]map[narthex.Type]int)
	for key, g := range s.groups {
		if part.has(shardOf(g.labels)) {
			out.groups[key] = g
		}
	}
	for _, a := range out.accounts {
		if a.group != nil && !a.ended {
			out.enlist(a, 1)
		}
	}
	return out, nil
}

// shard returns the virtual shard of the account.
func (a *account) shard() uint8 {
	if a.group != nil {
		return shardOf(a.group.labels)
	}
	return shardOf(a.labels)
}

// Join returns a state with what the parts have, which hold adjoining ranges of
// virtual shards, in order. What one part has seen of an entry is not taken for
// the whole of it. The parts must not be used any more.
func Join(parts ...*State) (*State, error) {
	out := NewState()
	for i, p := range parts {
		r := p.holds.full()
		if i == 0 {
			out.holds = r
			out.taken, out.ticks, out.takers = p.taken, p.ticks, maps.Clone(p.takers)
		} else if r.from != out.holds.to {
			return nil, errors.New("states can only be joined that hold adjoining virtual shards")
		}
		out.holds.to = r.to
		out.last, out.clock = max(out.last, p.last), max(out.clock, p.clock)
		out.taken = min(out.taken, p.taken)
		for name, t := range out.takers {
			out.takers[name] = min(t, p.takers[name])
		}
		p.ids.seal(p.clock)
		for _, seg := range p.ids.closed {
			own := *seg
			own.key = "" // to be stored anew: two states must not own one file
			if own.holds == (span{}) {
				own.holds = r
			}
			out.ids.put(&own)
		}
		for _, a := range p.accounts {
			out.add(string(a.labels.AppendKey(nil)), a)
		}
		for key, g := range p.groups {
			out.groups[key] = g
		}
		for name, types := range p.uses {
			if out.uses[name] == nil {
				out.uses[name] = make(map[narthex.Type]int)
			}
			for t, n := range types {
				out.uses[name][t] += n
			}
		}
		out.memories += p.memories
		out.leads = append(out.leads, p.leads...)
	}
	slices.SortStableFunc(out.leads, func(x, y lead) int { return cmp.Compare(x.tick, y.tick) })
	return out, nil
}

// put adds a segment. One that says the same of the virtual shards next to its
// own becomes one with it: they were one before a state was cut.
func (s *seen) put(seg *segment) {
	for _, have := range s.closed {
		if have.holds.to == seg.holds.from && slices.Equal(have.recs, seg.recs) {
			have.holds.to = seg.holds.to
			return
		}
	}
	s.closed = append(s.closed, seg)
}

// rest returns the part of e that no part of an earlier grouping has folded: e
// itself as a rule.
func (s *State) rest(e *Entry) *Entry {
	var covered []span
	for _, seg := range s.ids.closed {
		if !seg.holds.covers(s.holds) {
			if _, ok := seg.find(e.ID); ok {
				covered = append(covered, seg.holds)
			}
		}
	}
	if len(covered) == 0 {
		return e
	}
	rest := *e
	rest.items = nil
	done := func(ls narthex.Labels) bool {
		for _, r := range covered {
			if r.has(shardOf(ls)) {
				return true
			}
		}
		return false
	}
	if e.group != nil {
		if !done(e.group.Labels) {
			return e
		}
		rest.group = nil // nothing is left
		return &rest
	}
	for _, it := range e.items {
		if ls, _ := narthex.ParseKey(it.key); !done(ls) {
			rest.items = append(rest.items, it)
		}
	}
	return &rest
}
