package shard

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"narthex"
	"narthex/ledger"
	"narthex/state"
)

// group is one value of the store: a state with the outcomes of its entries.
//
// It is stored as the magic, the version (one byte), a byte that says whether
// the group was moved elsewhere, the length of the outcomes and they
// themselves, and the state's encoding.
type group struct {
	key      string
	entry    state.Entry // as stored
	frozen   bool        // moved: see Regroup
	state    *ledger.State
	outcomes outcomes
	segments map[string]bool // keys of ids that are stored
}

const (
	groupMagic   = "narthex shard\n"
	groupVersion = 1
)

func (g *group) size() int { return len(g.entry.Data) }

// firstEpoch begins the keys of groups that may not be there yet. Those of later
// epochs are all stored before anybody looks for them.
const firstEpoch = "e1/"

// load reads a group, without its ids. One that was never saved is empty.
func (s *Shards) load(ctx context.Context, key string) (*group, error) {
	e, err := s.o.Store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	g := &group{key: key, entry: e, segments: make(map[string]bool)}
	if e.Data == nil {
		if !strings.HasPrefix(key, firstEpoch) {
			return nil, fmt.Errorf("%s is missing, and with it the totals that were moved there: restore the whole store", key)
		}
		g.state = ledger.NewPart(s.current().span(key))
	} else if err := g.decode(e.Data); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if g.frozen {
		return g, nil
	}
	g.state.Destinations(s.destinations()...)
	for _, key := range g.state.Absent() {
		g.segments[key] = true
	}
	return g, nil
}

// withIDs returns the group with its ids. They may be deleted while they are
// being read, by one who has saved the group since: then it is read again.
func (s *Shards) withIDs(ctx context.Context, g, lost *group) (*group, error) {
	for {
		if lost != nil {
			g.state.Adopt(lost.state)
		}
		err := s.loadIDs(ctx, g)
		if err == nil {
			return g, nil
		}
		now, err2 := s.load(ctx, g.key)
		if err2 != nil || now.entry.Version == g.entry.Version {
			return nil, narthex.Errorf(narthex.Unavailable, "load the ids of earlier pushes: %w", err)
		}
		if lost = g; now.frozen {
			return now, nil
		}
		g = now
	}
}

// loadIDs loads the ids of a group that are not loaded, several values at a time.
func (s *Shards) loadIDs(ctx context.Context, g *group) error {
	keys := g.state.Absent()
	data, errs := make(map[string][]byte, len(keys)), make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, parallel)
	for _, key := range keys {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			e, err := s.o.Store.Load(ctx, key)
			mu.Lock()
			defer mu.Unlock()
			data[key], errs[key] = e.Data, err
		})
	}
	wg.Wait()
	return g.state.LoadSegments(func(key string) ([]byte, error) { return data[key], errs[key] })
}

func (g *group) encode() []byte {
	frozen := byte(0)
	if g.frozen {
		frozen = 1
	}
	b := append([]byte(groupMagic), groupVersion, frozen)
	out := g.outcomes.encode()
	b = binary.AppendUvarint(b, uint64(len(out)))
	b = append(b, out...)
	if g.state != nil { // else hollow
		b = append(b, g.state.Encode()...)
	}
	return b
}

func (g *group) decode(b []byte) error {
	n := len(groupMagic)
	if len(b) < n+2 || string(b[:n]) != groupMagic {
		return errors.New("it does not begin as narthex's values do")
	}
	if b[n] != groupVersion {
		return fmt.Errorf("it is of version %d, this narthex knows version %d: use the newer narthex that wrote it", b[n], groupVersion)
	}
	g.frozen = b[n+1] == 1
	b = b[n+2:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return errors.New("it is damaged")
	}
	err := g.outcomes.decode(b[n : n+int(size)])
	if b = b[n+int(size):]; err == nil && !(g.frozen && len(b) == 0) {
		g.state, err = ledger.Decode(b)
	}
	return err
}

// save stores the group if it is still as it was loaded: first the segments of
// ids that are new, then the group, and then those of the segments that it no
// longer refers to are deleted.
func (s *Shards) save(ctx context.Context, g *group) error {
	kept := make(map[string]bool)
	var fresh []state.Entry
	var keys []string
	undo := func() {
		for i, key := range keys { // nobody refers to them
			_, _ = s.o.Store.Save(ctx, key, fresh[i], nil)
		}
	}
	for _, seg := range g.state.Segments(func(first int64) string {
		var unique [9]byte
		rand.Read(unique[:]) // never fails
		return fmt.Sprintf("ids/%s/%d-%s", g.key, first, base64.RawURLEncoding.EncodeToString(unique[:]))
	}) {
		kept[seg.Key] = true
		if g.segments[seg.Key] {
			continue
		}
		e, err := s.o.Store.Save(ctx, seg.Key, state.Entry{}, seg.Encode())
		if err != nil {
			undo()
			return fmt.Errorf("save ids: %w", err)
		}
		keys, fresh = append(keys, seg.Key), append(fresh, e)
	}
	e, err := s.o.Store.Save(ctx, g.key, g.entry, g.encode())
	if err != nil {
		if errors.Is(err, state.ErrConflict) {
			undo()
		}
		return err
	}
	s.count(func(st *Stats) { st.Swaps++ })
	g.entry = e
	for key := range g.segments {
		if !kept[key] {
			s.drop(ctx, key)
		}
	}
	g.segments = kept
	return nil
}

// drop deletes a value that nothing refers to any more.
func (s *Shards) drop(ctx context.Context, key string) {
	old, err := s.o.Store.Load(ctx, key)
	if err == nil && old.Data != nil {
		_, err = s.o.Store.Save(ctx, key, old, nil)
	}
	if err != nil {
		s.o.Logger.Warn("old ids can't be deleted", "key", key, "err", err)
	}
}

// destinations returns the destinations' names.
func (s *Shards) destinations() []string {
	var names []string
	for name := range s.o.Destinations {
		names = append(names, name)
	}
	return names
}
