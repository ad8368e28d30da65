// Package narthex holds the types that everything else in the program speaks:
// what came in is a [Batch] of [Series], what takes it is a [Sink].
//
// The package imports the standard library only. Formats turn bytes into
// series and back, stages wrap a sink, and the ledger is a sink that adds up
// before it passes on. "Write returned nil" is the one acknowledgement, of an
// HTTP request, a queue message, a log object and the command line alike.
package narthex

import (
	"context"
	"time"
)

// Batch is what one delivery brought.
type Batch struct {
	// ID stays the same when the delivery is retried: the caller's
	// Idempotency-Key, an object's key and etag, a queue's message id. A sink
	// that has seen the ID does nothing a second time. Empty means that the
	// delivery can't be recognised again.
	ID string
	// Identity is who sent the batch; ids of two identities never meet.
	Identity string
	// Digest is a hash of what the sender said, taken before anything (such as
	// the time of arrival) was filled in. The same ID with another Digest is an
	// error of kind [Conflict]. The zero Digest is not compared.
	Digest Digest
	// Received is when the delivery arrived.
	Received time.Time
	// Group, if not nil, says that the series are those of a group, which they
	// replace or extend as a whole; As does not matter then.
	Group *Group
	// Cumulative, if not empty, names the process (or whatever counts) that the
	// batch comes from, and says that its AsDelta samples are not increments but
	// that source's totals so far. The ledger adds what they are above the
	// source's last ones; a total that fell began anew, and counts whole. Sources
	// of two identities never meet. It does not matter to a group.
	Cumulative string
	// Lateness, if not 0, says that AsDelta samples count in the minute of their
	// own times: a minute's total is written at its end, once it is as long ago
	// as Lateness. What comes later counts in the next minute to be written.
	Lateness time.Duration
	// Series is what was brought, each with at least one sample.
	Series []Series
	// Rejected lists what was dropped for good and why. Write adds to it.
	Rejected []Rejection
	// Warnings are sentences for the sender about what was taken all the same.
	// Write adds to it.
	Warnings []string
	// Duplicate is set by Write when the ID had been seen before, so that
	// nothing was done.
	Duplicate bool
	// Queued is set by Write when the batch is safe in a queue, and what becomes
	// of it (whether it is a duplicate, what is rejected) is found out later.
	Queued bool
	// Totals marks samples that restate the ledger's own totals. A newer one
	// supersedes them, so a store that answers "duplicate" or "out of order" to
	// one of them has lost nothing and the sink counts it as done.
	Totals bool
}

// Group is what a Pushgateway client calls one: the series that were pushed
// under one grouping key. A group is restated until it is deleted, replaced, or
// its time to live ends.
type Group struct {
	// Labels are the grouping key, job included. The series carry them too.
	Labels Labels
	Op     GroupOp
	// TTL ends the group when it has not been pushed for that long; 0 is never.
	TTL time.Duration
}

// GroupOp is what happens to a group.
type GroupOp uint8

// The operations. All but the last two take the batch's series.
const (
	GroupReplace GroupOp = iota // PUT: the series are all that the group has
	GroupExtend                 // POST: series of the same metrics are replaced
	GroupDelete                 // DELETE
	GroupFail                   // the push was wrong: only its time is noted
)

// Digest is the hash of a delivery's body.
type Digest [8]byte

// Rejection is one series (or one sample of it) that was dropped for good.
type Rejection struct {
	Series string `json:"series"` // as in the exposition format: name{label="value"}
	Reason string `json:"reason"` // a sentence for a person
}

// Reject adds a rejection.
func (b *Batch) Reject(series, reason string) {
	b.Rejected = append(b.Rejected, Rejection{Series: series, Reason: reason})
}

// Warn adds a warning.
func (b *Batch) Warn(text string) { b.Warnings = append(b.Warnings, text) }

// Force sets the labels on each series, whatever the sender called itself, and
// on the group. They come from who the sender is known to be.
func (b *Batch) Force(labels Labels) {
	for _, l := range labels {
		for i := range b.Series {
			b.Series[i].Labels = b.Series[i].Labels.With(l.Name, l.Value)
		}
		if b.Group != nil {
			b.Group.Labels = b.Group.Labels.With(l.Name, l.Value)
		}
	}
}

// Sink takes batches.
//
// Write returns nil only once the whole batch is safe: durable, or refused
// series by series in b.Rejected. An error for which [IsRejected] holds comes
// back however often the batch is retried; any other may be retried, and
// because of the ID a retry is harmless. Write may be called from several
// goroutines. It keeps no reference to b after it has returned.
type Sink interface {
	Write(ctx context.Context, b *Batch) error
}

// SinkFunc is a function that is a Sink.
type SinkFunc func(ctx context.Context, b *Batch) error

// Write calls f.
func (f SinkFunc) Write(ctx context.Context, b *Batch) error { return f(ctx, b) }
