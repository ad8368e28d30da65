package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"narthex"
	"narthex/ledger"
)

// Tick writes what is due at the tick that now belongs to, which is the same for
// all groups however long it takes, a few groups at a time: it needs the memory of those. A group whose tick another process has made
// already is passed over. One that the deadline leaves no time for comes first
// the next time.
func (s *Shards) Tick(ctx context.Context) error {
	if len(s.o.Destinations) == 0 {
		return narthex.Errorf(narthex.Unavailable, "there is no destination to write to")
	}
	at := ledger.Grid(s.o.Now().UnixMilli(), s.interval())
	for {
		l := s.current()
		failed, moved := s.ticks(ctx, l, at)
		if !moved {
			s.count(func(st *Stats) { st.Ticks++ })
			return failed
		}
		if err := s.follow(ctx, l.Epoch); err != nil {
			return err
		}
	}
}

// ticks makes the tick of each group and reports whether one was moved.
func (s *Shards) ticks(ctx context.Context, l layout, at int64) (failed error, moved bool) {
	s.mu.Lock()
	first := s.turn
	s.mu.Unlock()
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, parallel)
	begun := 0
	for ; begun < l.Groups && ctx.Err() == nil; begun++ {
		n := (first + begun) % l.Groups
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			err := s.tick(ctx, l.key(n), at)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, errMoved) {
				moved = true
			} else if err != nil {
				failed = errors.Join(failed, fmt.Errorf("group %d: %w", n, err))
			}
		})
	}
	wg.Wait()
	if begun < l.Groups {
		failed = errors.Join(failed, narthex.Errorf(narthex.Unavailable, "the time was up with %d of %d groups to go: give the tick more time or more memory", l.Groups-begun, l.Groups))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn = (first + begun) % l.Groups
	return failed, moved
}

// writing is what one destination is to be given of one group.
type writing struct {
	tick          int64
	again         bool // of a tick that was saved before
	leads, values []narthex.Series
}

// tick saves one group's next state and then writes it.
func (s *Shards) tick(ctx context.Context, key string, at int64) error {
	leave, err := s.enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	var before, now map[string]writing
	err = s.change(ctx, key, false, func(g *group) (bool, error) {
		before, now = nil, nil
		st := g.state
		if last := st.LastTick(); last >= at {
			if ahead := time.Duration(last-at) * time.Millisecond; ahead > s.interval() {
				s.o.Logger.Warn("the last tick lies ahead of this clock: nothing is written until that time", "group", key, "by", ahead)
			}
			return false, nil
		}
		s.remembered(key, st)
		last := st.LastTick()
		before = s.unwritten(st)
		_, values := st.Tick(at, s.o.Policy)
		now = make(map[string]writing, len(s.o.Destinations))
		for name := range s.o.Destinations {
			w := writing{tick: at}
			w.leads, w.values = st.For(name, values)
			if before[name].tick != 0 {
				w.leads = st.Leads(last) // the others are in there
			}
			if len(s.o.Destinations) > 1 {
				w.leads, w.values = narthex.CloneSeries(w.leads), narthex.CloneSeries(w.values)
			}
			now[name] = w
		}
		return true, nil
	})
	if err != nil || now == nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for name := range s.o.Destinations {
		wg.Go(func() {
			failed := s.write(ctx, key, name, before[name])
			if failed == nil {
				failed = s.write(ctx, key, name, now[name])
			}
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", name, failed))
			}
		})
	}
	wg.Wait()
	return err
}

func (s *Shards) interval() time.Duration {
	if s.o.Policy.Interval == 0 {
		return 15 * time.Second
	}
	return s.o.Policy.Interval
}

// unwritten returns, by destination, what the state says is about to be
// written, or was: whoever saved it may have been killed before writing it. It
// is written again as it was, to the bit, before anything newer.
func (s *Shards) unwritten(st *ledger.State) map[string]writing {
	out := make(map[string]writing)
	last := st.LastTick()
	for name := range s.o.Destinations {
		if taken := st.Taken(name); taken < last {
			out[name] = writing{tick: last, again: true, leads: st.Leads(taken), values: st.Restate(last - 1)}
		}
	}
	return out
}

// remembered tells the state what its destinations are known to have taken
// since it was saved.
func (s *Shards) remembered(key string, st *ledger.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, t := range s.took[key] {
		if _, there := s.o.Destinations[name]; there {
			st.Took(name, t, s.o.Policy)
		}
	}
}

// most is how many series are given to a destination at a time, which bounds
// what it makes of them in memory.
const most = 10_000

// write gives a destination one tick of a group.
func (s *Shards) write(ctx context.Context, key, name string, w writing) error {
	if w.tick == 0 {
		return nil
	}
	for _, series := range [][]narthex.Series{w.leads, w.values} {
		for chunk := range slices.Chunk(series, most) {
			if err := s.send(ctx, name, w, chunk); err != nil {
				s.count(func(st *Stats) { st.SinkErrors++ })
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took[key] == nil {
		s.took[key] = make(map[string]int64)
	}
	s.took[key][name] = max(s.took[key][name], w.tick)
	return nil
}

// send gives a destination some series. What it refuses for good is found by
// halves, told and dropped: it would come back however often it were written.
func (s *Shards) send(ctx context.Context, name string, w writing, series []narthex.Series) error {
	b := &narthex.Batch{Received: time.UnixMilli(w.tick), Series: series, Totals: true}
	err := s.o.Destinations[name].Write(ctx, b)
	if err != nil && !narthex.IsRejected(err) {
		return err
	}
	if half := len(series) / 2; err != nil && half > 0 {
		if err := s.send(ctx, name, w, series[:half]); err != nil {
			return err
		}
		return s.send(ctx, name, w, series[half:])
	}
	if err != nil {
		b.Reject(series[0].Labels.String(), err.Error())
	}
	if n := len(b.Rejected); n > 0 {
		s.o.Logger.Warn("the destination refused totals", "destination", name, "series", n, "first", b.Rejected[0].Series, "reason", b.Rejected[0].Reason)
	}
	s.count(func(st *Stats) {
		st.Samples += uint64(len(series))
		st.Rejected += uint64(len(b.Rejected))
		if w.again {
			st.Resent += uint64(len(series))
		}
	})
	return nil
}
