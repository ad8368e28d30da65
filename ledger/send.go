package ledger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"narthex"
)

// sender hands samples to the sink, a tick at a time.
type sender struct {
	sink  narthex.Sink
	log   *slog.Logger
	stats *counters

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
func (s *sender) start(t *tickRequest, leads, values []narthex.Series, done func()) {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	s.idle.Go(func() {
		err := s.send(t.ctx, leads, values, done)
		s.mu.Lock()
		s.running = false
		s.mu.Unlock()
		t.done <- err
	})
}

// maxKept bounds the leads that wait for a sink that is down.
const maxKept = 1_000_000

func (s *sender) send(ctx context.Context, leads, values []narthex.Series, done func()) error {
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
	for _, f := range s.kept {
		f()
	}
	s.kept = nil
	return s.write(ctx, values)
}

func (s *sender) write(ctx context.Context, series []narthex.Series) error {
	if len(series) == 0 {
		return nil
	}
	b := &narthex.Batch{Received: time.UnixMilli(series[0].Samples[0].Time), Series: series, Totals: true}
	if err := s.sink.Write(ctx, b); err != nil {
		s.stats.sinkErrors.Add(1)
		return err
	}
	for _, r := range b.Rejected {
		s.log.Warn("the store refused a total", "series", r.Series, "reason", r.Reason)
	}
	s.stats.samples.Add(uint64(len(series)))
	return nil
}

// pass hands an entry's samples with times of their own to the sink. They are
// durable in the log by now; if the sink fails they are tried again until it
// takes them, and the checkpoint waits for that.
func (l *Ledger) pass(ctx context.Context, b *narthex.Batch, r *request) {
	out := &narthex.Batch{ID: b.ID, Identity: b.Identity, Received: b.Received, Series: r.out.Samples}
	err := l.o.Sink.Write(ctx, out)
	b.Rejected = append(b.Rejected, out.Rejected...)
	l.stats.rejected.Add(uint64(len(out.Rejected)))
	if err == nil || narthex.IsRejected(err) {
		if err != nil {
			for _, s := range out.Series {
				b.Reject(s.Labels.String(), err.Error())
			}
		}
		l.stats.samples.Add(uint64(len(out.Series)))
		r.passed()
		return
	}
	l.stats.sinkErrors.Add(1)
	l.o.Logger.Warn("the store does not take samples; they are in the log and will be tried again", "err", err)
	go l.retry(out, r.passed)
}

// retry writes the batch until the sink takes it or the ledger is closed; the
// log still has it then.
func (l *Ledger) retry(b *narthex.Batch, done func()) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		wait.Reset(pause)
		select {
		case <-wait.C:
		case <-l.closing:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := l.o.Sink.Write(ctx, b)
		cancel()
		if err == nil || narthex.IsRejected(err) {
			done()
			return
		}
	}
}
