package tsdb

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"narthex"
)

// errClosed is what an appender says after its end.
var errClosed = promtsdb.ErrAppenderClosed

// reject drops a sample for good.
func (w *write) reject(s *series, from origin, reason string) {
	w.drop(from)
	w.say(s.label(), reason)
}

func (w *write) say(series, reason string) {
	w.rejected = append(w.rejected, narthex.Rejection{Series: series, Reason: reason})
}

// conflict drops a sample for what is stored already. A total has lost nothing
// by it: a newer one supersedes it.
func (w *write) conflict(s *series, x sample, reason string) {
	if w.totals {
		w.db.opts.Logger.Debug("total superseded", "series", s.from, "reason", reason)
		return
	}
	w.reject(s, x.from, reason)
}

// timeError says what is wrong with a sample's time whatever the store holds.
// Totals are spared: their clock is the ledger's.
func (w *write) timeError(t int64) string {
	oldest := w.now - w.db.opts.Retention.Milliseconds()
	switch {
	case t == 0:
		return "the sample has no time"
	case w.totals:
		return ""
	case t > w.now+maxAhead.Milliseconds():
		return fmt.Sprintf("the sample at %s is in the future: it is more than %s ahead of this server's clock (%s)", stamp(t), text(maxAhead), stamp(w.now))
	case t < oldest:
		return fmt.Sprintf("the sample at %s is too old: samples are kept for %s, so none before %s is taken", stamp(t), text(w.db.opts.Retention), stamp(oldest))
	}
	return ""
}

// lateReason tells a person why the store won't have a sample that comes late.
func (w *write) lateReason(x sample, err error) string {
	const remedy = "storage.out_of_order_time_window lets late samples in"
	window := w.db.opts.OutOfOrderTimeWindow
	switch {
	case errors.Is(err, storage.ErrTooOldSample):
		newest, _ := w.db.Newest()
		return fmt.Sprintf("the sample at %s is too old: it is outside the out-of-order window of %s before the newest sample in the store (%s)", x.at(), text(window), stamp(newest))
	case errors.Is(err, storage.ErrOutOfBounds):
		oldest, _ := w.db.inner.Head().AppendableMinValidTime()
		return fmt.Sprintf("the sample at %s is out of bounds: the store takes none before %s now; %s", x.at(), stamp(oldest), remedy)
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return fmt.Sprintf("another value is stored for this series and time (%s)", x.at())
	default:
		return fmt.Sprintf("the sample at %s is out of order: its series has a newer one, and the store takes samples in order only; %s", x.at(), remedy)
	}
}

// text writes a duration as Prometheus's configuration does: 1h, not 1h0m0s.
func text(d time.Duration) string { return model.Duration(d).String() }
