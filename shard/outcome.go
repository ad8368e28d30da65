package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"narthex"
	"narthex/ledger"
)

// Outcome is what became of an entry.
type Outcome struct {
	Folded   time.Time // when it was counted
	Written  time.Time // the tick that wrote it; zero: not written yet
	Rejected []narthex.Rejection
}

// outcome is one entry's outcome in one group.
type outcome struct {
	id       ledger.ID
	at       int64 // ms
	rejected []narthex.Rejection
}

// outcomes are the newest of a group, oldest first, and older ones that have
// rejections.
type outcomes []outcome

const (
	maxRejected   = 1000 // outcomes with rejections that are kept beside the newest
	maxRejections = 20   // that are kept of one entry
	maxReason     = 300  // bytes of a series or of a reason
)

// add appends an outcome and drops what is too much: the oldest that nobody
// needs to look at first.
func (o outcomes) add(x outcome, newest int) outcomes {
	if len(x.rejected) > maxRejections {
		x.rejected = x.rejected[:maxRejections:maxRejections]
	}
	o = append(o, x)
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

func (o outcomes) encode() []byte {
	text := func(b []byte, s string) []byte {
		s = s[:min(len(s), maxReason)]
		return append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	var b []byte
	for _, x := range o {
		b = append(b, x.id[:]...)
		b = binary.AppendVarint(b, x.at)
		b = binary.AppendUvarint(b, uint64(len(x.rejected)))
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
		if k <= 0 || count > maxRejections {
			ok = false
			break
		}
		b = b[k:]
		for range count {
			x.rejected = append(x.rejected, narthex.Rejection{Series: text(), Reason: text()})
		}
		*o = append(*o, x)
	}
	if !ok {
		return errors.New("its outcomes are damaged")
	}
	return nil
}

// Lookup says what became of the batch with this id, false if it was not
// folded. It reads all groups.
func (s *Shards) Lookup(ctx context.Context, identity, id string) (Outcome, bool, error) {
	var out Outcome
	known := false
	want := ledger.NewID(identity, id)
	l := s.current()
	for i := range l.Groups {
		g, err := s.take(ctx, l.key(i))
		if err != nil {
			return out, false, err
		}
		if g.frozen {
			s.keep(g)
			if err := s.refresh(ctx); err != nil {
				return out, false, err
			}
			return s.Lookup(ctx, identity, id)
		}
		if written, ok := g.state.Lookup(want, 0); ok {
			if at := time.UnixMilli(written); written == 0 {
				out.Written = time.Time{}
			} else if !known || !out.Written.IsZero() && at.After(out.Written) {
				out.Written = at
			}
			known = true
		}
		for _, x := range g.outcomes {
			if x.id == want {
				out.Folded = time.UnixMilli(x.at)
				out.Rejected = append(out.Rejected, x.rejected...)
				known = true
			}
		}
		s.keep(g)
	}
	return out, known, nil
}
