package test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/shard"
	"narthex/state"
)

// How many swaps are lost, by how many fold at a time and into how many groups, each
// fold into all of them. The clock is synctest's and a request takes as long as
// S3's, 100 to 200 ms, so that what is counted does not depend on the machine.
func TestScaleSwaps(t *testing.T) {
	for _, groups := range []int{32, 256} {
		for _, cache := range []int{1, 64 << 20} { // bytes: nothing, or all groups
			one := 0.
			for _, folders := range []int{1, 2, 8, 32} {
				if !full() && folders*groups > 8*32 || cache > 1 && folders > 2 {
					continue
				}
				t.Run(fmt.Sprintf("%d folders, %d groups, cache of %d B", folders, groups, cache), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x := swaps{folders: folders, groups: groups, folds: scaled(40, 16)/folders + 3, cache: cache}
						x.run(t)
						if folders == 1 {
							one = x.pace()
						}
						t.Logf("%.1f of %d swaps of a fold are lost (%.0f%%), %.1f requests a group; a fold takes %.1f s, all together fold %.1f times what one does",
							x.lost(), groups, 100*x.lost()/(x.lost()+float64(groups)), x.requests(), x.each(), x.pace()/one)
					})
				})
			}
		}
	}
}

// swaps is what happens when so many fold at a time, one fold after the other.
type swaps struct {
	folders, groups, folds int
	cache                  int // bytes
	store                  distant
	conflicts, swapped     uint64
	requested              int64
	took                   time.Duration
}

func (x *swaps) all() float64  { return float64(x.folders * x.folds) }
func (x *swaps) lost() float64 { return float64(x.conflicts) / x.all() }
func (x *swaps) requests() float64 {
	return float64(x.requested) / x.all() / float64(x.groups)
}
func (x *swaps) pace() float64 { return x.all() / x.took.Seconds() }
func (x *swaps) each() float64 { return x.took.Seconds() / float64(x.folds) }

func (x *swaps) run(t *testing.T) {
	series := x.groups * 8 // so that there are some in each group
	values := new(lastValues)
	shards := make([]*shard.Shards, x.folders)
	for i := range shards {
		var err error
		shards[i], err = shard.Open(t.Context(), shard.Options{Store: &x.store, Groups: x.groups, CacheBytes: x.cache,
			Destinations: map[string]narthex.Sink{"values": values}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
	}
	x.store.requests.Store(0)
	start := time.Now()
	var folding sync.WaitGroup
	for i, s := range shards {
		folding.Go(func() {
			for n := range x.folds {
				e, err := ledger.NewEntry(millionSeries(t, fmt.Sprint(i, "/", n), 0, series))
				if err != nil {
					t.Error(err)
					return
				}
				if r := s.Fold(t.Context(), []*ledger.Entry{e})[0]; r.Err != nil || r.Duplicate || len(r.Rejected) > 0 {
					t.Errorf("a fold: %+v", r)
				}
			}
		})
	}
	folding.Wait()
	x.took, x.requested = time.Since(start), x.store.requests.Load()
	for _, s := range shards {
		x.conflicts += s.Stats().Conflicts
		x.swapped += s.Stats().Swaps
	}
	if want := uint64(x.folders * x.folds * x.groups); x.swapped != want {
		t.Errorf("%d swaps were done, want %d", x.swapped, want)
	}
	if x.folders == 1 && x.conflicts > 0 {
		t.Errorf("one alone lost %d swaps", x.conflicts)
	}
	if err := shards[0].Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, wrong := values.wrong(float64(x.folders * x.folds)); n != series || wrong > 0 {
		t.Errorf("of %d series %d have another total than was pushed, want %d and none", n, wrong, series)
	}
}

// distant is a store in memory whose answers take as long as those of S3.
type distant struct {
	state.Memory
	requests atomic.Int64
}

// travel is how long a request or an answer is under way.
func (d *distant) travel() {
	time.Sleep(50*time.Millisecond + rand.N(50*time.Millisecond)) // the clock is synctest's
}

func (d *distant) Load(ctx context.Context, key string) (state.Entry, error) {
	d.requests.Add(1)
	d.travel()
	defer d.travel()
	return d.Memory.Load(ctx, key)
}

func (d *distant) Save(ctx context.Context, key string, prev state.Entry, data []byte) (state.Entry, error) {
	d.requests.Add(1)
	d.travel()
	defer d.travel()
	return d.Memory.Save(ctx, key, prev, data)
}

// lastValues is a destination that keeps the newest value of each series.
type lastValues struct {
	mu     sync.Mutex
	values map[string]float64
}

func (l *lastValues) Write(_ context.Context, b *narthex.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.values == nil {
		l.values = make(map[string]float64)
	}
	for _, s := range b.Series {
		for _, x := range s.Samples {
			l.values[s.Labels.String()] = x.Value
		}
	}
	return nil
}

// wrong says how many series there are, and how many of them have another value.
func (l *lastValues) wrong(want float64) (series, wrong int) {
	for _, v := range l.values {
		if v != want {
			wrong++
		}
	}
	return len(l.values), wrong
}
