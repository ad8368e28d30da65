package shard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"narthex"
	"narthex/ledger"
	"narthex/state"
)

// layout says how the virtual shards are grouped. It is stored under layoutKey.
// Each regrouping begins a new epoch, with keys of its own: the values of an old
// epoch stay behind, empty and frozen, so that a writer that slept through the
// regrouping can't begin them anew.
type layout struct {
	Version int `json:"version"`
	Epoch   int `json:"epoch"`
	Groups  int `json:"groups"`
	// Next is how many groups the next epoch has, 0 if no regrouping is under
	// way. Whoever meets it finishes it.
	Next int `json:"next,omitempty"`

	entry state.Entry
}

const (
	layoutKey     = "layout"
	layoutVersion = 1
)

// key returns the key of a group.
func (l layout) key(n int) string { return fmt.Sprintf("e%d/%03d", l.Epoch, n) }

// bounds returns the virtual shards of a group: from inclusive, to exclusive.
func (l layout) bounds(n int) (from, to int) {
	return n * ledger.Shards / l.Groups, (n + 1) * ledger.Shards / l.Groups
}

// group returns the group that has a virtual shard.
func (l layout) group(shard uint8) int {
	n := int(shard) * l.Groups / ledger.Shards
	for {
		if from, to := l.bounds(n); int(shard) < from {
			n--
		} else if int(shard) >= to {
			n++
		} else {
			return n
		}
	}
}

// span returns the virtual shards of the group with the key.
func (l layout) span(key string) (from, to int) {
	_, number, _ := strings.Cut(key, "/")
	n := 0
	_, _ = fmt.Sscanf(number, "%d", &n)
	return l.bounds(n)
}

func (s *Shards) current() layout {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.layout
}

// refresh reads the layout, makes one if there is none, and finishes a
// regrouping that is under way.
func (s *Shards) refresh(ctx context.Context) error {
	lost := "" // the layout under which somebody else was faster
	for {
		l, err := s.readLayout(ctx)
		if err == nil && lost != "" && l.entry.Version == lost {
			err = errors.New("the totals are not as it says: it is older or newer than they are, so restore the whole store, not a part of it")
		}
		if err == nil && l.Epoch == 0 {
			l.Version, l.Epoch, l.Groups = layoutVersion, 1, s.o.Groups
			err = s.writeLayout(ctx, l)
			if errors.Is(err, state.ErrConflict) {
				continue
			}
		}
		if err == nil && l.Next != 0 {
			s.adopt(l)
			err = s.finish(ctx, l)
			if err == nil {
				continue
			}
			if errors.Is(err, state.ErrConflict) {
				lost = l.entry.Version
				continue
			}
		}
		if err != nil {
			return narthex.Errorf(narthex.Unavailable, "read how the totals are grouped: %w", err)
		}
		s.adopt(l)
		return nil
	}
}

// follow finds out where the groups of an epoch went, one of which was moved.
func (s *Shards) follow(ctx context.Context, epoch int) error {
	err := s.refresh(ctx)
	if err == nil && s.current().Epoch == epoch {
		err = narthex.Errorf(narthex.Unavailable, "the totals of epoch %d were regrouped, and %s does not say so: it is older than they are, so restore the whole store, not a part of it", epoch, layoutKey)
	}
	return err
}

// adopt makes l the layout that this process goes by.
func (s *Shards) adopt(l layout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.Epoch != s.layout.Epoch {
		s.forget()
	}
	s.layout = l
}

func (s *Shards) readLayout(ctx context.Context) (layout, error) {
	e, err := s.o.Store.Load(ctx, layoutKey)
	l := layout{entry: e}
	if err != nil || e.Data == nil {
		return l, err
	}
	if err := json.Unmarshal(e.Data, &l); err != nil {
		return l, fmt.Errorf("%s: %w", layoutKey, err)
	}
	if l.Version != layoutVersion || l.Epoch < 1 || l.Groups < 1 || l.Groups > ledger.Shards || l.Next < 0 || l.Next > ledger.Shards {
		return l, fmt.Errorf("%s: it is of version %d, or damaged; this narthex knows version %d", layoutKey, l.Version, layoutVersion)
	}
	return l, nil
}

func (s *Shards) writeLayout(ctx context.Context, l layout) error {
	data, err := json.Marshal(l)
	if err == nil {
		_, err = s.o.Store.Save(ctx, layoutKey, l.entry, data)
	}
	return err
}

// Regroup spreads the totals over another number of values of the store. Others
// may go on folding and ticking meanwhile: they wait for it, or help.
func (s *Shards) Regroup(ctx context.Context, groups int) error {
	if groups < 1 || groups > ledger.Shards {
		return narthex.Errorf(narthex.Invalid, "the totals can't be spread over %d values: want 1 to %d", groups, ledger.Shards)
	}
	for {
		if err := s.refresh(ctx); err != nil {
			return err
		}
		l, err := s.readLayout(ctx)
		if err != nil || l.Groups == groups && l.Next == 0 {
			return err
		}
		if l.Next != 0 {
			continue // somebody else was faster: finish theirs first
		}
		l.Next = groups
		if err := s.writeLayout(ctx, l); err != nil && !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

// finish moves the totals to the next epoch. Any number of processes may do it
// at the same time and each may be killed at any point: what has been frozen
// does not change any more, so all of them make the same of it, and the first
// to store a value wins.
func (s *Shards) finish(ctx context.Context, l layout) error {
	next := layout{Version: l.Version, Epoch: l.Epoch + 1, Groups: l.Next, entry: l.entry}
	for i := range l.Groups {
		if err := s.freeze(ctx, l.key(i)); err != nil {
			return err
		}
	}
	for i := range next.Groups {
		if err := s.assemble(ctx, l, next, i); err != nil {
			return err
		}
	}
	if err := s.writeLayout(ctx, next); err != nil {
		return err
	}
	for i := range l.Groups {
		s.hollow(ctx, l.key(i))
	}
	return nil
}

// freeze marks a group as moved.
func (s *Shards) freeze(ctx context.Context, key string) error {
	leave, err := s.enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	err = s.change(ctx, key, false, func(g *group) (bool, error) {
		g.frozen = true
		return true, nil
	})
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// assemble stores one group of the next epoch, if nobody has done so.
func (s *Shards) assemble(ctx context.Context, l, next layout, n int) error {
	key := next.key(n)
	if e, err := s.o.Store.Load(ctx, key); err != nil || e.Data != nil {
		return err
	}
	from, to := next.bounds(n)
	var parts []*ledger.State
	made := &group{key: key, segments: make(map[string]bool)}
	for i := range l.Groups {
		if a, b := l.bounds(i); b <= from || a >= to {
			continue
		}
		g, err := s.thaw(ctx, l.key(i))
		if err != nil {
			return err
		}
		parts = append(parts, g.state)
		for _, x := range g.outcomes {
			made.outcomes = made.outcomes.add(x, s.o.Outcomes)
		}
	}
	whole, err := ledger.Join(parts...)
	if err == nil {
		made.state, err = whole.Cut(from, to)
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(made.outcomes, func(a, b outcome) int { return int(a.at - b.at) })
	if err = s.save(ctx, made); errors.Is(err, state.ErrConflict) {
		// Somebody else was faster. If not, the group must not be taken for stored:
		// who comes next would begin it anew.
		e, err := s.o.Store.Load(ctx, key)
		if err == nil && e.Data == nil {
			err = fmt.Errorf("%s was not stored, for it is said to be there, and it is not", key)
		}
		return err
	}
	return err
}

// thaw reads a frozen group with its ids.
func (s *Shards) thaw(ctx context.Context, key string) (*group, error) {
	e, err := s.o.Store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	g := &group{key: key, entry: e}
	if err := g.decode(e.Data); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if g.state == nil { // hollow: another process has finished meanwhile
		return nil, state.ErrConflict
	}
	if err := s.loadIDs(ctx, g); err != nil {
		if now, err2 := s.o.Store.Load(ctx, key); err2 == nil && now.Version != e.Version {
			return nil, state.ErrConflict // it has become hollow, and its ids are gone
		}
		return nil, err
	}
	return g, nil
}

// hollow takes out of a frozen group what the next epoch has.
func (s *Shards) hollow(ctx context.Context, key string) {
	g, err := s.thaw(ctx, key)
	if errors.Is(err, state.ErrConflict) {
		return
	}
	if err == nil {
		empty := &group{key: key, frozen: true}
		_, err = s.o.Store.Save(ctx, key, g.entry, empty.encode())
	}
	if err != nil {
		s.o.Logger.Warn("what was regrouped can't be deleted", "key", key, "err", err)
		return
	}
	for _, seg := range g.state.Segments(func(int64) string { return "" }) {
		if seg.Key != "" {
			s.drop(ctx, seg.Key)
		}
	}
}
