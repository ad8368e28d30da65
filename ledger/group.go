package ledger

import (
	"time"

	"narthex"
)

// group is what a Pushgateway client pushed under one grouping key.
type group struct {
	labels  narthex.Labels
	key     string
	members map[string]*account // by the labels' keys
	ttl     int64               // ms, 0: none
	pushed  int64               // ms; the last push that was taken
	touched int64               // ms; what the time to live counts from
}

// The gauges that each group has, as a Pushgateway adds them.
const (
	pushTime    = "push_time_seconds"
	failureTime = "push_failure_time_seconds"
)

func (s *State) foldGroup(e *Entry, p Policy) []narthex.Rejection {
	op, key := e.group, string(e.group.Labels.AppendKey(nil))
	g := s.groups[key]
	if op.Op == narthex.GroupDelete {
		if g != nil {
			s.endGroup(g)
		}
		return nil
	}
	if g == nil && len(s.accounts)+2 > p.MaxSeries {
		return full(e)
	}
	if g == nil {
		g = &group{labels: op.Labels, key: key, members: make(map[string]*account)}
		s.groups[key] = g
	}
	seconds := float64(e.Received) / 1000
	if op.Op != narthex.GroupFail && s.repeat(g, e) {
		g.ttl, g.pushed, g.touched = op.TTL.Milliseconds(), e.Received, e.Received
		s.note(g, pushTime, pushTimeHelp, seconds)
		return nil
	}
	rejected := s.refuseGroup(e, g, p)
	if op.Op == narthex.GroupFail || len(rejected) > 0 {
		if g.pushed == 0 { // never pushed rightly: it lasts as this push says
			g.ttl, g.touched = op.TTL.Milliseconds(), e.Received
		}
		s.note(g, failureTime, "Last Unix time when changing this group in the Pushgateway failed.", seconds)
		if !s.has(g, pushTime) {
			s.note(g, pushTime, pushTimeHelp, 0)
		}
		return rejected
	}
	g.ttl, g.pushed, g.touched = op.TTL.Milliseconds(), e.Received, e.Received
	s.supplant(g, e)
	for i := range e.items {
		s.member(g, &e.items[i])
	}
	s.note(g, pushTime, pushTimeHelp, seconds)
	if !s.has(g, failureTime) {
		s.note(g, failureTime, "Last Unix time when changing this group in the Pushgateway failed.", 0)
	}
	return nil
}

// repeat sets the group's series if they are those that it has already, each of
// the same type: the usual push, which needs no look at anything else.
func (s *State) repeat(g *group, e *Entry) bool {
	if len(e.items)+2 != len(g.members) { // and the two gauges of its times
		return false
	}
	s.pushes++
	s.found = s.found[:0]
	for i := range e.items {
		it := &e.items[i]
		a := g.members[it.key]
		if a == nil || a.typ != it.typ || a.family != it.family || a.pushed == s.pushes {
			return false
		}
		a.pushed = s.pushes // a series that comes twice is not the usual push
		s.found = append(s.found, a)
	}
	for i, a := range s.found {
		a.set(&e.items[i])
	}
	return true
}

// set gives a member of a group the item's value.
func (a *account) set(it *item) {
	last := it.samples[len(it.samples)-1]
	if a.hist != nil && !a.dirty {
		a.wroteHist = a.hist
	}
	a.value, a.hist, a.dirty = last.Value, last.Histogram.Clone(), true
	a.unit, a.help = it.unit, it.help
}

const pushTimeHelp = "Last Unix time when changing this group in the Pushgateway succeeded."

// full rejects the whole entry.
func full(e *Entry) []narthex.Rejection {
	out := []narthex.Rejection{{Series: e.group.Labels.String(), Reason: ledgerFull}}
	for i := range e.items {
		out = append(out, narthex.Rejection{Series: keyText(e.items[i].key), Reason: ledgerFull})
	}
	return out
}

// refuseGroup says which of the entry's items can't be in the group: those
// that somebody else keeps, and those whose metric has another type elsewhere.
func (s *State) refuseGroup(e *Entry, g *group, p Policy) (rejected []narthex.Rejection) {
	fresh, own := 0, make(map[use]int)
	for _, a := range g.members {
		own[use{a.familyName(), a.typ}]++
	}
	for i := range e.items {
		it := &e.items[i]
		why := ""
		a := s.byKey[it.key]
		switch {
		case a != nil && (a.ended || a.gone || a.deleted()): // it left its group, or was deleted
		case a == nil:
			if fresh++; len(s.accounts)+fresh > p.MaxSeries {
				why = ledgerFull
			}
		case a.group == nil:
			why = "the ledger keeps this series as a " + a.typ.String() + ", for it was pushed as increments or as a gauge: give one of the two another name"
		case a.group != g:
			why = "it is in the group " + a.group.labels.String() + " too: a series belongs to one group"
		}
		if why == "" {
			why = s.refuseType(it, own)
		}
		if why != "" {
			rejected = append(rejected, narthex.Rejection{Series: keyText(it.key), Reason: why})
		}
	}
	return rejected
}

// refuseType compares the metric's type with the one it has in other groups.
// own has the group's own members by metric and type.
func (s *State) refuseType(it *item, own map[use]int) string {
	name := it.familyName()
	for u, n := range s.uses[name] {
		if u != it.typ && n > own[use{name, u}] {
			return "it is a " + it.typ.String() + ", but in another group the metric " + name + " is a " + u.String() + ": give one of the two another name"
		}
	}
	return ""
}

// use is a metric of a type; State.uses counts the groups' members by it.
type use struct {
	family string
	typ    narthex.Type
}

// enlist counts a member, which has its type already; by is 1 or -1.
func (s *State) enlist(a *account, by int) {
	name := a.familyName()
	m := s.uses[name]
	if m == nil {
		m = make(map[narthex.Type]int)
		s.uses[name] = m
	}
	if m[a.typ] += by; m[a.typ] == 0 {
		delete(m, a.typ)
	}
	if len(m) == 0 {
		delete(s.uses, name)
	}
}

// supplant ends the members that the entry replaces: all, or those of the same
// metrics.
func (s *State) supplant(g *group, e *Entry) {
	incoming := make(map[string]bool)
	keys := make(map[string]bool)
	for i := range e.items {
		incoming[e.items[i].familyName()] = true
		keys[e.items[i].key] = true
	}
	for key, a := range g.members {
		name := a.labels.Get(narthex.MetricName)
		if keys[key] || name == pushTime || name == failureTime {
			continue
		}
		if e.group.Op == narthex.GroupReplace || incoming[a.familyName()] {
			s.dismiss(a, key)
		}
	}
}

// member sets a series of the group.
func (s *State) member(g *group, it *item) {
	a := s.byKey[it.key]
	if a == nil {
		ls, _ := narthex.ParseKey(it.key) // NewEntry and the log's decoder made or checked it
		a = &account{labels: ls}
		s.add(it.key, a)
	}
	if g.members[it.key] != nil {
		s.enlist(a, -1)
	}
	a.group, a.ended, a.gone, a.typ, a.family = g, false, false, it.typ, it.family
	a.set(it)
	g.members[it.key] = a
	s.enlist(a, 1)
}

// note sets one of the group's own gauges.
func (s *State) note(g *group, name, help string, v float64) {
	it := &item{typ: narthex.TypeGauge, help: help, samples: []narthex.Sample{{Value: v}}}
	s.key = g.labels.With(narthex.MetricName, name).AppendKey(s.key[:0])
	if a := g.members[string(s.key)]; a != nil && a.typ == it.typ && a.family == "" {
		a.set(it) // as always but the first time
		return
	}
	it.key = string(s.key)
	if a := s.byKey[it.key]; a != nil && a.group == nil {
		return // somebody pushed a series of that name; theirs stays
	}
	s.member(g, it)
}

func (s *State) has(g *group, name string) bool {
	return g.members[string(g.labels.With(narthex.MetricName, name).AppendKey(nil))] != nil
}

func (s *State) endGroup(g *group) {
	for key, a := range g.members {
		s.dismiss(a, key)
	}
	delete(s.groups, g.key)
}

// dismiss takes a member out of its group; the next tick ends the series.
func (s *State) dismiss(a *account, key string) {
	a.ended = true
	delete(a.group.members, key)
	s.enlist(a, -1)
}

// expireGroups ends the groups whose time to live is over at t.
func (s *State) expireGroups(t int64) {
	for _, g := range s.groups {
		if g.ttl > 0 && t-g.touched > g.ttl {
			s.endGroup(g)
		}
	}
}

func (a *account) familyName() string {
	if a.family != "" {
		return a.family
	}
	return a.labels.Get(narthex.MetricName)
}

func (it *item) familyName() string {
	if it.family != "" {
		return it.family
	}
	ls, _ := narthex.ParseKey(it.key)
	return ls.Get(narthex.MetricName)
}

// Group is a group as readers see it.
type Group struct {
	Labels narthex.Labels
	Pushed time.Time // the last push that was taken; zero if none was
	Series []narthex.Series
}

// Groups returns the groups, in no order.
func (s *State) Groups() []Group {
	out := make([]Group, 0, len(s.groups))
	for _, g := range s.groups {
		v := Group{Labels: g.labels}
		if g.pushed != 0 {
			v.Pushed = time.UnixMilli(g.pushed)
		}
		for _, a := range g.members {
			v.Series = append(v.Series, narthex.Series{
				Labels: a.labels, Type: a.typ, Family: a.family, Unit: a.unit, Help: a.help,
				Samples: []narthex.Sample{{Value: a.value, Histogram: a.hist.Clone()}},
			})
		}
		out = append(out, v)
	}
	return out
}
