package shard

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"narthex"
	"narthex/ledger"
)

// Result is what Fold did with an entry.
type Result struct {
	// Err, if not nil, says that the entry is not counted, or not all of it; as
	// in [narthex.Sink], one for which [narthex.IsRejected] does not hold may go
	// away when the entry is folded again, which counts nothing twice.
	Err       error
	Duplicate bool // it was counted before, all of it
	Rejected  []narthex.Rejection
}

// Write folds one batch; see [narthex.Sink].
func (s *Shards) Write(ctx context.Context, b *narthex.Batch) error {
	e, err := ledger.NewEntry(b)
	if err != nil {
		return err
	}
	r := s.Fold(ctx, []*ledger.Entry{e})[0]
	b.Duplicate = r.Duplicate
	b.Rejected = append(b.Rejected, r.Rejected...)
	return r.Err
}

// parallel is how many groups are swapped at a time.
const parallel = 8

// Fold counts the entries and returns what became of each. All entries of one
// group are swapped at once. Samples with times of their own are written to the
// destinations before Fold returns.
func (s *Shards) Fold(ctx context.Context, entries []*ledger.Entry) []Result {
	f := &folding{s: s, entries: entries, results: make([]Result, len(entries)), samples: make([][]narthex.Series, len(entries))}
	for i := range f.results {
		f.results[i].Duplicate = true // until a part of it turns out to be new
	}
	f.fold(ctx)
	for i := range f.results {
		r := &f.results[i]
		if len(f.samples[i]) > 0 && r.Err == nil {
			f.pass(ctx, i)
		}
		r.Duplicate = r.Duplicate && r.Err == nil
		s.note(*r, entries[i])
	}
	return f.results
}

func (s *Shards) note(r Result, e *ledger.Entry) {
	s.count(func(st *Stats) {
		switch {
		case r.Err == nil && r.Duplicate:
			st.Duplicates++
		case r.Err == nil:
			st.Entries++
			st.Lag += max(0, s.o.Now().Sub(time.UnixMilli(e.Received)))
		case narthex.IsRejected(r.Err):
			st.Refused++
		}
		st.Rejected += uint64(len(r.Rejected))
	})
}

// folding is one call of Fold.
type folding struct {
	s       *Shards
	entries []*ledger.Entry
	mu      sync.Mutex
	results []Result
	samples [][]narthex.Series
}

// part is what one group has of one entry.
type part struct {
	entry int
	*ledger.Entry
}

// fold folds all entries. Groups that were moved meanwhile are looked for
// again.
func (f *folding) fold(ctx context.Context) {
	for {
		l := f.s.current()
		byGroup := make(map[int][]part)
		for i, e := range f.entries {
			if f.results[i].Err != nil {
				continue
			}
			parts := e.Parts(l.group)
			for n, p := range parts {
				byGroup[n] = append(byGroup[n], part{i, p})
			}
			f.results[i].Duplicate = f.results[i].Duplicate && len(parts) > 0
		}
		if !f.groups(ctx, l, byGroup) {
			return
		}
		if err := f.s.follow(ctx, l.Epoch); err != nil {
			for i := range f.results {
				f.fail(i, err)
			}
			return
		}
		for i := range f.results { // the whole is folded again: what is done is known
			f.samples[i] = nil
			f.results[i].Rejected = nil
		}
	}
}

// groups folds the parts, several groups at a time, and reports whether one was
// moved.
func (f *folding) groups(ctx context.Context, l layout, byGroup map[int][]part) (moved bool) {
	var wg sync.WaitGroup
	room := make(chan struct{}, parallel)
	for _, n := range slices.Sorted(maps.Keys(byGroup)) {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			err := f.group(ctx, l.key(n), byGroup[n])
			f.mu.Lock()
			defer f.mu.Unlock()
			if errors.Is(err, errMoved) {
				moved = true
			} else if err != nil {
				for _, p := range byGroup[n] {
					f.fail(p.entry, err)
				}
			}
		})
	}
	wg.Wait()
	return moved
}

func (f *folding) fail(i int, err error) {
	if r := &f.results[i]; r.Err == nil || narthex.IsRejected(r.Err) {
		r.Err = err
	}
}

// group folds the parts of one group.
func (f *folding) group(ctx context.Context, key string, parts []part) error {
	leave, err := f.s.enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	type result struct {
		ledger.Outcome
		err error
	}
	var results []result
	now, p := f.s.o.Now().UnixMilli(), f.s.policy()
	err = f.s.change(ctx, key, true, func(g *group) (save bool, err error) {
		results = results[:0]
		f.s.remembered(key, g.state)
		for _, part := range parts {
			var r result
			r.Outcome, r.err = g.state.Fold(part.Entry, now, p)
			if r.err == nil && !r.Duplicate {
				save = true
				g.outcomes = g.outcomes.add(outcome{id: part.ID, at: now, rejected: r.Rejected}, f.s.o.Outcomes)
			}
			if narthex.IsRejected(r.err) { // nobody else may be left who could tell
				save = true
				why := narthex.Rejection{Series: "", Reason: r.err.Error()}
				g.outcomes = g.outcomes.add(outcome{part.ID, now, true, []narthex.Rejection{why}}, f.s.o.Outcomes)
			}
			if r.Duplicate {
				r.Samples = g.state.Pass(part.Entry, p)
				r.Rejected = g.outcomes.rejected(part.ID)
			}
			results = append(results, r)
		}
		return save, nil
	})
	if err != nil {
		return err
	}
	f.s.count(func(st *Stats) {
		for _, r := range results {
			st.Late += r.Late
		}
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, part := range parts {
		r := results[i]
		if r.err != nil {
			f.fail(part.entry, r.err)
			continue
		}
		out := &f.results[part.entry]
		out.Duplicate = out.Duplicate && r.Duplicate
		out.Rejected = append(out.Rejected, r.Rejected...)
		f.samples[part.entry] = append(f.samples[part.entry], r.Samples...)
	}
	return nil
}

// rejected returns what was rejected of an entry that was folded before, if
// that is still known.
func (o outcomes) rejected(id ledger.ID) []narthex.Rejection {
	for _, x := range slices.Backward(o) {
		if x.id == id && !x.refused {
			return x.told()
		}
	}
	return nil
}

// pass writes an entry's samples to all destinations.
func (f *folding) pass(ctx context.Context, i int) {
	r := &f.results[i]
	if len(f.s.o.Destinations) == 0 {
		r.Err = narthex.Errorf(narthex.Unavailable, "it has samples with times of their own, which are not kept but passed on, and there is no destination for them")
		return
	}
	for name, sink := range f.s.o.Destinations {
		b := &narthex.Batch{Received: f.s.o.Now(), Series: narthex.CloneSeries(f.samples[i])}
		err := sink.Write(ctx, b)
		switch {
		case err == nil:
			r.Rejected = append(r.Rejected, b.Rejected...)
		case narthex.IsRejected(err):
			for _, s := range b.Series {
				r.Rejected = append(r.Rejected, narthex.Rejection{Series: s.Labels.String(), Reason: err.Error()})
			}
		default:
			f.s.count(func(st *Stats) { st.SinkErrors++ })
			r.Err = narthex.Errorf(narthex.Unavailable, "write samples to %s: %w", name, err)
			return
		}
	}
}
