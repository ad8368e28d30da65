package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/pipeline"
)

func sinkOf(f func(*narthex.Batch)) narthex.Sink {
	return narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error { f(b); return nil })
}

// wait returns after how long the sink says to come back, 0 if it took the
// batch.
func wait(t *testing.T, s narthex.Sink, b *narthex.Batch) time.Duration {
	t.Helper()
	err := s.Write(context.Background(), b)
	if err == nil {
		return 0
	}
	var e *narthex.Error
	if !errors.As(err, &e) || e.Kind != narthex.Limited || e.After <= 0 {
		t.Fatalf("not a rate's error: %v", err)
	}
	return e.After
}

func TestPushRate(t *testing.T) {
	var st store
	l := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{Pushes: 2, Burst: 3 * time.Second}})
	var set stats.Set
	l.Register(&set)
	s := l.Before(&st)
	one := func(at time.Duration) *narthex.Batch { return batch(at, increment(labels(t, "a"), 1)) }
	for i := range 6 {
		if d := wait(t, s, one(0)); d != 0 {
			t.Errorf("push %d must wait %v", i, d)
		}
	}
	if d := wait(t, s, one(0)); d != 500*time.Millisecond {
		t.Errorf("the seventh waits %v", d)
	}
	other := one(0)
	other.Identity = "other"
	if d := wait(t, s, other); d != 0 {
		t.Errorf("another sender waits %v", d)
	}
	if d := wait(t, s, one(500*time.Millisecond)); d != 0 {
		t.Errorf("after its time it waits %v", d)
	}
	if d := wait(t, s, one(499*time.Millisecond)); d == 0 {
		t.Error("a clock that went back gave tokens")
	}
	for i := range 6 { // no more than the burst is saved up
		if d := wait(t, s, one(time.Hour)); d != 0 {
			t.Errorf("push %d after an hour waits %v", i, d)
		}
	}
	if d := wait(t, s, one(time.Hour)); d == 0 {
		t.Error("more than the burst was saved up")
	}
	var text strings.Builder
	set.WriteTo(&text)
	if want := `narthex_limited_pushes_total{identity="",reason="pushes_per_second"} 3`; !strings.Contains(text.String(), want) {
		t.Errorf("metrics lack %s:\n%s", want, text.String())
	}
}

func TestSampleRate(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{Samples: 10, Burst: time.Second}}).Before(&st)
	many := func(at time.Duration, n int) *narthex.Batch {
		x := increment(labels(t, "a"), 1)
		x.Samples = make([]narthex.Sample, n)
		return batch(at, x)
	}
	if d := wait(t, s, many(0, 40)); d != 0 {
		t.Errorf("a push larger than the burst waits %v at a full bucket", d)
	}
	if d := wait(t, s, many(0, 1)); d != 3100*time.Millisecond {
		t.Errorf("what it owes is waited for %v", d)
	}
	if d := wait(t, s, many(3100*time.Millisecond, 1)); d != 0 {
		t.Errorf("then it still waits %v", d)
	}
}

// A source at its rate holds up nobody but itself, and a push that is refused
// for one source takes nothing of the others.
func TestSourceRate(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SourceSamples: 1, SourcePushes: 100, Burst: 5 * time.Second}}).Before(&st)
	of := func(services ...string) *narthex.Batch {
		b := batch(0)
		for i, name := range services {
			b.Series = append(b.Series, increment(labels(t, fmt.Sprint("m", i), "service", name), 1))
		}
		return b
	}
	if d := wait(t, s, of("a", "b", "a", "a", "a")); d != 0 {
		t.Errorf("four of a: %v", d)
	}
	if d := wait(t, s, of("b", "a", "b", "a")); d != time.Second {
		t.Errorf("two more of a: %v", d)
	}
	if d := wait(t, s, of("b", "b", "b", "b")); d != 0 {
		t.Errorf("four of b, of which one was taken before: %v", d)
	}
}

// The batches of one delivery are held against a rate together: a sender that
// repeats all of them would never come to the last one otherwise.
func TestRateOfDelivery(t *testing.T) {
	var st store
	s := pipeline.NewLimiter(pipeline.LimiterOptions{
		Default: pipeline.Limits{Pushes: 1, Samples: 2, SourcePushes: 1, SourceSamples: 2, Burst: time.Second},
	}).Before(&st)
	deliver := func(at time.Duration, batches int) error {
		ctx := pipeline.Delivery(context.Background())
		for i := range batches {
			if err := s.Write(ctx, batch(at, increment(labels(t, "a", "n", fmt.Sprint(i)), 1))); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct {
		at      time.Duration
		batches int
		want    narthex.Kind
	}{
		{0, 6, 0},
		{time.Second, 1, narthex.Limited}, // four samples are owed
		{2400 * time.Millisecond, 1, narthex.Limited},
		{2600 * time.Millisecond, 1, 0},
		{2700 * time.Millisecond, 6, narthex.Limited},
	} {
		if err := deliver(c.at, c.batches); narthex.KindOf(err) != c.want {
			t.Errorf("at %v: %v, want kind %d", c.at, err, c.want)
		}
	}
	if st.batches != 7 {
		t.Errorf("%d batches were written", st.batches)
	}
}
