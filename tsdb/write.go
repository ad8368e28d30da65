package tsdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/storage"

	"narthex"
)

// maxAhead is how far ahead of this machine's clock a sample may be. A sample
// far ahead would make everyone else's too old; Prometheus's remote-write
// receiver draws the line at the same place.
const maxAhead = 10 * time.Minute

// Write stores the batch's samples, each with its own time, in one transaction.
//
// What the store won't take is rejected, sample by sample, with the reason; a
// sample that is stored already is skipped. With b.Totals a sample that comes
// too late is skipped as well. An error that isn't a rejection (a full disk)
// stores nothing and is of kind narthex.Unavailable.
//
// A nil return means that the samples are in the write-ahead log in the
// operating system's hands: they survive the process being killed, and after
// [DB.Sync] a power cut.
func (db *DB) Write(ctx context.Context, b *narthex.Batch) error {
	return db.write(ctx, b, &write{totals: b.Totals})
}

// WriteExact is Write, and removes from b.Series what it rejects: what is left
// is stored, now or since before. It removes exemplars that the store doesn't
// want, too, of which a warning tells. A series may have exemplars and no samples.
func (db *DB) WriteExact(ctx context.Context, b *narthex.Batch) error {
	w := &write{totals: b.Totals, exact: true}
	if err := db.write(ctx, b, w); err != nil {
		return err
	}
	w.prune(b)
	w.warn(b)
	return nil
}

// Describe remembers the type, unit and help text of metrics, each in Family.
func (db *DB) Describe(families []narthex.Series) {
	db.families.learn(families)
}

func (db *DB) write(ctx context.Context, b *narthex.Batch, w *write) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return narthex.Errorf(narthex.Unavailable, "store samples: the store is closed")
	}
	if err := ctx.Err(); err != nil {
		return narthex.Errorf(narthex.Unavailable, "store samples: %w", err)
	}
	if err := db.syncing.intact(); err != nil {
		return narthex.Errorf(narthex.Unavailable, "store samples in %s: %w", db.dir, err)
	}
	if err := db.room(); err != nil {
		return narthex.Errorf(narthex.Unavailable, "store samples in %s: %w; nothing was stored, try again", db.dir, err)
	}
	w.db, w.now = db, db.opts.Now().UnixMilli()
	defer db.scratch.end()
	all := w.gather(b.Series)
	if err := w.run(ctx, all); err != nil {
		return narthex.Errorf(narthex.Unavailable, "store samples in %s: %w; nothing was stored, try again", db.dir, err)
	}
	if err := w.appendExemplars(ctx, all); err != nil {
		return narthex.Errorf(narthex.Unavailable, "store exemplars in %s: %w; the samples are stored, try again", db.dir, err)
	}
	b.Rejected = append(b.Rejected, w.rejected...)
	db.families.learn(b.Series)
	if err := db.families.saveIfDue(db.opts.Now()); err != nil {
		db.opts.Logger.Warn("types and help texts of metrics could not be saved", "err", err)
	}
	return nil
}

// write is one Write under way.
type write struct {
	db      *DB
	totals  bool
	exact   bool
	dropped []origin // if exact

	lost      int // exemplars
	firstLost string

	now      int64 // milliseconds since the epoch
	app      storage.AppenderV2
	rejected []narthex.Rejection
	late     []*late
}

// late is a series with samples that aren't newer than what it has.
type late struct {
	*series
	samples []sample
}

// run appends what is newer than its series at once. Only the rest has to be
// compared with what is stored, so that the usual write reads nothing.
func (w *write) run(ctx context.Context, all []series) (err error) {
	w.app = w.db.inner.AppenderV2(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, rollback(w.app))
		}
	}()
	for i := range all {
		if err := w.appendNewer(&all[i]); err != nil {
			return err
		}
	}
	if err := w.appendLate(ctx); err != nil {
		return err
	}
	return w.app.Commit()
}

// rollback undoes app. A commit that failed has done so itself.
func rollback(app storage.AppenderV2) error {
	if err := app.Rollback(); err != nil && !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// appendNewer appends the samples that are newer than what the series has, and
// puts the others aside.
func (w *write) appendNewer(s *series) error {
	var rest []sample
	for i := range s.samples {
		x := &s.samples[i]
		err := w.append(s, x, i == len(s.samples)-1, true)
		switch {
		case err == nil:
		case !isLate(err):
			return err
		case w.totals:
			w.conflict(s, *x, err.Error())
		default:
			rest = append(rest, *x)
		}
	}
	if len(rest) > 0 {
		w.late = append(w.late, &late{series: s, samples: rest})
	}
	return nil
}

// append appends one sample. The series' exemplars go with its last one; those
// that the store doesn't want are no reason to drop a sample.
func (w *write) append(s *series, x *sample, last, inOrder bool) error {
	opts := storage.AOptions{RejectOutOfOrder: inOrder}
	if last && len(s.exemplars) > 0 && !x.v.stale() { // with a stale marker the TSDB takes none
		opts.Exemplars = s.forTSDB()
	}
	ref, err := w.app.Append(s.ref, s.labels, x.start, x.t, x.v.f, x.v.h, x.v.fh, opts)
	if err != nil {
		err = w.partly(s, err)
	}
	if err == nil {
		s.noted = opts.Exemplars != nil
		if ref != 0 {
			s.ref = ref
		}
	}
	return err
}

// partly returns nil if err says no more than that exemplars were not taken.
func (w *write) partly(s *series, err error) error {
	var partial *storage.AppendPartialError
	if !errors.As(err, &partial) {
		return err
	}
	w.partial(s, partial.ExemplarErrors)
	return nil
}

// isLate reports whether err says that the sample isn't newer than what is
// stored.
func isLate(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrOutOfBounds) ||
		errors.Is(err, storage.ErrTooOldSample) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp)
}

// appendLate skips the late samples that are stored already, rejects those that
// contradict what is stored, and offers the rest to the out-of-order window.
func (w *write) appendLate(ctx context.Context) error {
	if len(w.late) == 0 {
		return nil
	}
	stored, err := w.db.lookUp(ctx, w.late)
	if err != nil {
		return fmt.Errorf("look up what is stored: %w", err)
	}
	for i, l := range w.late {
		for _, x := range l.samples {
			if have, ok := stored[i][x.t]; ok {
				if !have.same(x.v) {
					w.conflict(l.series, x, fmt.Sprintf("another value is stored for this series and time: at %s there is %s, the push says %s; a stored value can't be changed", x.at(), have, x.v))
				}
				continue
			}
			last := x.t == l.series.samples[len(l.series.samples)-1].t
			err := w.append(l.series, &x, last, false)
			if err != nil && !isLate(err) {
				return err
			}
			if err != nil {
				w.conflict(l.series, x, w.lateReason(x, err))
			}
		}
	}
	return nil
}
