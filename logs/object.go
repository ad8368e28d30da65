package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"narthex"
)

// Object is a log, or a piece of one, that is counted as a whole or not at all.
type Object struct {
	// ID stays the same when the object is delivered again.
	ID string
	// Name helps to tell formats apart and stands in messages.
	Name string
	// Received is when it was first delivered; zero is now. An object received
	// longer ago than ids are remembered is refused, so that a late repetition
	// can't count twice.
	Received time.Time
	// Body is the log, compressed or not.
	Body io.Reader
	// IDOf, if not nil, is called when Body has been read to its end and gives
	// the ID instead: that of a file is the hash of its content. counted says
	// that it was counted before, so that nothing is written.
	IDOf func() (id string, counted bool)
}

// maxID is the longest id in bytes, as doors take it.
const maxID = 200

// entryID returns the id of an object's part.
func entryID(id string, part int) string {
	if len(id) > maxID {
		sum := sha256.Sum256([]byte(id))
		id = "sha256:" + hex.EncodeToString(sum[:])
	}
	return id + "#" + strconv.Itoa(part)
}

// Object reads an object and writes what it comes to. Nil means that it is safe,
// or was before. An error for which [narthex.IsRejected] holds comes back
// however often the object is delivered; after any other it is to be delivered
// again. The receipt is never nil.
func (s *Source) Object(ctx context.Context, o Object) (*Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Receipt{Source: s.o.Name, ID: o.ID, Name: o.Name, Received: s.o.Now()}
	err := s.object(ctx, o, r)
	if err != nil {
		r.Error = err.Error()
	}
	s.o.Stats.add(r, err)
	return r, err
}

func (s *Source) object(ctx context.Context, o Object, r *Receipt) error {
	if err := s.refresh(ctx); err != nil {
		return err
	}
	counts, err := s.reader.Read(ctx, o.Name, o.Body)
	if err != nil {
		return fmt.Errorf("read %s: %w", o.Name, err)
	}
	if o.IDOf != nil {
		o.ID, r.Duplicate = o.IDOf()
		r.ID = o.ID
	}
	r.Report = counts.Report
	s.tellUnknown(ctx, r)
	if r.Duplicate {
		return s.keepLearned(ctx)
	}
	series := s.labelled(counts.Series())
	if r.Series = len(series); len(series) > 0 {
		if err := s.write(ctx, o, series, r); err != nil {
			return err
		}
	}
	return s.keepLearned(ctx)
}

// labelled sets the source's own labels.
func (s *Source) labelled(series []narthex.Series) []narthex.Series {
	for i := range series {
		for _, l := range s.o.Labels {
			series[i].Labels = series[i].Labels.With(l.Name, l.Value)
		}
	}
	return series
}

// write writes the series: at once, if that is all or nothing, or as what is
// pending.
func (s *Source) write(ctx context.Context, o Object, series []narthex.Series, r *Receipt) error {
	p, err := s.pending(ctx, o)
	if err != nil {
		return err
	}
	// Half of what is possible, so that others, who may have learned a little
	// more or less, choose the same way.
	if p.entry.Data == nil && len(series) <= s.o.MaxSeries/2 && !s.o.Spread {
		return s.entries(ctx, o, series, r)
	}
	if err := p.agree(ctx, series); err != nil {
		return err
	}
	if p.counted {
		r.Duplicate = true
		return nil
	}
	refused := s.entries(ctx, o, p.series, r)
	if refused != nil && !narthex.IsRejected(refused) {
		return refused
	}
	return errors.Join(refused, p.remove(ctx))
}

// entries writes the series in parts.
func (s *Source) entries(ctx context.Context, o Object, series []narthex.Series, r *Receipt) error {
	received := o.Received
	if now := s.o.Now(); received.IsZero() || received.After(now) { // nobody's clock is ahead
		received = now
	}
	r.Duplicate = true
	for part := 0; len(series) > 0; part++ {
		n := min(len(series), s.o.MaxSeries)
		b := &narthex.Batch{
			ID: entryID(o.ID, part), Identity: s.identity(), Received: received,
			Lateness: s.o.Lateness, Series: series[:n:n],
		}
		if err := s.o.Sink.Write(ctx, b); err != nil {
			return fmt.Errorf("count %s: %w", o.Name, err)
		}
		r.Duplicate = r.Duplicate && b.Duplicate
		r.Entries++
		r.reject(b.Rejected)
		series = series[n:]
	}
	return nil
}
