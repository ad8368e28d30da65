package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"narthex"
	"narthex/internal/message"
)

// suspects are labels of new series whose values look like ids.
type suspects struct {
	looked int // series
	labels []suspect
}

type suspect struct {
	name, kind, example string
	metric              string // of the first series
	n                   int    // series
}

const (
	maxLooked   = 1000 // new series of a push that are looked at
	maxSuspects = 5    // labels that a receipt names
)

// look looks at a new series. Those that are active were looked at when they
// were new.
func (u *suspects) look(ls narthex.Labels) {
	if u.looked++; u.looked > maxLooked {
		return
	}
	for _, l := range ls {
		if len(l.Value) < 10 || l.Name == narthex.MetricName {
			continue
		}
		kind := IDKind(l.Value)
		if kind == "" {
			continue
		}
		i := slices.IndexFunc(u.labels, func(x suspect) bool { return x.name == l.Name })
		switch {
		case i >= 0:
			u.labels[i].n++
		case len(u.labels) < maxSuspects:
			u.labels = append(u.labels, suspect{l.Name, kind, l.Value, ls.Get(narthex.MetricName), 1})
		}
	}
}

// warn tells the sender, once for each label, and remembers it for the status.
func (u *suspects) warn(l *Limiter, b *narthex.Batch) {
	for _, x := range u.labels {
		l.metrics.suspects(x.kind).Add(1)
		l.suspect(b.Identity, x)
		b.Warn(fmt.Sprintf("the label %s looks like a %s in %d new series of this push (such as %s): each of its values makes a series of its own that is kept; leave it out, or put it into an exemplar or a log",
			x.name, x.kind, x.n, message.Quote(message.Clip(x.example, 40))))
	}
}

// maxSuspected is how many labels the status knows.
const maxSuspected = 200

type suspectKey struct{ identity, label string }

// suspect remembers a label, in the place of the one that was last seen the longest
// ago.
func (l *Limiter) suspect(identity string, x suspect) {
	key := suspectKey{identity, x.name}
	s, there := l.suspected[key]
	if !there && len(l.suspected) >= maxSuspected {
		oldest := key
		for k, other := range l.suspected {
			if oldest == key || other.Last.Before(l.suspected[oldest].Last) {
				oldest = k
			}
		}
		delete(l.suspected, oldest)
	}
	if !there { // its texts may share the memory of a whole push
		key.label = strings.Clone(x.name)
	}
	s.Identity, s.Label, s.Kind, s.Last = identity, key.label, x.kind, when(l.now)
	s.Example, s.Metric = strings.Clone(message.Clip(x.example, 40)), strings.Clone(message.Clip(x.metric, 200))
	s.Series += uint64(x.n)
	l.suspected[key] = s
}

// IDKind returns what the value of a label looks like that is different each
// time (uuid, ulid, timestamp, hex number, random id), or "". A path is judged
// by its segments.
func IDKind(v string) string {
	if !strings.Contains(v, "/") {
		return idKind(v)
	}
	for v != "" {
		segment, rest, _ := strings.Cut(v, "/")
		// Segments such as AbcDef1 are too common for the guess at randomness.
		if kind := idKind(segment); kind != "" && kind != kindRandom {
			return kind
		}
		v = rest
	}
	return ""
}

const (
	kindUUID   = "uuid"
	kindULID   = "ulid"
	kindTime   = "timestamp"
	kindHex    = "hex number"
	kindRandom = "random id"
)

// class counts a value's characters by kind.
type class struct {
	digits, hexLetters, otherLower, upper, marks, others int
	changes                                              int // from one of the first four to another
}

func classOf(v string) (c class) {
	last := -1
	for i := range len(v) {
		now := -1
		switch x := v[i]; {
		case '0' <= x && x <= '9':
			c.digits++
			now = 0
		case 'a' <= x && x <= 'f':
			c.hexLetters++
			now = 1
		case 'g' <= x && x <= 'z':
			c.otherLower++
			now = 1
		case 'A' <= x && x <= 'Z':
			c.upper++
			now = 2
		case x == '-' || x == '_' || x == '+' || x == '=':
			c.marks++
		default:
			c.others++
		}
		if now >= 0 && last >= 0 && now != last {
			c.changes++
		}
		last = now
	}
	return c
}

// idKind judges a value without slashes, in one pass over it.
func idKind(v string) string {
	n := len(v)
	if n < 10 {
		return ""
	}
	if n >= 36 && isUUID(v[n-36:]) { // req-550e8400-… is one too
		return kindUUID
	}
	c := classOf(v)
	switch {
	case c.digits == n:
		return timestamp(v)
	case c.others > 0:
		return ""
	case c.marks == 0 && n >= 16 && c.digits > 0 && (c.digits+c.hexLetters == n || upperHex(v)):
		return kindHex
	case n == 26 && c.marks == 0 && c.hexLetters+c.otherLower == 0 && c.digits > 0 && isULID(v):
		return kindULID
	case n >= 20 && c.digits >= 2 && c.upper > 0 && c.hexLetters+c.otherLower > 0 && 100*c.changes >= 45*(n-1):
		return kindRandom
	}
	return ""
}

func isUUID(v string) bool {
	for i := range len(v) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (v[i] == '-') || !dash && !isHex(v[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func upperHex(v string) bool {
	for i := range len(v) {
		if !isHex(v[i]) || v[i] >= 'a' {
			return false
		}
	}
	return true
}

// isULID reports whether v, which has 26 characters, is of Crockford's base 32
// and begins as 128 bits do.
func isULID(v string) bool {
	return v[0] <= '7' && !strings.ContainsAny(v, "ILOU")
}

// timestamp judges digits: times from 2008 to 2049, in seconds, milliseconds,
// microseconds or nanoseconds.
func timestamp(v string) string {
	switch len(v) {
	case 10, 13, 16, 19:
		if head := v[:2]; "12" <= head && head <= "24" {
			return kindTime
		}
	}
	if len(v) >= 16 {
		return kindHex
	}
	return ""
}
