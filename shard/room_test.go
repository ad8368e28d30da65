package shard_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/shard"
	"narthex/state"
)

// slow is a store that takes a tenth of a second for everything.
type slow struct{ state.Memory }

func (s *slow) Load(ctx context.Context, key string) (state.Entry, error) {
	time.Sleep(100 * time.Millisecond) // of synctest's clock
	return s.Memory.Load(ctx, key)
}

func (s *slow) Save(ctx context.Context, key string, prev state.Entry, data []byte) (state.Entry, error) {
	time.Sleep(100 * time.Millisecond)
	return s.Memory.Save(ctx, key, prev, data)
}

// An instance that knows nothing yet takes the first group alone, to see how large
// groups are, and then several at a time, as one that has been at work does.
func TestColdFoldIsParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups = 64
		store := new(slow)
		var took []time.Duration
		fold := func(s *shard.Shards, id string) {
			b := &narthex.Batch{ID: id, Received: time.Now()}
			for i := range groups * 16 {
				b.Series = append(b.Series, narthex.Series{Labels: narthex.Labels{{Name: "__name__", Value: "a_total"}, {Name: "i", Value: fmt.Sprint(i)}}, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}})
			}
			e, err := ledger.NewEntry(b)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if r := s.Fold(t.Context(), []*ledger.Entry{e})[0]; r.Err != nil || len(r.Rejected) > 0 {
				t.Fatal(r)
			}
			took = append(took, time.Since(start))
		}
		for i := range 2 {
			s, err := shard.Open(t.Context(), shard.Options{Store: store, Groups: groups, CacheBytes: 1, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			fold(s, fmt.Sprint("cold", i))
			fold(s, fmt.Sprint("warm", i))
		}
		// 64 groups, 8 at a time, each read and saved, are 1.6 s; the first alone 0.2 s.
		for i, want := range []time.Duration{1800 * time.Millisecond, 1600 * time.Millisecond, 1800 * time.Millisecond, 1600 * time.Millisecond} {
			if took[i] > want+200*time.Millisecond {
				t.Errorf("fold %d took %v, want %v", i, took[i], want)
			}
		}
	})
}
