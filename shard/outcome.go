package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/ledger"
)

// Outcome is what became of an entry.
type Outcome struct {
	Folded   time.Time // when it was counted
	Written  time.Time // the tick that wrote it; zero: not written yet
	Rejected []narthex.Rejection
	Refused  bool // nothing of it was counted, not even in part
}

// outcome is one entry's outcome in one group.
type outcome struct {
	id       ledger.ID
	at       int64 // ms
	refused  bool  // it was not counted, for the reason that rejected has
	rejected []narthex.Rejection
}

// outcomes are the newest of a group, oldest first, and older ones that have
// rejections.
type outcomes []outcome

const (
	maxRejected   = 1000     // outcomes with rejections that are kept beside the newest
	maxRejections = 20       // that are kept of one entry
	maxReason     = 300      // bytes of a series or of a reason
	maxTexts      = 32 << 10 // bytes of all of a group's rejections
)

// add appends an outcome and drops what is too much: the oldest that nobody
// needs to look at first.
func (o outcomes) add(x outcome, newest int) outcomes {
	x.rejected = slices.Clone(x.rejected[:min(len(x.rejected), maxRejections)])
	for i := range x.rejected {
		r := &x.rejected[i]
		r.Series, r.Reason = clip(r.Series), clip(r.Reason)
	}
	o = append(o, x)
	if len(x.rejected) > 0 {
		o.shorten()
	}
	bad := 0
	for i := len(o) - newest - 1; i >= 0; i-- {
		if len(o[i].rejected) > 0 && bad < maxRejected {
			bad++
			continue
		}
		o = append(o[:i], o[i+1:]...)
	}
	return o
}

// shorten keeps of old rejections only that there were some, once the texts of
// all take too much room.
func (o outcomes) shorten() {
	room := maxTexts
	for i := len(o) - 1; i >= 0; i-- {
		for j, r := range o[i].rejected {
			if room -= len(r.Series) + len(r.Reason); room < 0 {
				o[i].rejected = append(o[i].rejected[:j:j], narthex.Rejection{})
				break
			}
		}
	}
}

// told returns the rejections as they are told.
func (x outcome) told() []narthex.Rejection {
	list := slices.Clone(x.rejected)
	if n := len(list); n > 0 && list[n-1] == (narthex.Rejection{}) {
		list[n-1].Reason = "more was rejected, too long ago to say what"
	}
	return list
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }

func (o outcomes) encode() []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	var b []byte
	for _, x := range o {
		b = append(b, x.id[:]...)
		b = binary.AppendVarint(b, x.at)
		n := uint64(len(x.rejected)) << 1
		if x.refused {
			n |= 1
		}
		b = binary.AppendUvarint(b, n)
		for _, r := range x.rejected {
			b = text(text(b, r.Series), r.Reason)
		}
	}
	return b
}

func (o *outcomes) decode(b []byte) error {
	ok := true
	text := func() string {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			ok = false
			return ""
		}
		s := string(b[k : k+int(n)])
		b = b[k+int(n):]
		return s
	}
	for len(b) > 0 && ok {
		var x outcome
		n := copy(x.id[:], b)
		b = b[n:]
		at, k := binary.Varint(b)
		if n < len(x.id) || k <= 0 {
			ok = false
			break
		}
		x.at, b = at, b[k:]
		count, k := binary.Uvarint(b)
		if k <= 0 || count>>1 > maxRejections+1 {
			ok = false
			break
		}
		b, x.refused = b[k:], count&1 == 1
		for range count >> 1 {
			x.rejected = append(x.rejected, narthex.Rejection{Series: text(), Reason: text()})
		}
		*o = append(*o, x)
	}
	if !ok {
		return errors.New("its outcomes are damaged")
	}
	return nil
}

// fresh returns a group as it is in the store now, with its ids. Who changes a
// group finds out by the swap that what is cached has been overtaken; who only
// looks would not.
func (s *Shards) fresh(ctx context.Context, key string) (*group, error) {
	cached := s.uncache(key)
	g, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	if g.frozen {
		return g, nil
	}
	if cached != nil && cached.frozen {
		cached = nil
	}
	return s.withIDs(ctx, g, cached)
}

// confirmed returns the newest tick of a group that all destinations are known
// to have taken, though the store may not say so yet, in ms; 0 if none is.
func (s *Shards) confirmed(key string) (tick int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.o.Destinations {
		taken := s.took[key][name]
		if taken == 0 {
			return 0
		}
		if tick == 0 || taken < tick {
			tick = taken
		}
	}
	return tick
}

// Lookup says what became of the batch with this id, false if it was not
// folded. It reads all groups. A tick that another process has written shows once
// the next one is made.
func (s *Shards) Lookup(ctx context.Context, identity, id string) (Outcome, bool, error) {
	return s.outcome(ctx, ledger.NewID(identity, id))
}

// Known reports whether the entry with the id was counted, or refused for good.
func (s *Shards) Known(ctx context.Context, id ledger.ID) (bool, error) {
	_, known, err := s.outcome(ctx, id)
	return known, err
}

func (s *Shards) outcome(ctx context.Context, want ledger.ID) (Outcome, bool, error) {
	var out Outcome
	known, folded, refused := false, false, false
	l := s.current()
	for i := range l.Groups {
		g, err := s.fresh(ctx, l.key(i))
		if err != nil {
			return out, false, err
		}
		if g.frozen {
			s.keep(g)
			if err := s.follow(ctx, l.Epoch); err != nil {
				return out, false, err
			}
			return s.outcome(ctx, want)
		}
		if written, ok := g.state.Lookup(want, s.confirmed(g.key)); ok {
			if at := time.UnixMilli(written); written == 0 {
				out.Written = time.Time{}
			} else if !known || !out.Written.IsZero() && at.After(out.Written) {
				out.Written = at
			}
			known, folded = true, true
		}
		for _, x := range g.outcomes {
			if x.id == want {
				out.Folded = time.UnixMilli(x.at)
				out.Rejected = append(out.Rejected, x.told()...)
				refused = refused || x.refused
				known = true
			}
		}
		s.keep(g)
	}
	out.Refused = refused && !folded
	return out, known, nil
}
