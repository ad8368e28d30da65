package ledger

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
)

// ID names an entry: a hash of its sender's identity and of the id that the
// sender gave it, so that ids of two senders never meet.
type ID [16]byte

// NewID returns the ID of an identity's id.
func NewID(identity, id string) ID {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(identity), identity)
	h.Write([]byte(id))
	return ID(h.Sum(nil)[:16])
}

// Entry is what one batch asks of the ledger, ready to be logged and folded.
type Entry struct {
	ID       ID
	Digest   narthex.Digest
	Received int64 // ms since the epoch
	group    *narthex.Group
	lateness int64 // ms; > 0: the deltas belong to the minutes of their times
	source   ID    // whose totals the deltas are; zero: they are increments
	items    []item
	edit     edit   // what is done to the items' totals, if they are not pushed
	restore  *State // what is imported
}

// maxLateness bounds how far the watermark may be behind: a store refuses what
// is older.
const maxLateness = 24 * time.Hour

// item is one series of an entry.
type item struct {
	key        string // narthex.Labels.AppendKey
	typ        narthex.Type
	as         narthex.As
	family     string
	unit, help string
	samples    []narthex.Sample
	exemplars  []narthex.Exemplar // of samples with times of their own; else they are not kept
}

// NewEntry returns the entry for b. The caller has checked names and values;
// what would break the ledger's own invariants is refused here again. A time
// ahead of b.Received becomes b.Received, for one clock's future must not
// hurt others.
func NewEntry(b *narthex.Batch) (*Entry, error) {
	e := &Entry{
		ID:       NewID(b.Identity, b.ID),
		Digest:   b.Digest,
		Received: b.Received.UnixMilli(),
		group:    ownGroup(b.Group),
		lateness: min(b.Lateness, maxLateness).Milliseconds(),
		items:    make([]item, 0, len(b.Series)),
	}
	if b.ID == "" {
		rand.Read(e.ID[:])
	}
	if b.Cumulative != "" && b.Group == nil {
		e.source = NewID(b.Identity, b.Cumulative)
	}
	if e.Received <= 0 {
		return nil, narthex.Errorf(narthex.Invalid, "a batch without the time of its arrival can't be entered")
	}
	var buf []byte
	own := make(texts)
	for _, s := range b.Series {
		if err := check(s, b.Group != nil); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "series %s: %w", s.Labels, err)
		}
		for j := range s.Samples {
			if t := &s.Samples[j].Time; *t == 0 || *t > e.Received {
				*t = e.Received
			}
		}
		buf = s.Labels.AppendKey(buf[:0])
		it := item{
			key: string(buf), typ: s.Type, as: s.As, family: s.Family, unit: s.Unit, help: s.Help, samples: s.Samples,
		}
		if s.As == narthex.AsSample && b.Group == nil {
			it.exemplars = s.Exemplars
		} else {
			it.family, it.unit, it.help = own.of(s.Family), own.of(message.Clip(s.Unit, maxHelp)), own.of(message.Clip(s.Help, maxHelp))
		}
		e.items = append(e.items, it)
	}
	return e, nil
}

// maxHelp is how many bytes of a help text or a unit are kept.
const maxHelp = 1 << 10

// texts are the texts of an entry that the totals keep, each once. They are copies:
// what came in may share the memory of a whole body, which would stay as long as
// the totals do.
type texts map[string]string

func (t texts) of(s string) string {
	if s == "" {
		return ""
	}
	kept, known := t[s]
	if !known {
		kept = strings.Clone(s)
		t[kept] = kept
	}
	return kept
}

// ownGroup returns a copy of what the group is called, for the same reason.
func ownGroup(g *narthex.Group) *narthex.Group {
	if g == nil {
		return nil
	}
	own := *g
	if ls, err := narthex.ParseKey(string(g.Labels.AppendKey(nil))); err == nil {
		own.Labels = ls
	}
	return &own
}

func check(s narthex.Series, grouped bool) error {
	for i, l := range s.Labels {
		if l.Value == "" || i > 0 && l.Name <= s.Labels[i-1].Name {
			return fmt.Errorf("labels are not sorted and unique at %q", l.Name)
		}
	}
	if grouped && len(s.Samples) == 0 {
		return errors.New("it has no sample")
	}
	for _, x := range s.Samples {
		switch h := x.Histogram; {
		case (h == nil) != (s.Samples[0].Histogram == nil):
			return errors.New("some of its samples are histograms, some are not")
		case h != nil && s.As == narthex.AsGauge && !grouped:
			return errors.New("a histogram can't be set as a gauge")
		case h != nil && grouped && len(h.Positive.Counts)+len(h.Negative.Counts) > mostBuckets:
			return fmt.Errorf("a histogram of %d buckets, the limit is %d", len(h.Positive.Counts)+len(h.Negative.Counts), mostBuckets)
		case h != nil && s.As == narthex.AsDelta:
			if err := checkHistogram(h); err != nil {
				return fmt.Errorf("an increment by %w", err)
			}
		case h == nil && s.As == narthex.AsDelta && !grouped && !(x.Value >= 0 && x.Value <= maxFinite):
			return fmt.Errorf("an increment of %v", x.Value)
		}
	}
	return nil
}

// Encode returns the entry's encoding, as in the log.
func (e *Entry) Encode() []byte { return appendEntry(make([]byte, 0, e.size()), e) }

// DecodeEntry returns the entry that b is the encoding of.
func DecodeEntry(b []byte) (*Entry, error) {
	r, err := parseRecord(b)
	if err == nil && r.entry == nil {
		err = errors.New("it is not an entry")
	}
	return r.entry, err
}

// received returns the time of arrival as a time.
func (e *Entry) received() time.Time { return time.UnixMilli(e.Received) }
