package app

import (
	"context"

	"narthex"
)

// store is what the embedded store is besides a sink.
type store interface {
	// WriteExact writes, and removes from the batch what it rejects.
	WriteExact(ctx context.Context, b *narthex.Batch) error
	// Sync makes durable what was written; calls share the work.
	Sync() error
	Describe(families []narthex.Series)
}

// samples returns the sink for samples that have times of their own, and what
// takes descriptions of metrics. Such samples need no adding up, so they go past
// the ledger and its log, straight to the embedded store, and are acknowledged
// once that has them on the disk. Without an embedded store, or with others
// beside it, they go through the ledger, which delivers to each; the sink is nil
// then. before puts the stages in front.
func (a *App) samples(before func(narthex.Sink) narthex.Sink) (narthex.Sink, func([]narthex.Series)) {
	s, ok := a.o.Sink.(store)
	if !ok {
		return nil, nil
	}
	if len(a.outlets) > 0 {
		return nil, s.Describe
	}
	return before(narthex.SinkFunc(a.direct)), s.Describe
}

// direct writes to the embedded store, past the ledger.
func (a *App) direct(ctx context.Context, b *narthex.Batch) error {
	s, ok := a.o.Sink.(store)
	if !ok {
		return narthex.Errorf(narthex.Unavailable, "there is no embedded store")
	}
	a.refuseKept(b)
	if len(b.Series) == 0 {
		return nil
	}
	if err := s.WriteExact(ctx, b); err != nil {
		return err
	}
	if m := a.meter("store"); m != nil {
		m.add(b.Series)
	}
	if err := s.Sync(); err != nil {
		return narthex.Errorf(narthex.Unavailable, "the samples are stored, but not yet safe from a power cut: %w; send them again", err)
	}
	return nil
}

// refuseKept rejects the series that the ledger keeps itself: two writers of one
// series would make false resets.
func (a *App) refuseKept(b *narthex.Batch) {
	gone := make(map[int]bool)
	a.ledger.Keeps(b.Series, func(i int, why string) {
		gone[i] = true
		b.Reject(b.Series[i].Labels.String(), why)
	})
	if len(gone) == 0 {
		return
	}
	kept := b.Series[:0]
	for i, s := range b.Series {
		if !gone[i] {
			kept = append(kept, s)
		}
	}
	b.Series = kept
}
