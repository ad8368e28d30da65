package pipeline

import (
	"hash/maphash"
	"strings"
	"time"

	"narthex"
)

// identity is what is known of a sender.
type identity struct {
	name            string
	limits          Limits
	pushes, samples bucket
	series, sources int // of it
	last            int64
	tally
}

type sourceKey struct {
	identity *identity
	name     string
}

// source is what is known of a sender's source. The maps have, by the hash of a
// series' labels, the generation in which it was last pushed.
type source struct {
	id   *identity
	name string
	seen map[uint64]uint32
	// other are series that others were folded into while there was no room for
	// them among seen.
	other           map[uint64]uint32
	pushes, samples bucket
	last            int64 // ms
	tally

	round uint64 // the admission that due is of
	due   int    // samples
}

// eighths is how many generations pass until a series is idle.
const eighths = 8

// advance moves the clock, which never goes back.
func (l *Limiter) advance(now int64) {
	l.now = max(l.now, now)
	step := max(1, l.o.Idle.Milliseconds()/eighths)
	if gen := uint32(l.now / step); gen != l.gen {
		l.gen = gen
		l.behind = l.behind[:0]
		for _, s := range l.sources {
			l.behind = append(l.behind, s)
		}
		for name, id := range l.identities {
			if id.series == 0 && id.last < l.now-l.o.Idle.Milliseconds() {
				delete(l.identities, name)
			}
		}
	}
	// One source at a time, so that no push waits for all of them.
	if n := len(l.behind); n > 0 {
		l.sweep(l.behind[n-1])
		l.behind = l.behind[:n-1]
	}
}

// sweep forgets the source's series that are idle, and the source when it has
// none.
func (l *Limiter) sweep(s *source) {
	before := len(s.seen) + len(s.other)
	for _, m := range []map[uint64]uint32{s.seen, s.other} {
		for h, gen := range m {
			if l.gen-gen > eighths { // at least Idle ago
				delete(m, h)
			}
		}
	}
	gone := before - len(s.seen) - len(s.other)
	l.series, s.id.series = l.series-gone, s.id.series-gone
	if before == gone && s.last < l.now-l.o.Idle.Milliseconds() {
		delete(l.sources, sourceKey{s.id, s.name})
		s.id.sources--
	}
}

// identity returns the sender.
func (l *Limiter) identity(name string) *identity {
	id := l.identities[name]
	if id != nil {
		return id
	}
	limits, named := l.o.Identities[name]
	if !named {
		limits = l.o.Default
		if len(l.identities) >= maxIdentities {
			if name = tooMany; l.identities[name] != nil {
				return l.identities[name]
			}
		}
	}
	if limits.Burst <= 0 {
		limits.Burst = 10 * time.Second
	}
	name = strings.Clone(name) // it may share the memory of a whole request
	id = &identity{name: name, limits: limits}
	l.identities[name] = id
	return id
}

// tooMany is the name of the senders and of the sources that there is no room
// to tell apart.
const tooMany = "(others)"

// source returns the source of a series; cur is that of the one before.
func (l *Limiter) source(id *identity, ls narthex.Labels, cur *source) *source {
	name := ls.Get(l.o.SourceLabel)
	if name == "" {
		name = ls.Get("job")
	}
	if cur != nil && cur.name == name {
		return cur
	}
	key := sourceKey{id, name}
	s := l.sources[key]
	// A sender leaves half of what the others have left, so that one with a source
	// for each push does not take away theirs.
	if s == nil && id.sources >= (maxSources-len(l.sources)+id.sources)/2 {
		key.name = tooMany
		s = l.sources[key]
	}
	if s == nil {
		key.name = strings.Clone(key.name) // it shares the memory of a whole body
		s = &source{id: id, name: key.name, seen: make(map[uint64]uint32)}
		l.sources[key] = s
		id.sources++
	}
	s.last = l.now
	return s
}

// hash returns the hash of the labels.
func (l *Limiter) hash(ls narthex.Labels) uint64 {
	l.key = ls.AppendKey(l.key[:0])
	return maphash.Bytes(l.seed, l.key)
}

// active reports whether the series is, and notes that it was pushed.
func (l *Limiter) active(s *source, h uint64) bool {
	if gen, ok := s.seen[h]; ok {
		if gen != l.gen {
			s.seen[h] = l.gen
		}
		return true
	}
	if gen, ok := s.other[h]; ok {
		if gen != l.gen {
			s.other[h] = l.gen
		}
		return true
	}
	return false
}

// enter makes a series active, or returns the limit that is in the way.
func (l *Limiter) enter(s *source, h uint64) reason {
	m := &s.id.limits
	switch {
	case m.SeriesPerSource > 0 && len(s.seen) >= m.SeriesPerSource:
		return reasonSource
	case m.Series > 0 && s.id.series >= m.Series:
		return reasonIdentity
	case l.series >= l.o.MaxSeries:
		if m.SeriesPerSource > 0 || m.Series > 0 {
			return reasonMemory
		}
		return "" // it is not told apart, but nobody limits it
	}
	s.seen[h] = l.gen
	l.series++
	s.id.series++
	return ""
}

// enterOther makes a series active that others were folded into, where there is
// no room among those that were pushed. share is how much of what is set aside
// for them may be used.
func (l *Limiter) enterOther(s *source, h uint64, share float64) bool {
	room := 100
	if m := s.id.limits.SeriesPerSource; m > 0 {
		room = max(room, m/10)
	}
	if float64(len(s.other)) >= share*float64(room) {
		return false
	}
	if s.other == nil {
		s.other = make(map[uint64]uint32)
	}
	s.other[h] = l.gen
	l.series++
	s.id.series++
	return true
}

// leave takes back what enter did.
func (l *Limiter) leave(s *source, h uint64) {
	if _, ok := s.seen[h]; ok {
		delete(s.seen, h)
		l.series--
		s.id.series--
	}
}
