package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
)

// destination is a sink with its own pace: it is handed a tick's samples when
// it has settled the tick before, whatever others do.
type destination struct {
	name   string
	sink   narthex.Sink
	log    *slog.Logger
	stats  *counters
	outbox outbox

	inflight *inflight     // the ledger's
	synced   atomic.Uint64 // what is under way below this number has arrived for good

	taken   atomic.Int64 // ms; the newest tick that the sink has taken
	failed  atomic.Pointer[failure]
	mu      sync.Mutex
	running bool
	idle    sync.WaitGroup
}

// failure is why a sink did not take the last tick, and since when it takes
// none.
type failure struct {
	err   error
	since time.Time
}

func (l *Ledger) destination(name string, sink narthex.Sink) *destination {
	log := l.o.Logger.With("destination", name)
	sink = guarded{sink, log}
	d := &destination{name: name, sink: sink, log: log, stats: &l.stats, inflight: l.inflight}
	d.outbox.sink, d.outbox.log, d.outbox.stats, d.outbox.closing = sink, log, &l.stats, l.closing
	return d
}

// openOutboxes opens what waits for the destinations.
func (l *Ledger) openOutboxes() error {
	for _, d := range l.destinations {
		bounds := l.o.Bounds[d.name]
		s, err := openSpool(filepath.Join(l.o.Dir, "outbox", outboxName(d.name)), &spool{
			log: d.log, max: cmp.Or(bounds.Bytes, l.o.OutboxBytes), age: cmp.Or(bounds.Age, l.o.OutboxAge), now: l.o.Now,
			dropped: func(samples int) { d.outbox.dropped.Add(uint64(samples)) }, sync: d.sync,
		})
		if err != nil {
			return err
		}
		d.outbox.spool = s
		d.outbox.begin()
	}
	if len(l.destinations) > 0 {
		l.abandoned()
	}
	return nil
}

// abandoned tells of what waits for destinations that there are no more.
func (l *Ledger) abandoned() {
	have := make(map[string]bool)
	for _, d := range l.destinations {
		have[outboxName(d.name)] = true
	}
	found, _ := filepath.Glob(filepath.Join(l.o.Dir, "outbox", "*", "*.log"))
	for _, path := range found {
		if dir := filepath.Dir(path); !have[filepath.Base(dir)] {
			have[filepath.Base(dir)] = true
			l.o.Logger.Warn("samples wait for a destination that is not configured: name it as before, or delete them", "directory", dir)
		}
	}
}

// outboxName returns the directory of what waits for a destination.
func outboxName(name string) string {
	switch escaped := url.PathEscape(name); {
	case escaped == "":
		return "%"
	case strings.Trim(escaped, ".") == "": // else it would be a directory above
		return strings.ReplaceAll(escaped, ".", "%2E")
	case len(escaped) > 200: // file systems take 255
		return fmt.Sprintf("%.160s%%%x", escaped, NewID("", name))
	default:
		return escaped
	}
}

func (d *destination) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// load is what a tick brings one destination.
type load struct {
	tick   int64
	leads  iter.Seq[[]narthex.Series]
	values []narthex.Series
}

// start writes the load in a goroutine of its own and calls done with the
// outcome.
func (d *destination) start(ctx context.Context, what load, now time.Time, done func(error)) {
	d.mu.Lock()
	d.running = true
	d.mu.Unlock()
	d.idle.Go(func() {
		err := d.send(ctx, what)
		if err == nil {
			d.failed.Store(nil)
		} else if f := d.failed.Load(); f != nil {
			d.failed.Store(&failure{err, f.since})
		} else {
			d.failed.Store(&failure{err, now})
		}
		d.mu.Lock()
		d.running = false
		d.mu.Unlock()
		done(err)
	})
}

// send writes the leads and then the values.
func (d *destination) send(ctx context.Context, what load) error {
	for leads := range what.leads {
		if err := d.write(ctx, leads); err != nil {
			return err
		}
	}
	if err := d.write(ctx, what.values); err != nil {
		return err
	}
	below, _ := d.inflight.arrived()
	if err := d.sync(); err != nil {
		return err
	}
	d.synced.Store(below)
	d.taken.Store(what.tick)
	return nil
}

// syncer is a sink whose writes survive the process but perhaps not a power
// cut until Sync has returned.
type syncer interface{ Sync() error }

func (d *destination) syncs() bool {
	_, ok := d.sink.(guarded).Sink.(syncer)
	return ok
}

// sync returns once what the sink has taken survives a power cut: only then may
// the ledger's own copy go.
func (d *destination) sync() error {
	s, ok := d.sink.(guarded).Sink.(syncer)
	if !ok {
		return nil
	}
	if err := s.Sync(); err != nil {
		d.stats.sinkErrors.Add(1)
		return fmt.Errorf("sync the store: %w", err)
	}
	return nil
}

// write hands the series to the sink. What the sink refuses for good is found by
// halves, told and dropped: it would come back however often it were written.
func (d *destination) write(ctx context.Context, series []narthex.Series) error {
	if len(series) == 0 {
		return nil
	}
	b := &narthex.Batch{Received: time.UnixMilli(series[0].Samples[0].Time), Series: series, Totals: true}
	err := d.sink.Write(ctx, b)
	if err != nil && !narthex.IsRejected(err) {
		d.stats.sinkErrors.Add(1)
		return err
	}
	if half := len(series) / 2; err != nil && half > 0 {
		return errors.Join(d.write(ctx, series[:half]), d.write(ctx, series[half:]))
	}
	if err != nil {
		b.Reject(series[0].Labels.String(), err.Error())
	}
	if n := len(b.Rejected); n > 0 {
		d.stats.rejected.Add(uint64(n))
		d.log.Warn("the store refused totals", "series", n, "first", b.Rejected[0].Series, "reason", b.Rejected[0].Reason)
	}
	d.stats.samples.Add(uint64(len(series)))
	return nil
}

// loads returns what each destination that is not busy is to be given of the
// tick that the state has just made. The slices are the destinations' own.
func (l *Ledger) loads(values []narthex.Series) map[*destination]load {
	out := make(map[*destination]load, len(l.destinations))
	for _, d := range l.destinations {
		if d.busy() {
			l.stats.ticksSkipped.Add(1)
			continue
		}
		what := load{tick: l.state.last, leads: l.inParts(l.state.leadsAfter(l.state.Taken(d.name))), values: l.state.lacks(d.name, values)}
		if len(l.destinations) > 1 {
			what.values = slices.Clone(what.values)
		}
		out[d] = what
	}
	return out
}

// leadsAtOnce is how many leads a destination is given at a time. After hours of
// its absence there are many, and it may be away still.
const leadsAtOnce = 2000

// inParts returns the leads as series, some at a time.
func (l *Ledger) inParts(leads []lead) iter.Seq[[]narthex.Series] {
	return func(yield func([]narthex.Series) bool) {
		for part := range slices.Chunk(leads, leadsAtOnce) {
			l.mu.RLock() // the loop may rename what the accounts are
			series := rendered(part)
			l.mu.RUnlock()
			if !yield(series) {
				return
			}
		}
	}
}

// Destination is what is known of one place that samples are written to.
type Destination struct {
	Name  string
	Taken time.Time // the newest tick that it has taken; zero if none
	Err   error     // why it did not take the last one, nil if it did
	Since time.Time // since when it takes none, if Err is not nil
	// Waiting is how many bytes of samples with times of their own wait for it,
	// Dropped how many samples were given up because it was away for too long.
	Waiting int64
	Dropped uint64
}

// Destinations returns the places that samples are written to, in the order of
// their names.
func (l *Ledger) Destinations() []Destination {
	out := make([]Destination, 0, len(l.destinations))
	for _, d := range l.destinations {
		s := Destination{Name: d.name, Waiting: d.outbox.spool.waiting(), Dropped: d.outbox.dropped.Load()}
		if t := d.taken.Load(); t > 0 {
			s.Taken = time.UnixMilli(t)
		}
		if f := d.failed.Load(); f != nil {
			s.Err, s.Since = f.err, f.since
		}
		out = append(out, s)
	}
	return out
}
