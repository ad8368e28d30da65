package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"

	"narthex"
)

// seen remembers the ids of entries. New ones are in a map; a map that is an
// hour old (a 24th of the horizon) or full becomes a segment: sorted, never
// changed again, dropped as a whole when the horizon has passed it.
type seen struct {
	open   map[ID]mark
	since  int64 // ms; when open was begun
	closed []*segment
}

// mark is what is remembered of an entry.
type mark struct {
	digest narthex.Digest
	after  int64 // ms; the last tick before the fold
}

// segment is ids in order. Its times are those of folds, in ms.
type segment struct {
	first, last int64
	recs        []rec
	absent      bool   // recs are stored, and not loaded
	count       int    // how many recs there are then
	key         string // where it is stored; "" if it isn't yet
	holds       span   // the virtual shards for which the entries were folded
}

type rec struct {
	id ID
	mark
}

// maxOpen bounds the map, and with it what a checkpoint writes again, and for how
// long nothing is folded while the map becomes a segment. maxMerged does it for
// segments that are made of smaller ones: to merge four million takes a tenth of a
// second.
const maxOpen, maxMerged = 1 << 16, 1 << 22

// find returns the mark of an id that was seen for all of the virtual shards
// of want.
func (s *seen) find(id ID, want span) (mark, bool) {
	return s.look(id, func(seg *segment) bool { return seg.holds.covers(want) })
}

// any returns the mark of an id that was seen for any virtual shard.
func (s *seen) any(id ID) (mark, bool) {
	return s.look(id, func(*segment) bool { return true })
}

func (s *seen) look(id ID, fits func(*segment) bool) (mark, bool) {
	if m, ok := s.open[id]; ok {
		return m, true
	}
	for _, seg := range slices.Backward(s.closed) {
		if !fits(seg) {
			continue
		}
		if m, ok := seg.find(id); ok {
			return m, true
		}
	}
	return mark{}, false
}

func (s *seen) add(id ID, m mark, clock int64, p Policy) {
	hour := p.Horizon.Milliseconds() / 24
	if s.open != nil && (len(s.open) >= p.OpenIDs || clock-s.since >= hour) {
		s.seal(clock)
		s.merge(hour, p.MergedIDs)
	}
	if s.open == nil {
		s.open, s.since = make(map[ID]mark), clock
	}
	s.open[id] = m
}

// seal turns the map into a segment.
func (s *seen) seal(clock int64) {
	if len(s.open) == 0 {
		return
	}
	seg := &segment{first: s.since, last: max(s.since, clock), recs: make([]rec, 0, len(s.open))}
	for id, m := range s.open {
		seg.recs = append(seg.recs, rec{id, m})
	}
	slices.SortFunc(seg.recs, func(a, b rec) int { return bytes.Compare(a.id[:], b.id[:]) })
	s.closed = append(s.closed, seg)
	s.open = nil
}

// merge makes one of the newest segments as long as they are alike in size and
// of one hour, so that there are few of them however often the map is full, and
// each id is written again a few times only.
func (s *seen) merge(hour int64, limit int) {
	for n := len(s.closed); n >= 2; n-- {
		a, b := s.closed[n-2], s.closed[n-1]
		if a.absent || b.absent || a.holds != b.holds || b.last-a.first > hour || len(a.recs) > 2*len(b.recs) || len(a.recs)+len(b.recs) > limit {
			return
		}
		s.closed = append(s.closed[:n-2], &segment{first: a.first, last: b.last, recs: mergeRecs(a.recs, b.recs), holds: a.holds})
	}
}

// mergeRecs returns what is in a and b, which are in order, in order.
func mergeRecs(a, b []rec) []rec {
	out := make([]rec, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if bytes.Compare(b[0].id[:], a[0].id[:]) < 0 {
			out, b = append(out, b[0]), b[1:]
		} else {
			out, a = append(out, a[0]), a[1:]
		}
	}
	return append(append(out, a...), b...)
}

// expire drops what is older than before.
func (s *seen) expire(before int64) {
	s.closed = slices.DeleteFunc(s.closed, func(seg *segment) bool {
		unknown := seg.absent && seg.last == 0 // a state of before its times stood in it
		return !unknown && seg.last < before
	})
}

// absent reports whether ids are stored that are not loaded.
func (s *seen) absent() bool {
	return slices.ContainsFunc(s.closed, func(seg *segment) bool { return seg.absent })
}

func (s *seen) len() int {
	n := len(s.open)
	for _, seg := range s.closed {
		n += seg.len()
	}
	return n
}

func (seg *segment) len() int {
	if seg.absent {
		return seg.count
	}
	return len(seg.recs)
}

// find looks id up by its place: ids are hashes, so they lie evenly, and a
// guess by the first eight bytes is off by few.
func (seg *segment) find(id ID) (mark, bool) {
	n := len(seg.recs)
	if n == 0 {
		return mark{}, false
	}
	guess := int(float64(binary.BigEndian.Uint64(id[:8])) / (1 << 64) * float64(n))
	lo := min(max(guess, 0), n-1)
	hi := lo
	for step := 8; lo > 0 && bytes.Compare(seg.recs[lo].id[:], id[:]) > 0; step *= 2 {
		lo = max(lo-step, 0)
	}
	for step := 8; hi < n-1 && bytes.Compare(seg.recs[hi].id[:], id[:]) < 0; step *= 2 {
		hi = min(hi+step, n-1)
	}
	i, ok := slices.BinarySearchFunc(seg.recs[lo:hi+1], id, func(r rec, id ID) int { return bytes.Compare(r.id[:], id[:]) })
	if !ok {
		return mark{}, false
	}
	return seg.recs[lo+i].mark, true
}
