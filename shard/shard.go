// Package shard is the ledger for those who have no disk and no process that
// stays: its totals live in a [state.Store], such as a bucket, and any number
// of writers that come and go fold entries into them and tick.
//
// [Shards.Fold] adds entries; when it returns, they are counted and their ids
// are remembered, in one compare-and-swap. [Shards.Tick] is the virtual scrape:
// it swaps the state, with the values and the time that it is about to write,
// and only then writes. A writer that is killed between the two leaves a state
// that says so, and the next one writes the same samples again before its own.
// A writer that was paused loses the swap, or writes what was true at its time.
//
// The totals are spread over groups of virtual shards ([ledger.Shards] of
// them), each group one value of the store. How many groups there are can be
// changed at any time, while others write: see [Shards.Regroup].
package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/state"
)

// Options says where the totals live and where they go.
type Options struct {
	// Store has the totals.
	Store state.Store
	// Groups is how many values of the store they are spread over when the store
	// is empty. Default 1, at most [ledger.Shards].
	Groups int
	// Policy says when samples are written. Its MaxSeries is for all groups: each
	// takes its share of them.
	Policy ledger.Policy
	// Destinations take the samples, by name.
	Destinations map[string]narthex.Sink
	// Outcomes is how many outcomes of entries each group remembers, besides
	// those with rejections. Default 1000.
	Outcomes int
	// OpenIDs is how many ids of entries a group is saved with before they become
	// values of their own. Default 4096, of about 130 KB; a value of ids has up to
	// eight times as many.
	OpenIDs int
	// CacheBytes is how much encoded state is kept decoded in memory from one call
	// to the next, WorkBytes how much is worked on at a time, if it is more than
	// one group. Decoded it takes about 12 times as much. Defaults 8 MiB and 8 MiB.
	CacheBytes, WorkBytes int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger takes what an operator should know; nil means slog.Default().
	Logger *slog.Logger
}

// Shards is a ledger in a store. Its methods may be called from several
// goroutines, and from several processes at a time.
type Shards struct {
	o Options

	mu     sync.Mutex
	layout layout
	cache  map[string]*group           // by key
	took   map[string]map[string]int64 // by key and destination, what it is known to have taken
	cached int                         // bytes
	sizes  map[string]int              // of the groups, as far as they are known, in bytes
	turn   int                         // the group that the next tick begins with
	stats  Stats

	room *room // for the groups that are worked on
}

// Stats are counts since this process began.
type Stats struct {
	Entries, Duplicates, Refused, Rejected uint64
	Late                                   uint64 // increments that came after their minute was written
	Swaps, Conflicts, Loads                uint64
	Ticks, Samples, Resent, SinkErrors     uint64
	Lag                                    time.Duration // from the arrival of entries until they were counted, of all together
}

// Open reads how the totals are grouped, or settles it if the store is empty.
func Open(ctx context.Context, o Options) (*Shards, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Groups == 0 {
		o.Groups = 1
	}
	if o.Outcomes == 0 {
		o.Outcomes = 1000
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	if o.WorkBytes == 0 {
		o.WorkBytes = 8 << 20
	}
	if o.Groups < 1 || o.Groups > ledger.Shards {
		return nil, fmt.Errorf("the totals can't be spread over %d values: want 1 to %d", o.Groups, ledger.Shards)
	}
	if o.OpenIDs == 0 {
		o.OpenIDs = 4096
	}
	o.Policy.OpenIDs, o.Policy.MergedIDs = o.OpenIDs, 8*o.OpenIDs
	s := &Shards{o: o, cache: make(map[string]*group), turn: rand.IntN(ledger.Shards), room: newRoom(o.WorkBytes)}
	s.forget()
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Groups returns how many values of the store the totals are spread over.
func (s *Shards) Groups() int { return s.current().Groups }

// policy is the policy of one group. Labels are spread by a hash, so that groups
// are alike; a sixteenth more lets one be a little larger.
func (s *Shards) policy() ledger.Policy {
	p := s.o.Policy
	if n := s.Groups(); n > 1 && p.MaxSeries > 0 {
		p.MaxSeries = p.MaxSeries/n + p.MaxSeries/n/16 + 1
	}
	return p
}

// Stats returns counts.
func (s *Shards) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Shards) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// errMoved says that the totals were regrouped meanwhile.
var errMoved = errors.New("the totals were regrouped")

// forget drops what is remembered of the groups. s.mu is held, or nobody else
// has s yet.
func (s *Shards) forget() {
	s.cache, s.cached = make(map[string]*group), 0
	s.took, s.sizes = make(map[string]map[string]int64), make(map[string]int)
}

// change loads a group, lets f change it, and saves it, again and again until
// nobody else has changed it meanwhile. f is called once for each attempt, with
// the state as it is then, and with all ids if it needs them; if it returns false
// nothing needs to be saved.
func (s *Shards) change(ctx context.Context, key string, ids bool, f func(*group) (bool, error)) error {
	var lost *group // what the attempt before made of it
	for attempt := 0; ; attempt++ {
		g, err := s.take(ctx, key)
		if err == nil && ids && !g.frozen {
			g, err = s.withIDs(ctx, g, lost)
		}
		if err != nil {
			return err
		}
		if g.frozen {
			s.keep(g)
			return errMoved
		}
		save, err := f(g)
		if err != nil || !save {
			if err == nil {
				s.keep(g)
			}
			return err
		}
		if err = s.save(ctx, g); err == nil {
			s.keep(g)
			return nil
		}
		if !errors.Is(err, state.ErrConflict) {
			return narthex.Errorf(narthex.Unavailable, "save the totals: %w", err)
		}
		lost = g
		s.count(func(st *Stats) { st.Conflicts++ })
		// Others are at it too. Whoever waits a random while wins sooner.
		pause := time.NewTimer(rand.N(time.Duration(1+min(attempt, 8)) * 10 * time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return narthex.Errorf(narthex.Unavailable, "save the totals: too many writers: %w", ctx.Err())
		}
	}
}

// take returns the group, which nobody else in this process has then: from the
// cache or from the store.
func (s *Shards) take(ctx context.Context, key string) (*group, error) {
	if g := s.uncache(key); g != nil {
		return g, nil
	}
	return s.read(ctx, key)
}

// uncache takes the group out of the cache; nil if it is not there.
func (s *Shards) uncache(key string) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.cache[key]
	if g != nil {
		delete(s.cache, key)
		s.cached -= g.size()
	}
	return g
}

// read loads the group from the store, and notes how large it is.
func (s *Shards) read(ctx context.Context, key string) (*group, error) {
	s.count(func(st *Stats) { st.Loads++ })
	g, err := s.load(ctx, key)
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "load the totals: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes[key] = g.size()
	return g, nil
}

// enter waits until there is memory for a group, and returns what gives it back.
func (s *Shards) enter(ctx context.Context, key string) (leave func(), err error) {
	if leave, err = s.room.enter(ctx, func() int { return s.weight(key) }); err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "wait for memory: %w", err)
	}
	return leave, nil
}

// weight says how large a group is, if need be by the others: labels are spread
// by a hash, so groups are alike. If nothing is known it is as large as can be.
func (s *Shards) weight(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.sizes[key]; ok {
		return n
	}
	most := -1
	for _, n := range s.sizes {
		most = max(most, n)
	}
	if most < 0 {
		return s.o.WorkBytes
	}
	return most
}

// keep puts a group, as it is stored, into the cache.
func (s *Shards) keep(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, current := s.sizes[g.key]; !current {
		return // of an epoch that has passed
	}
	s.sizes[g.key] = g.size()
	if old := s.cache[g.key]; old != nil {
		s.cached -= old.size()
		delete(s.cache, g.key)
	}
	if s.cached+g.size() <= s.o.CacheBytes {
		s.cache[g.key] = g
		s.cached += g.size()
	}
}
