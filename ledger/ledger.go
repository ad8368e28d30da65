// Package ledger adds up what short-lived code pushes, exactly once, and
// restates the totals on a steady tick as if a long-lived process were being
// scraped.
//
// [State] is the ledger itself, without input, output or clock: [State.Fold]
// adds an entry, [State.Tick] gives the samples that are due. [Ledger] stands
// around it on a machine with a disk: a write-ahead log that makes entries
// durable, many at a time; a checkpoint from which it starts again; and the
// sink that takes the samples.
//
// The order of things is what makes it exact. An entry and the memory of its
// id are one record of the log. A tick is logged before its samples are
// written, so that after a crash the same samples are written again, with the
// same values at the same times; a store takes those as one.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/state"
)

// Options says where and how a Ledger works.
type Options struct {
	// Dir is the directory of the log and the checkpoint; it is made if need be.
	Dir string
	// Sink takes the ticks' samples and those with times of their own; it is the
	// destination "store". If it has a method Sync() error, what it takes counts as
	// taken once that has returned: it is called after each tick's samples, and
	// before a checkpoint takes the place of the log. Nil if there are Others.
	Sink narthex.Sink
	// Others are further destinations, by name. Each takes the same samples at its
	// own pace: one that is away holds up no other.
	Others map[string]narthex.Sink
	// Policy says when samples are written.
	Policy Policy
	// Committed, if not nil, is told how long each write of the log took, with its
	// fsync; Ticked how long after its time a tick was taken by all destinations. They
	// must not take long.
	Committed, Ticked func(time.Duration)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger takes what an operator should know; nil means slog.Default().
	Logger *slog.Logger
	// CheckpointBytes and CheckpointEvery are how large the log grows, and how
	// much time its ticks span, before a checkpoint is made. Default 64 MiB,
	// 5 min.
	CheckpointBytes int64
	CheckpointEvery time.Duration
	// OutboxBytes and OutboxAge bound the samples with times of their own that
	// wait for a destination: beyond, the oldest are given up, counted and named
	// in the log. Default 1 GiB, 24 h.
	OutboxBytes int64
	OutboxAge   time.Duration
	// Bounds are those of single destinations, by name, in the place of the two
	// above.
	Bounds map[string]OutboxBounds

	create, open opener // tests: files that fail
}

// OutboxBounds bound what waits for one destination; 0 is as for all.
type OutboxBounds struct {
	Bytes int64
	Age   time.Duration
}

// Ledger is a State with a log and a checkpoint on disk. It is a
// [narthex.Sink] for batches and is driven by [Ledger.Tick].
type Ledger struct {
	o      Options
	policy Policy
	store  state.Store
	unlock func()

	queue   chan *request
	ticks   chan *tickRequest
	looks   chan func() // to be called where nothing changes the state
	saved   chan checkpointed
	closing chan struct{}
	stopped chan struct{}
	once    sync.Once
	closed  error

	destinations []*destination // in the order of their names

	mu    sync.RWMutex // guards state against readers; only the loop writes it
	state *State

	// The loop's own.
	wal      *wal
	saving   bool
	entry    state.Entry     // the checkpoint as stored
	written  map[string]bool // keys of segments that are stored
	inflight *inflight
	saveCtx  context.Context // ends soon after the ledger is closed
	endSave  context.CancelFunc
	lost     uint64 // leads that were dropped, as logged
	lastSave int64  // the tick at the last checkpoint, ms

	stats counters
}

// Stats are counts since the ledger was opened, and sizes now.
type Stats struct {
	Entries, Duplicates, Refused uint64 // entries
	Rejected                     uint64 // series
	Commits, LogErrors           uint64
	Ticks, TicksSkipped          uint64
	Samples, SinkErrors          uint64
	Checkpoints, CheckpointFails uint64
	Replayed                     uint64 // entries read from the log at the start
	Late                         uint64 // increments whose minute was written already
	TornBytes                    uint64 // cut off the log's end at the start
	Series, IDs                  int
	LogBytes                     int64
	CheckpointTook               time.Duration // the last one, from the copy of the totals to the disk
	LastTick                     time.Time
}

type counters struct {
	entries, duplicates, refused, rejected, commits, logErrors atomic.Uint64
	ticks, ticksSkipped, samples, sinkErrors                   atomic.Uint64
	checkpoints, checkpointFails, replayed, torn               atomic.Uint64
	logBytes, checkpointTook                                   atomic.Int64
	logErr                                                     atomic.Pointer[error] // of the last write of the log
}

// storeName is the destination that is Options.Sink.
const storeName = "store"

// Open opens or makes the ledger in o.Dir. What the log holds beyond the
// checkpoint is folded again and its samples are written again.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	l := prepare(o)
	if o.Sink != nil {
		l.destinations = append(l.destinations, l.destination(storeName, o.Sink))
	}
	for name, sink := range o.Others {
		if name == storeName && o.Sink != nil {
			return nil, fmt.Errorf("open the ledger: two destinations are called %s", name)
		}
		l.destinations = append(l.destinations, l.destination(name, sink))
	}
	slices.SortFunc(l.destinations, func(a, b *destination) int { return strings.Compare(a.name, b.name) })
	if err := l.open(ctx); err != nil {
		l.abandon()
		return nil, err
	}
	go l.run()
	return l, nil
}

// prepare returns a ledger that is not open yet.
func prepare(o Options) *Ledger {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = 64 << 20
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 5 * time.Minute
	}
	if o.OutboxBytes == 0 {
		o.OutboxBytes = 1 << 30
	}
	if o.OutboxAge == 0 {
		o.OutboxAge = 24 * time.Hour
	}
	if o.create == nil {
		o.create = createFile
	}
	if o.open == nil {
		o.open = openFile
	}
	if o.Committed == nil {
		o.Committed = func(time.Duration) {}
	}
	if o.Ticked == nil {
		o.Ticked = func(time.Duration) {}
	}
	l := &Ledger{
		o: o, policy: o.Policy.withDefaults(),
		queue: make(chan *request, 1024), ticks: make(chan *tickRequest), looks: make(chan func()), saved: make(chan checkpointed, 1),
		closing: make(chan struct{}), stopped: make(chan struct{}),
		inflight: newInflight(), written: make(map[string]bool),
	}
	l.saveCtx, l.endSave = context.WithCancel(context.Background())
	return l
}

// abandon lets go of what an open that failed has taken.
func (l *Ledger) abandon() {
	l.endSave()
	if l.unlock != nil {
		l.unlock()
	}
}

func (l *Ledger) open(ctx context.Context) error {
	dir := filepath.Join(l.o.Dir, "log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the ledger's directory: %w", err)
	}
	var err error
	if l.unlock, err = lockDir(l.o.Dir); err != nil {
		return err
	}
	if l.store, err = state.OpenFile(filepath.Join(l.o.Dir, "state")); err != nil {
		return err
	}
	first, next, err := l.restore(ctx)
	if err != nil {
		return err
	}
	l.wal = &wal{dir: dir, create: l.o.create, next: next}
	if err := l.openOutboxes(); err != nil {
		return err
	}
	return l.replay(ctx, dir, first)
}

// Write logs and folds the batch. See [narthex.Sink]; a duplicate is no error
// but sets b.Duplicate.
func (l *Ledger) Write(ctx context.Context, b *narthex.Batch) error {
	e, err := NewEntry(b)
	if err != nil {
		return err
	}
	if brings(e) && slices.ContainsFunc(l.destinations, func(d *destination) bool { return d.outbox.full() }) {
		return narthex.Errorf(narthex.Unavailable, "the store is away and too many samples wait for it: try again later, under the same id")
	}
	req := &request{entry: e, record: e.Encode(), done: make(chan error, 1)}
	err = l.enter(ctx, req)
	b.Duplicate = req.out.Duplicate
	b.Rejected = append(b.Rejected, req.out.Rejected...)
	if err == nil && len(req.out.Samples) > 0 {
		l.pass(ctx, b, req.out.Samples, req.passed)
	}
	return err
}

// enter hands the request to the loop and waits until it is logged and folded.
func (l *Ledger) enter(ctx context.Context, req *request) (err error) {
	if len(req.record) > maxFrame/2 {
		return narthex.Errorf(narthex.TooLarge, "the push takes %d bytes of the log, more than fit: send it in parts", len(req.record))
	}
	select {
	case <-l.closing:
		return errStopping
	default:
	}
	select {
	case l.queue <- req:
	case <-l.closing:
		return errStopping
	case <-ctx.Done():
		return narthex.Errorf(narthex.Unavailable, "the ledger is busy: %w", ctx.Err())
	}
	// From here on the entry may become durable, so the outcome is awaited.
	select {
	case err = <-req.done:
	case <-l.stopped:
		select {
		case err = <-req.done:
		default:
			return errStopping
		}
	}
	return err
}

// passWait is how long a batch waits for the destinations. What one of them has
// not taken by then goes into its outbox.
const passWait = 10 * time.Second

// pass hands an entry's samples to all destinations at once: one that is away
// holds up no other. done is called once each has them.
func (l *Ledger) pass(ctx context.Context, b *narthex.Batch, series []narthex.Series, done func()) {
	ctx, cancel := context.WithTimeout(ctx, passWait)
	defer cancel()
	settled := l.whenAll(done)
	if len(l.destinations) == 1 {
		b.Rejected = append(b.Rejected, l.destinations[0].outbox.pass(ctx, b, series, settled)...)
		return
	}
	rejected := make([][]narthex.Rejection, len(l.destinations))
	var all sync.WaitGroup
	for i, d := range l.destinations {
		own := narthex.CloneSeries(series) // a sink may sort what it is given
		all.Go(func() { rejected[i] = d.outbox.pass(ctx, b, own, settled) })
	}
	all.Wait()
	for _, r := range rejected {
		b.Rejected = append(b.Rejected, r...)
	}
}

// whenAll returns what each destination calls once, of which the last calls done.
func (l *Ledger) whenAll(done func()) func() {
	left := new(atomic.Int64)
	left.Store(int64(len(l.destinations)))
	return func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
}

// passAgain is pass for what the log says may not have arrived before a crash.
// The store takes it at once; for others, which may be slow or away, it goes into
// their outboxes, so that a start never waits for the network.
func (l *Ledger) passAgain(ctx context.Context, b *narthex.Batch, series []narthex.Series, done func()) {
	settled := l.whenAll(done)
	for _, d := range l.destinations {
		own := narthex.CloneSeries(series)
		if d.name == storeName {
			d.outbox.pass(ctx, b, own, settled)
			continue
		}
		d.outbox.keep(passage{&narthex.Batch{Received: b.Received, Series: own}, settled})
	}
}

// brings reports whether the entry has samples with times of their own.
func brings(e *Entry) bool {
	return e.group == nil && slices.ContainsFunc(e.items, func(it item) bool { return it.as == narthex.AsSample })
}

var errStopping = &narthex.Error{Kind: narthex.Unavailable, Msg: "narthex is stopping"}

// Tick writes what is due at the tick that now belongs to. It returns once the
// destinations have taken the samples, or have not. One that is still writing
// the tick before is passed over; if all are, so is the tick: totals lose
// resolution by it, never counts. Ticks may overlap.
func (l *Ledger) Tick(ctx context.Context) error {
	t := &tickRequest{ctx: ctx, now: l.o.Now(), done: make(chan error, 1)}
	select {
	case l.ticks <- t:
		return <-t.done
	case <-l.closing:
		return errStopping
	}
}

// Lookup says whether the batch with this id was folded, and the tick at which
// it was written; zero if that is still to come.
func (l *Ledger) Lookup(identity, id string) (written time.Time, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	ms, ok := l.state.Lookup(NewID(identity, id), l.confirmed())
	if ms != 0 {
		written = time.UnixMilli(ms)
	}
	return written, ok
}

// confirmed returns the newest tick that all destinations have taken.
func (l *Ledger) confirmed() int64 {
	oldest := int64(math.MaxInt64)
	for _, d := range l.destinations {
		oldest = min(oldest, d.taken.Load())
	}
	return oldest
}

// Groups returns the groups, in no order.
func (l *Ledger) Groups() []Group {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.Groups()
}

// Stats returns counts and sizes.
func (l *Ledger) Stats() Stats {
	c := &l.stats
	s := Stats{
		Entries: c.entries.Load(), Duplicates: c.duplicates.Load(), Refused: c.refused.Load(), Rejected: c.rejected.Load(),
		Commits: c.commits.Load(), LogErrors: c.logErrors.Load(),
		Ticks: c.ticks.Load(), TicksSkipped: c.ticksSkipped.Load(),
		Samples: c.samples.Load(), SinkErrors: c.sinkErrors.Load(),
		Checkpoints: c.checkpoints.Load(), CheckpointFails: c.checkpointFails.Load(),
		Replayed: c.replayed.Load(), TornBytes: c.torn.Load(), LogBytes: c.logBytes.Load(), CheckpointTook: time.Duration(c.checkpointTook.Load()),
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	s.Series, s.IDs = l.state.Sizes()
	s.Late = l.state.late
	s.LastTick = time.UnixMilli(l.state.LastTick())
	return s
}

// Err returns why batches can't be made durable right now, nil if they can.
func (l *Ledger) Err() error {
	if err := l.stats.logErr.Load(); err != nil {
		return *err
	}
	select {
	case <-l.closing:
		return errStopping
	default:
		return nil
	}
}

// Close stops taking batches, finishes those that were taken, and makes a
// checkpoint. Nothing that was acknowledged depends on it: a ledger that was
// killed opens as well, only later.
func (l *Ledger) Close() error {
	l.once.Do(func() {
		close(l.closing)
		<-l.stopped
		l.closed = errors.Join(l.closed, l.wal.close())
		l.endSave()
		for _, d := range l.destinations {
			l.closed = errors.Join(l.closed, d.outbox.close())
		}
		l.unlock()
	})
	return l.closed
}
