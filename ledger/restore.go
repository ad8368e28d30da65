package ledger

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"narthex"
)

// partSeries and partIDs are how many series and ids one record of an import has.
const (
	partSeries = 5000
	partIDs    = 1 << 20
)

// clockSkew is how far an import's last tick may be ahead: until the clock has
// caught up with it nothing is written.
const clockSkew = time.Minute

// ImportEntries returns the entries that bring the state s, which must not be
// used any more, into a ledger: see [State.Fold]. Series, groups and ids that
// the ledger has stay as they are. received is now.
func ImportEntries(s *State, received time.Time) ([]*Entry, error) {
	if ahead := time.UnixMilli(s.last).Sub(received); ahead > clockSkew {
		return nil, narthex.Errorf(narthex.Invalid, "the export's last tick is %s ahead of the clock here: nothing would be written until then", ahead.Round(time.Second))
	}
	groups := make(map[*group]int)
	n := 0
	parts := s.split(func(a *account) int {
		if a.group != nil && !a.ended { // a group stays together
			if at, ok := groups[a.group]; ok {
				return at
			}
			groups[a.group] = n / partSeries
		}
		n++
		return (n - 1) / partSeries
	})
	var out []*Entry
	add := func(part *State) {
		e := &Entry{Received: received.UnixMilli(), restore: part}
		rand.Read(e.ID[:])
		out = append(out, e)
	}
	for _, k := range slices.Sorted(maps.Keys(parts)) {
		add(parts[k])
	}
	s.ids.seal(s.clock)
	for _, seg := range s.ids.closed {
		for recs := range slices.Chunk(seg.recs, partIDs) {
			part := s.part()
			part.ids.closed = []*segment{{first: seg.first, last: seg.last, recs: recs, holds: seg.holds}}
			add(part)
		}
	}
	return out, nil
}

// part returns a state that has no more than s's clock.
func (s *State) part() *State {
	p := NewState()
	p.last, p.taken, p.clock, p.holds = s.last, s.taken, s.clock, s.holds
	p.ticks, p.takers = slices.Clone(s.ticks), maps.Clone(s.takers)
	return p
}

// split deals the state's accounts out. All parts have its clock, and none the
// ids.
func (s *State) split(of func(*account) int) map[int]*State {
	parts := make(map[int]*State)
	where := make(map[*account]int, len(s.accounts))
	for _, a := range s.accounts {
		n := of(a)
		where[a] = n
		p := parts[n]
		if p == nil {
			p = s.part()
			parts[n] = p
		}
		p.add(string(a.labels.AppendKey(nil)), a)
		p.memories += len(a.sources)
		if a.group != nil && !a.ended {
			p.groups[a.group.key] = a.group
			p.enlist(a, 1)
		}
	}
	for _, l := range s.leads {
		if n, ok := where[l.a]; ok {
			parts[n].leads = append(parts[n].leads, l)
		}
	}
	return parts
}

// restoreParts cuts an import up by where its series belong, as Entry.Parts
// does. All parts are given the ids.
func (e *Entry) restoreParts(of func(shard uint8) int) map[int]*Entry {
	states := e.restore.split(func(a *account) int { return of(a.shard()) })
	if len(e.restore.ids.closed) > 0 {
		for shard := range Shards {
			n := of(uint8(shard))
			if states[n] == nil {
				states[n] = e.restore.part()
			}
			states[n].ids.closed = e.restore.ids.closed
		}
	}
	out := make(map[int]*Entry)
	for n, s := range states {
		p := *e
		p.restore = s
		out[n] = &p
	}
	return out
}

// merge takes over what s does not have of from, and returns what it has. A
// state that has nothing yet takes over the clock as well.
func (s *State) merge(from *State, p Policy) (kept []narthex.Rejection) {
	s.adopt(from)
	groups := make(map[*group]bool)
	for key, g := range from.groups {
		if groups[g] = s.groups[key] == nil; groups[g] {
			s.groups[key] = &group{labels: g.labels, key: key, members: make(map[string]*account), ttl: g.ttl, pushed: g.pushed, touched: g.touched}
		}
	}
	merged := make(map[*account]*account)
	for _, a := range from.accounts {
		why := s.refuseMerge(a, p)
		if a.group != nil && !a.ended && !groups[a.group] {
			why = "the ledger has its group already"
		}
		if why != "" {
			kept = append(kept, narthex.Rejection{Series: a.labels.String(), Reason: why})
			continue
		}
		merged[a] = s.take(a)
	}
	for _, l := range from.leads {
		if a := merged[l.a]; a != nil {
			l.a = a
			s.leads = append(s.leads, l)
		}
	}
	s.leads = slices.Clone(s.leads) // a destination may be reading it
	slices.SortStableFunc(s.leads, func(x, y lead) int { return int(x.tick - y.tick) })
	for _, seg := range from.ids.closed {
		own := *seg
		own.key = ""
		if own.holds == (span{}) {
			own.holds = from.holds
		}
		s.ids.closed = append(s.ids.closed, &own)
	}
	return kept
}

// adopt takes over the clock.
func (s *State) adopt(from *State) {
	s.clock = max(s.clock, from.clock)
	if s.last != 0 || len(s.accounts) > 0 {
		s.last = max(s.last, from.last)
		return
	}
	s.last, s.taken, s.ticks = from.last, from.taken, slices.Clone(from.ticks)
	if len(s.takers) == 0 {
		s.takers = maps.Clone(from.takers)
	}
	for name := range s.takers {
		s.takers[name] = max(s.takers[name], from.takers[name])
	}
}

// take makes a copy of another state's account the state's own.
func (s *State) take(from *account) *account {
	key := string(from.labels.AppendKey(nil))
	own := *from
	own.sources = maps.Clone(from.sources)
	a := s.byKey[key]
	if a == nil {
		a = &own
		s.add(key, a)
	} else { // what is over or deleted, and has only the time of its last sample
		own.written, own.stale = max(own.written, a.written), own.stale || a.stale
		*a = own
	}
	s.memories += len(a.sources)
	if a.group != nil && !a.ended {
		a.group = s.groups[a.group.key]
		a.group.members[key] = a
		s.enlist(a, 1)
	}
	return a
}

func (s *State) refuseMerge(a *account, p Policy) string {
	if have := s.byKey[string(a.labels.AppendKey(nil))]; have != nil && !have.gone && !have.ended && !have.deleted() {
		return "the ledger keeps it already, so it was left as it is"
	}
	if len(s.accounts) >= p.MaxSeries {
		return ledgerFull
	}
	return s.refuseAccount(a)
}

// refuseAccount says why an account from outside can't be one of s, or "".
func (s *State) refuseAccount(a *account) string {
	if a.group != nil || a.gone {
		return ""
	}
	it := &item{key: string(a.labels.AppendKey(nil)), typ: a.typ, as: narthex.AsDelta, samples: []narthex.Sample{{Histogram: a.hist}}}
	switch {
	case a.typ == narthex.TypeGauge:
		it.as = narthex.AsGauge
		fallthrough
	case a.typ == narthex.TypeCounter:
		if a.hist != nil {
			return "it is a " + a.typ.String() + " and has a histogram"
		}
	case a.typ != narthex.TypeHistogram || a.hist == nil:
		return "the ledger does not keep a " + a.typ.String() + " without a histogram outside a group"
	default:
		if err := checkHistogram(a.hist); err != nil {
			return fmt.Sprintf("it is %v", err)
		}
	}
	if a.wroteHist != nil && (a.hist == nil || refuseHistogram(a.empty(), &item{samples: []narthex.Sample{{Histogram: a.wroteHist}}}) != "") {
		return "the histogram that was written is not like the one that is kept"
	}
	if a.typ == narthex.TypeCounter && (checkTotal(a.value, nil) != nil || checkTotal(a.wrote, nil) != nil) {
		return "a counter's total is neither negative nor infinite"
	}
	return s.refuseName(it)
}

// appendPart appends the record of a part of an import: the state without its
// ids, and these behind it.
func appendPart(dst []byte, e *Entry) []byte {
	enc := encoder{dst}
	enc.byte(recordPart)
	enc.raw(e.ID[:])
	enc.int(e.Received)
	segments := slices.Clone(e.restore.ids.closed)
	keyed := *e.restore
	keyed.ids.closed = nil
	for i, seg := range segments {
		own := *seg
		own.key = strconv.Itoa(i)
		keyed.ids.closed = append(keyed.ids.closed, &own)
	}
	enc.string(string(keyed.Encode()))
	for _, seg := range segments {
		enc.string(string(seg.encode()))
	}
	return enc.b
}

func parsePart(d *decoder) *Entry {
	e := &Entry{}
	copy(e.ID[:], d.raw(uint64(len(e.ID))))
	e.Received = d.int()
	s, err := Decode([]byte(d.string()))
	if err == nil {
		err = s.LoadSegments(func(string) ([]byte, error) { return []byte(d.string()), d.err })
	}
	if err != nil {
		d.fail()
		return e
	}
	for _, seg := range s.ids.closed {
		seg.key = ""
	}
	e.restore = s
	return e
}
