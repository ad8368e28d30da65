package ledger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
)

// sender hands samples to the sink, a tick at a time.
type sender struct {
	sink  narthex.Sink
	log   *slog.Logger
	stats *counters

	taken   atomic.Int64 // ms; the newest tick that the sink has taken
	mu      sync.Mutex
	running bool
	idle    sync.WaitGroup
	// leads that the sink did not take: unlike a total, which the next tick
	// restates, a lead is written once. The sending goroutine's own.
	leads []narthex.Series
	kept  []func() // marks what the kept leads hold up as done
}

func (s *sender) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *sender) wait() { s.idle.Wait() }

// start writes the tick's samples in a goroutine of its own and answers the
// request. done is called once the store has all that it must have.
func (s *sender) start(ctx context.Context, t *tickRequest, tick int64, leads, values []narthex.Series, done func()) {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	s.idle.Go(func() {
		err := s.send(ctx, tick, leads, values, done)
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
		t.done <- err
	})
}

// maxKept bounds the leads that wait for a sink that is down.
const maxKept = 1_000_000

// send writes the tick's leads, with those that are still to be written, and
// then its values. done, and those kept from earlier ticks, are called once the
// values are taken: they say all that the earlier ones would have said.
func (s *sender) send(ctx context.Context, tick int64, leads, values []narthex.Series, done func()) error {
	s.leads = append(s.leads, leads...)
	s.kept = append(s.kept, done)
	if err := s.write(ctx, s.leads); err != nil {
		if len(s.leads) > maxKept {
			s.log.Error("the store has been away for so long that first increments are lost to increase()", "series", len(s.leads))
			s.leads = nil
		}
		return err
	}
	s.leads = nil
	if err := s.write(ctx, values); err != nil {
		return err
	}
	s.taken.Store(tick)
	for _, f := range s.kept {
		f()
	}
	s.kept = nil
	return nil
}

// write hands the series to the sink. What the sink refuses for good is found by
// halves, told and dropped: it would come back however often it were written.
func (s *sender) write(ctx context.Context, series []narthex.Series) error {
	if len(series) == 0 {
		return nil
	}
	b := &narthex.Batch{Received: time.UnixMilli(series[0].Samples[0].Time), Series: series, Totals: true}
	err := s.sink.Write(ctx, b)
	if err != nil && !narthex.IsRejected(err) {
		s.stats.sinkErrors.Add(1)
		return err
	}
	if half := len(series) / 2; err != nil && half > 0 {
		return errors.Join(s.write(ctx, series[:half]), s.write(ctx, series[half:]))
	}
	if err != nil {
		b.Reject(series[0].Labels.String(), err.Error())
	}
	if n := len(b.Rejected); n > 0 {
		s.stats.rejected.Add(uint64(n))
		s.log.Warn("the store refused totals", "series", n, "first", b.Rejected[0].Series, "reason", b.Rejected[0].Reason)
	}
	s.stats.samples.Add(uint64(len(series)))
	return nil
}
