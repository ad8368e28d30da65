package ledger

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"narthex"
)

// edit is what an operator does to totals, as an entry of the log like any
// other: it is durable once it is acknowledged, and a replay comes to the same.
type edit byte

const (
	editNone edit = iota
	editSet
	editDelete
)

// NewSet returns an entry that sets the total of a series that the ledger keeps,
// or a gauge's value. h takes the place of v for a histogram; without it a
// histogram can only be set to 0, which is that it has observed nothing. A
// counter that falls by it is reset on the wire, as if its process had begun
// anew at the value. The id may be empty.
func NewSet(identity, id string, received time.Time, series narthex.Labels, v float64, h *narthex.Histogram) (*Entry, error) {
	if h != nil {
		if err := checkHistogram(h); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "set %s to %w", series, err)
		}
	}
	e, err := newEdit(editSet, identity, id, received, series)
	if err == nil {
		e.items[0].samples = []narthex.Sample{{Value: v, Histogram: h.Clone()}}
	}
	return e, err
}

// NewDelete returns an entry that ends series, each with a staleness marker at
// the next tick, and forgets their totals. A push after it begins at zero.
func NewDelete(identity, id string, received time.Time, series ...narthex.Labels) (*Entry, error) {
	return newEdit(editDelete, identity, id, received, series...)
}

func newEdit(what edit, identity, id string, received time.Time, series ...narthex.Labels) (*Entry, error) {
	e := &Entry{ID: NewID(identity, id), Received: received.UnixMilli(), edit: what}
	if id == "" {
		rand.Read(e.ID[:])
	}
	for _, ls := range series {
		if err := check(narthex.Series{Labels: ls}, false); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "series %s: %w", ls, err)
		}
		e.items = append(e.items, item{key: string(ls.AppendKey(nil))})
	}
	return e, nil
}

// refuseEdit says why the item's total can't be edited, or "".
func (s *State) refuseEdit(e *Entry, it *item) string {
	a := s.byKey[it.key]
	switch {
	case a == nil || a.ended || a.gone || a.deleted():
		return "the ledger keeps no such series: narthex ledger list says which it keeps"
	case a.group != nil:
		return "it belongs to the group " + a.group.labels.String() + ", whose pushes say what it is: push the group anew, or end it with DELETE /metrics/job/…"
	case e.edit == editDelete:
		return ""
	}
	v, h := it.samples[0].Value, it.samples[0].Histogram
	switch {
	case h != nil && a.hist == nil:
		return "it is a " + a.typ.String() + ", which a histogram can't take the place of: set a number"
	case h != nil:
		return refuseHistogram(a.empty(), &item{samples: it.samples})
	case a.hist != nil && v != 0:
		return "it is a histogram: set it to 0, or to a whole histogram in the form that narthex ledger get prints"
	case a.typ != narthex.TypeGauge && !(v >= 0 && v <= maxFinite):
		return "a counter's total is neither negative nor infinite"
	}
	return ""
}

// empty returns what the account's histogram was when it had observed nothing.
func (a *account) empty() *narthex.Histogram {
	if a.hist == nil {
		return nil
	}
	return zeroOf(a.hist)
}

// change does what an edit says, which is not refused.
func (s *State) change(e *Entry, it *item) {
	a := s.byKey[it.key]
	if e.edit == editDelete && a.written == 0 { // nobody has seen it
		s.forget(func(b *account) bool { return b == a })
		return
	}
	a.hold()
	if e.edit == editDelete {
		s.memories -= len(a.sources)
		a.value, a.hist, a.sources, a.event = 0, a.empty(), nil, 0
		a.changed, a.dirty = 0, false
		if a.minutes != nil {
			a.minutes.pending = nil
		}
		return
	}
	x := it.samples[0]
	switch {
	case x.Histogram != nil:
		a.hist = x.Histogram.Clone()
	case a.hist != nil:
		a.hist = a.empty()
	default:
		a.value = x.Value
	}
	a.event, a.dirty = max(a.event, e.Received), true
}

// deleted reports whether the account was deleted: idle for so long that the
// next tick ends the series and those after it forget the account. One that is
// written by the minute keeps its type until then.
func (a *account) deleted() bool {
	return a.changed == 0 && a.written != 0 && !a.dirty && a.group == nil && !a.ended && !a.gone && a.minutes == nil
}

// Edit logs and folds an entry that [NewSet], [NewDelete] or [ImportEntries]
// has made. It returns nil once that is durable, and what it refused.
func (l *Ledger) Edit(ctx context.Context, e *Entry) ([]narthex.Rejection, error) {
	req := &request{entry: e, record: e.Encode(), done: make(chan error, 1)}
	err := l.enter(ctx, req)
	return req.out.Rejected, err
}

// appendEdit appends the record of an edit.
func appendEdit(dst []byte, e *Entry) []byte {
	enc := encoder{dst}
	enc.byte(recordEdit)
	enc.raw(e.ID[:])
	enc.int(e.Received)
	enc.byte(byte(e.edit))
	enc.uint(uint64(len(e.items)))
	for i := range e.items {
		it := &e.items[i]
		enc.string(it.key)
		if e.edit == editSet {
			enc.number(it.samples[0].Value)
			enc.histogram(it.samples[0].Histogram)
		}
	}
	return enc.b
}

func parseEdit(d *decoder) *Entry {
	e := &Entry{}
	copy(e.ID[:], d.raw(uint64(len(e.ID))))
	e.Received = d.int()
	if e.edit = edit(d.byte()); e.edit != editSet && e.edit != editDelete {
		d.fail()
	}
	for range d.count(1) {
		it := item{key: d.string()}
		if _, err := narthex.ParseKey(it.key); err != nil {
			d.fail()
		}
		if e.edit == editSet {
			it.samples = []narthex.Sample{{Value: d.number(), Histogram: d.histogram()}}
			if h := it.samples[0].Histogram; h != nil && checkHistogram(h) != nil {
				d.fail()
			}
		}
		e.items = append(e.items, it)
	}
	return e
}

// Total is what the ledger holds of one series, as readers see it.
type Total struct {
	Labels             narthex.Labels
	Type               narthex.Type
	Family, Unit, Help string
	Value              float64
	Histogram          *narthex.Histogram // takes the place of Value
	Group              narthex.Labels     // of the group that it belongs to, if any
	Changed            time.Time          // the tick that wrote its last change first; zero if none has
	Written            time.Time          // its newest sample; zero if there is none
	Pending            bool               // a change is not written yet
	Stale              bool               // its newest sample is the marker of its end
	Sources            int                // processes whose last totals are remembered
}

func (a *account) total() Total {
	t := Total{
		Labels: a.labels, Type: a.typ, Family: a.family, Unit: a.unit, Help: a.help,
		Value: a.value, Histogram: a.hist.Clone(), Pending: a.dirty, Stale: a.stale, Sources: len(a.sources),
	}
	if a.group != nil {
		t.Group = a.group.labels
	}
	if a.changed > 0 {
		t.Changed = time.UnixMilli(a.changed)
	}
	if a.written > 0 {
		t.Written = time.UnixMilli(a.written)
	}
	return t
}

// Find returns the totals of the series that match, in the order of their first
// entry, at most max of them, and whether there are more. A nil match is all.
func (s *State) Find(match func(narthex.Labels) bool, most int) (totals []Total, more bool) {
	for _, a := range s.accounts {
		if a.ended || a.gone || a.deleted() || match != nil && !match(a.labels) {
			continue
		}
		if len(totals) == most {
			return totals, true
		}
		totals = append(totals, a.total())
	}
	return totals, false
}

// Find returns the totals of the series that match; see [State.Find].
func (l *Ledger) Find(_ context.Context, match func(narthex.Labels) bool, most int) (totals []Total, more bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	totals, more = l.state.Find(match, most)
	return totals, more, nil
}

// Snapshot returns a copy of the state. Nothing is entered while it is taken,
// about a second for a million series.
func (l *Ledger) Snapshot(ctx context.Context) (*State, error) {
	var data []byte
	var closed []*segment
	done := make(chan struct{})
	look := func() {
		data, closed = l.state.Encode(), slices.Clone(l.state.ids.closed)
		close(done)
	}
	select {
	case l.looks <- look:
		<-done
	case <-l.closing:
		return nil, errStopping
	case <-ctx.Done():
		return nil, narthex.Errorf(narthex.Unavailable, "the ledger is busy: %w", ctx.Err())
	}
	return thaw(data, closed)
}

// thaw decodes a state whose closed segments, which never change, are given.
func thaw(data []byte, closed []*segment) (*State, error) {
	s, err := Decode(data)
	if err != nil {
		return nil, err
	}
	for i, seg := range closed {
		own := *seg
		own.key = ""
		s.ids.closed[i] = &own
	}
	return s, nil
}
