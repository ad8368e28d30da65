package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/klauspost/compress/s2"

	"narthex"
	"narthex/state"
)

// pending is what an object came to, kept until all of it is written. Whoever
// reads the object again, at the same time or after a crash, writes the same
// entries, whatever was learned meanwhile.
//
// A result is proposed first. It may have been counted already, by someone who
// was done before the proposal: its first entry tells. Only if it was not, the
// proposal is agreed on, and only then written. So there is never a second
// result of which some entries count and some don't.
type pending struct {
	s       *Source
	o       Object
	key     string
	entry   state.Entry
	series  []narthex.Series // what is agreed on
	counted bool             // all of it was written before
}

// The first byte of what is kept.
const (
	proposed = 'p'
	agreed   = 'a'
)

// pending loads what is pending of an object.
func (s *Source) pending(ctx context.Context, o Object) (*pending, error) {
	sum := sha256.Sum256([]byte(o.ID))
	p := &pending{s: s, o: o, key: s.key("pending/" + hex.EncodeToString(sum[:16]))}
	return p, p.load(ctx)
}

func (p *pending) load(ctx context.Context) (err error) {
	if p.entry, err = p.s.o.Keep.Load(ctx, p.key); err != nil {
		return narthex.Errorf(narthex.Unavailable, "look for what was made of %s before: %w", p.o.Name, err)
	}
	return nil
}

// agree brings about that the series, or those that someone else proposed, are
// agreed on, or finds that the object was counted.
func (p *pending) agree(ctx context.Context, series []narthex.Series) error {
	const tries = 10
	for range tries {
		var next []byte
		switch {
		case p.entry.Data == nil:
			next = append([]byte{proposed}, pack(series)...)
		case p.entry.Data[0] == agreed:
			var err error
			if p.series, err = unpack(p.entry.Data[1:]); err != nil {
				return narthex.Errorf(narthex.Unavailable, "what was made of %s before (%s) is damaged: %w", p.o.Name, p.key, err)
			}
			return nil
		default:
			var err error
			if p.counted, err = p.s.known(ctx, entryID(p.o.ID, 0)); err != nil {
				return err
			}
			if p.counted {
				return p.remove(ctx)
			}
			next = append([]byte{agreed}, p.entry.Data[1:]...)
		}
		now, err := p.s.o.Keep.Save(ctx, p.key, p.entry, next)
		switch {
		case err == nil:
			p.entry = state.Entry{Data: next, Version: now.Version}
		case !errors.Is(err, state.ErrConflict):
			return narthex.Errorf(narthex.Unavailable, "keep what was made of %s: %w", p.o.Name, err)
		default:
			if err := p.load(ctx); err != nil {
				return err
			}
		}
	}
	return narthex.Errorf(narthex.Unavailable, "%s is read by too many at once", p.o.Name)
}

// remove ends what is pending. If someone else has done so, that is as good.
func (p *pending) remove(ctx context.Context) error {
	if _, err := p.s.o.Keep.Save(ctx, p.key, p.entry, nil); err != nil && !errors.Is(err, state.ErrConflict) {
		return narthex.Errorf(narthex.Unavailable, "remove what was made of %s: %w", p.o.Name, err)
	}
	return nil
}

// known reports whether the sink has counted an entry.
func (s *Source) known(ctx context.Context, id string) (bool, error) {
	if s.o.Known == nil {
		return false, nil
	}
	known, err := s.o.Known(ctx, s.identity(), id)
	if err != nil {
		return false, narthex.Errorf(narthex.Unavailable, "ask whether %s was counted: %w", id, err)
	}
	return known, nil
}

// pack encodes series: increments, whose values JSON keeps to the last bit.
func pack(series []narthex.Series) []byte {
	text, _ := json.Marshal(series) // increments are finite
	return s2.Encode(nil, text)
}

// maxPending bounds what unpack makes of a few bytes.
const maxPending = 1 << 30

func unpack(data []byte) (series []narthex.Series, err error) {
	if n, err := s2.DecodedLen(data); err != nil || n > maxPending {
		return nil, errors.New("the length it says of itself is impossible")
	}
	text, err := s2.Decode(nil, data)
	if err == nil {
		err = json.Unmarshal(text, &series)
	}
	return series, err
}
