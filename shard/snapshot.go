package shard

import (
	"context"
	"errors"
	"strings"

	"narthex"
	"narthex/ledger"
	"narthex/state"
)

// Exists reports whether there are totals in the store.
func Exists(ctx context.Context, store state.Store) (bool, error) {
	e, err := store.Load(ctx, layoutKey)
	return e.Data != nil, err
}

// Snapshot returns a copy of all groups as one state, with all ids: it needs the
// memory of all of them. Groups are read one after the other, each as it is then.
func (s *Shards) Snapshot(ctx context.Context) (*ledger.State, error) {
	for {
		l := s.current()
		var parts []*ledger.State
		var err error
		for n := range l.Groups {
			var part *ledger.State
			if part, err = s.copy(ctx, l.key(n), l); err != nil {
				break
			}
			parts = append(parts, part)
		}
		if errors.Is(err, errMoved) {
			if err := s.follow(ctx, l.Epoch); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, narthex.Errorf(narthex.Unavailable, "load the totals: %w", err)
		}
		return ledger.Join(parts...)
	}
}

// copy reads a group anew, apart from what is cached.
func (s *Shards) copy(ctx context.Context, key string, l layout) (*ledger.State, error) {
	for {
		e, err := s.o.Store.Load(ctx, key)
		if err != nil {
			return nil, err
		}
		if e.Data == nil && strings.HasPrefix(key, firstEpoch) {
			return ledger.NewPart(l.span(key)), nil
		}
		g := &group{key: key, entry: e}
		if err := g.decode(e.Data); err != nil {
			return nil, err
		}
		if g.frozen {
			return nil, errMoved
		}
		err = g.state.LoadSegments(func(key string) ([]byte, error) {
			e, err := s.o.Store.Load(ctx, key)
			return e.Data, err
		})
		if err == nil {
			return g.state, nil
		}
		// The ids may have been deleted by one who saved the group meanwhile.
		if now, err2 := s.o.Store.Load(ctx, key); err2 != nil || now.Version == e.Version {
			return nil, errors.Join(err, err2)
		}
	}
}
