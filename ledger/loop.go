package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"narthex"
)

// request is one entry on its way through the loop.
type request struct {
	entry  *Entry
	record []byte
	out    Outcome
	passed func() // to be called once out.Samples are safe
	done   chan error
}

type tickRequest struct {
	ctx  context.Context
	now  time.Time
	done chan error
}

// Bounds of one group commit.
const (
	groupEntries = 4096
	groupBytes   = 8 << 20
)

// run owns the state and the log until the ledger is closed.
func (l *Ledger) run() {
	defer close(l.stopped)
	for {
		select {
		case r := <-l.queue:
			l.commit(l.gather(r))
			l.checkpointIfDue()
		case t := <-l.ticks:
			l.tick(t)
			l.checkpointIfDue()
		case c := <-l.saved:
			l.finishCheckpoint(c)
		case look := <-l.looks:
			look()
		case <-l.closing:
			l.drain()
			return
		}
	}
}

// gather takes what else is waiting: it shares the fsync of the first.
func (l *Ledger) gather(first *request) []*request {
	group, size := []*request{first}, len(first.record)
	for len(group) < groupEntries && size < groupBytes {
		select {
		case r := <-l.queue:
			group, size = append(group, r), size+len(r.record)
		default:
			return group
		}
	}
	return group
}

// drain finishes what was queued before the ledger was closed.
func (l *Ledger) drain() {
	for {
		select {
		case r := <-l.queue:
			l.commit(l.gather(r))
			continue
		default:
		}
		break
	}
	defer time.AfterFunc(closeWait, l.endSave).Stop()
	for _, d := range l.destinations {
		d.idle.Wait()
	}
	if l.saving {
		l.finishCheckpoint(<-l.saved)
	}
	l.beginCheckpoint()
	if l.saving {
		l.finishCheckpoint(<-l.saved)
	}
}

// closeWait is how long a closing ledger waits for the sink. What has not
// reached it by then is in the log.
const closeWait = 5 * time.Second

// commit makes the group durable and folds it. An entry that is known, refused
// or whole of rejected series is answered without being logged.
func (l *Ledger) commit(group []*request) {
	now := l.o.Now().UnixMilli()
	var records [][]byte
	inGroup := make(map[ID]bool, len(group))
	answers := make([]error, len(group))
	for i, r := range group {
		dup, err := l.state.known(r.entry, now, l.policy)
		if err == nil && !dup && !inGroup[r.entry.ID] {
			var all bool
			if r.out.Rejected, all = l.state.refusesAll(r.entry, l.policy); all {
				continue
			}
			r.out.Rejected = nil
			inGroup[r.entry.ID] = true
			records = append(records, r.record)
			continue
		}
		r.out.Duplicate, answers[i] = dup, err
	}
	if len(records) > 0 {
		if err := l.log(records); err != nil {
			l.o.Logger.Error("the log can't be written; pushes are answered 503 until it can", "err", err)
			err = &narthex.Error{Kind: narthex.Unavailable, Msg: "the log can't be written (disk full or failing?), nothing of this push was kept: try again later, under the same id", Err: err}
			for i, r := range group {
				if inGroup[r.entry.ID] {
					answers[i] = err
				}
			}
			inGroup = nil
		}
	}
	l.foldGroup(group, answers, inGroup, now)
}

// foldGroup folds the entries of inGroup, in order, and answers each at once: its
// sender goes on while the others are folded.
func (l *Ledger) foldGroup(group []*request, answers []error, inGroup map[ID]bool, now int64) {
	if len(inGroup) > 0 {
		l.stats.commits.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range group {
		if inGroup[r.entry.ID] {
			r.out, answers[i] = l.state.Fold(r.entry, now, l.policy)
		}
		if len(r.out.Samples) > 0 {
			r.passed = l.inflight.begin()
		}
		l.count(r.out, answers[i])
		r.done <- answers[i]
	}
}

func (l *Ledger) count(out Outcome, err error) {
	switch {
	case err == nil && out.Duplicate:
		l.stats.duplicates.Add(1)
	case err == nil:
		l.stats.entries.Add(1)
	case narthex.IsRejected(err):
		l.stats.refused.Add(1)
	}
	l.stats.rejected.Add(uint64(len(out.Rejected)))
}

// log makes records durable and remembers whether it could.
func (l *Ledger) log(records [][]byte) error {
	begun := l.o.Now()
	err := l.wal.append(records)
	l.o.Committed(l.o.Now().Sub(begun))
	if err != nil {
		l.stats.logErrors.Add(1)
		l.stats.logErr.Store(&err)
		return err
	}
	l.stats.logErr.Store(nil)
	l.stats.logBytes.Store(l.wal.size)
	return nil
}

// errBusy says that a tick was skipped.
var errBusy = errors.New("the tick was skipped: the one before is still being written")

// tick logs the tick, takes the samples from the state and hands them to the
// sender.
func (l *Ledger) tick(t *tickRequest) {
	at := Grid(t.now.UnixMilli(), l.policy.Interval)
	switch {
	case at == l.state.last:
		t.done <- nil
		return
	case at < l.state.last:
		l.stats.ticksSkipped.Add(1)
		t.done <- fmt.Errorf("the clock says %s, before the last tick at %s: nothing is written until it has caught up",
			t.now.UTC().Format(time.RFC3339), time.UnixMilli(l.state.last).UTC().Format(time.RFC3339))
		return
	case !slices.ContainsFunc(l.destinations, func(d *destination) bool { return !d.busy() }):
		l.stats.ticksSkipped.Add(1)
		t.done <- errBusy
		return
	}
	l.mu.Lock()
	for _, d := range l.destinations {
		l.state.Took(d.name, d.taken.Load(), l.policy)
	}
	l.mu.Unlock()
	if err := l.log([][]byte{appendTick(nil, at, l.state.taken, l.policy.Interval, l.behind())}); err != nil {
		t.done <- err
		return
	}
	l.mu.Lock()
	loads := l.loads(l.state.advance(at, l.policy))
	l.mu.Unlock()
	l.stats.ticks.Add(1)
	if lost := l.state.lost; lost > l.lost {
		l.o.Logger.Error("a destination has been away for so long that first increments are lost to increase() there", "series", lost-l.lost)
		l.lost = lost
	}
	l.send(t, loads)
}

// behind returns how many of the last things begun span all that have not
// arrived, or would not be there after a power cut.
func (l *Ledger) behind() uint64 {
	below, next := l.inflight.arrived()
	for _, d := range l.destinations {
		if d.syncs() {
			below = min(below, d.synced.Load())
		}
	}
	return next - below
}

// send starts the destinations and answers the request when all have ended.
func (l *Ledger) send(t *tickRequest, loads map[*destination]load) {
	ctx, cancel := context.WithCancel(t.ctx)
	stop := context.AfterFunc(l.saveCtx, cancel)
	outcomes := make(chan error, len(loads))
	for d, what := range loads {
		d.start(ctx, what, t.now, func(err error) {
			if err != nil && len(l.destinations) > 1 {
				err = fmt.Errorf("%s: %w", d.name, err)
			}
			outcomes <- err
		})
	}
	go func() {
		var err error
		for range loads {
			err = errors.Join(err, <-outcomes)
		}
		stop()
		cancel()
		if err == nil {
			l.o.Ticked(l.o.Now().Sub(time.UnixMilli(Grid(t.now.UnixMilli(), l.policy.Interval))))
		}
		t.done <- err
	}()
}
