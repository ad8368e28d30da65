package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
)

// outbox has the samples with times of their own that the sink did not take:
// in its spool, or, where that can't be written, in memory. The latter are
// durable in the log, and the checkpoint waits for them. They are tried again
// in their order.
type outbox struct {
	sink    narthex.Sink
	log     *slog.Logger
	stats   *counters
	closing <-chan struct{}
	spool   *spool
	dropped atomic.Uint64 // samples
	after   atomic.Int64  // ns; how long the sink asked to be left alone
	order   order

	mu      sync.Mutex
	behind  bool // something waits
	closed  bool // what comes too late stays in the log
	queue   []passage
	samples int // in the queue
	running sync.WaitGroup
}

// passage is a batch on its way and what is to be called when it has arrived.
type passage struct {
	batch *narthex.Batch
	done  func()
}

// maxOutbox is how many samples wait; beyond it pushes that bring more are
// turned away.
const maxOutbox = 1_000_000

func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.samples >= maxOutbox
}

// pass hands an entry's samples to the sink, or, if that fails or others wait
// already, keeps a copy of them to be tried again. It returns what the sink
// rejected. No sample overtakes an earlier one of its series: a sender whose
// request was cut off is told that its retry is a duplicate, and sends the next
// sample, while the first one is still on its way here.
func (o *outbox) pass(ctx context.Context, b *narthex.Batch, series []narthex.Series, done func()) []narthex.Rejection {
	out := &narthex.Batch{ID: b.ID, Identity: b.Identity, Received: b.Received, Series: series}
	defer o.order.enter(series)()
	o.mu.Lock()
	behind := o.behind
	o.mu.Unlock()
	if !behind {
		if o.write(ctx, out) {
			done()
			return out.Rejected
		}
	}
	out.Series, out.Rejected = narthex.CloneSeries(out.Series), nil
	o.keep(passage{out, done})
	return nil
}

// close waits until nothing is delivered any more, and closes the spool.
func (o *outbox) close() error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.running.Wait()
	return o.spool.close()
}

// begin starts to deliver what waits from an earlier run.
func (o *outbox) begin() {
	if o.spool.waiting() > 0 {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.start()
	}
}

func (o *outbox) start() {
	if !o.behind {
		o.behind = true
		o.running.Go(o.run)
	}
}

// write offers the batch to the sink and reports whether that is settled.
func (o *outbox) write(ctx context.Context, b *narthex.Batch) bool {
	err := o.sink.Write(ctx, b)
	if err != nil && !narthex.IsRejected(err) {
		o.stats.sinkErrors.Add(1)
		var asked *narthex.Error
		if errors.As(err, &asked) {
			o.after.Store(int64(asked.After))
		}
		o.log.Warn("the store does not take samples; they are in the log and will be tried again", "err", err)
		return false
	}
	if err != nil {
		for _, s := range b.Series {
			b.Reject(s.Labels.String(), err.Error())
		}
	}
	o.stats.rejected.Add(uint64(len(b.Rejected)))
	o.stats.samples.Add(uint64(len(b.Series)))
	return true
}

// keep puts what the sink did not take where it can wait.
func (o *outbox) keep(p passage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if len(o.queue) == 0 { // else it would overtake
		err := o.spool.add(p.batch)
		if err == nil {
			p.done()
			o.start()
			return
		}
		o.log.Error("the outbox can't be written; samples wait in memory and in the log", "err", err)
	}
	o.queue = append(o.queue, p)
	o.samples += count(p.batch)
	o.start()
}

func count(b *narthex.Batch) (n int) {
	for _, s := range b.Series {
		n += len(s.Samples)
	}
	return n
}

// What waits is left alone for firstPause, then for longer, up to mostPause,
// or, if the sink asked for more, up to mostAsked. The sink has its own patience
// with each attempt, so that it is no blip that is waited for.
const (
	firstPause = 5 * time.Second
	mostPause  = 15 * time.Second
	mostAsked  = 5 * time.Minute
)

// run empties the queue, and gives up when the ledger is closed: the log still
// has what is left.
func (o *outbox) run() {
	wait := time.NewTimer(0)
	defer wait.Stop()
	alive, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		select {
		case <-o.closing:
			end() // what is on its way is tried again after the next start
		case <-alive.Done():
		}
	}()
	for pause := firstPause; ; {
		wait.Reset(max(pause, min(time.Duration(o.after.Swap(0)), mostAsked)))
		select {
		case <-wait.C:
		case <-o.closing:
			return
		}
		ctx, cancel := context.WithTimeout(alive, time.Minute)
		done := o.retry(ctx)
		cancel()
		if done {
			return
		}
		pause = min(2*pause, mostPause)
	}
}

// retry writes what waits, from the oldest on, and reports whether nothing is
// left. What the sink rejects now is told in the log alone: the receipt is out.
func (o *outbox) retry(ctx context.Context) bool {
	for {
		empty, err := o.spool.deliver(func(b *narthex.Batch) bool { return o.again(ctx, b) })
		if err != nil {
			o.log.Error("the outbox can't be read; what waits in it is tried again", "err", err)
		}
		if !empty {
			return false
		}
		o.mu.Lock()
		if len(o.queue) == 0 {
			if o.spool.waiting() == 0 {
				o.queue, o.behind = nil, false
				o.mu.Unlock()
				return true
			}
			o.mu.Unlock()
			continue
		}
		p := o.queue[0]
		o.mu.Unlock()
		if !o.again(ctx, p.batch) {
			return false
		}
		p.done()
		o.mu.Lock()
		o.queue = o.queue[1:]
		o.samples -= count(p.batch)
		o.mu.Unlock()
	}
}

// again offers the sink a batch that waited.
func (o *outbox) again(ctx context.Context, b *narthex.Batch) bool {
	b.Rejected = nil
	if !o.write(ctx, b) {
		return false
	}
	if n := len(b.Rejected); n > 0 {
		o.log.Warn("the store refused samples that waited for it", "series", n, "first", b.Rejected[0].Series, "reason", b.Rejected[0].Reason)
	}
	return true
}

// guarded is a sink whose panics are errors, so that what it did not take is
// tried again.
type guarded struct {
	narthex.Sink
	log *slog.Logger
}

func (g guarded) Write(ctx context.Context, b *narthex.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("the store panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = narthex.Errorf(narthex.Unavailable, "the store failed")
		}
	}()
	return g.Sink.Write(ctx, b)
}
