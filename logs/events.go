package logs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/state"
)

// How the ids of log events are kept: by the log stream and by a part of an hour,
// so that a message, whose events are of about the same time, looks into one or
// two places. There is a bounded number of these, which are used again.
const (
	eventShards  = 32
	eventSegment = 10 * time.Minute
	eventSlots   = 150            // segments: 25 hours
	eventMemory  = 25 * time.Hour // CloudWatch Logs delivers for 24
	eventsFull   = 10_000         // ids in one place, after which there is another
	eventPlaces  = 100
)

// eventID is a hash of a log event's id, its group and its stream.
type eventID [8]byte

// eventPlace is what is known of the events of one place: which of them were
// taken, and what they came to for as long as that is not known to be written.
// Whoever finds such a rest writes it, so that an event that is marked as taken
// is also counted.
type eventPlace struct {
	Segments []eventSet  `json:"segments"`
	Rest     []eventRest `json:"rest,omitempty"`

	key   string
	entry state.Entry
}

// eventSet are the events of one segment that were taken.
type eventSet struct {
	Segment int64     `json:"segment"` // of their times
	Touched time.Time `json:"touched"`
	IDs     []byte    `json:"ids"` // eventID after eventID
}

// eventRest is an entry that may not be written yet.
type eventRest struct {
	ID       string    `json:"id"`
	Received time.Time `json:"received"`
	Series   []byte    `json:"series"` // packed
}

// events counts those log events of a stream that were not counted before. They
// are of one segment. Each is marked as taken in the same step in which what it
// comes to is kept; only then is that written.
func (s *Source) events(ctx context.Context, m *cloudWatch, segment int64, events []logEvent, r *Receipt) error {
	const tries = 20
	for range tries {
		p, taken, err := s.findEvents(ctx, m, segment)
		if err != nil {
			return err
		}
		fresh, ids := m.fresh(events, taken)
		if len(fresh) == 0 {
			r.Duplicate = true
			return s.settleEvents(ctx, p)
		}
		counts, err := s.reader.Read(ctx, m.name(), strings.NewReader(eventLines(fresh)))
		if err != nil {
			return fmt.Errorf("read %s: %w", m.name(), err)
		}
		series := s.labelled(counts.Series())
		r.ID, r.Series, r.Report = m.entryID(ids), len(series), counts.Report
		s.tellUnknown(ctx, r)
		if len(series) == 0 {
			return nil
		}
		p.take(segment, ids, s.o.Now())
		p.Rest = append(p.Rest, eventRest{ID: r.ID, Received: r.Received, Series: pack(series)})
		err = s.saveEvents(ctx, p)
		if errors.Is(err, state.ErrConflict) {
			continue // somebody else may have taken some of them
		}
		if err == nil {
			err = s.writeRest(ctx, p, r)
		}
		if err != nil && !narthex.IsRejected(err) {
			return err
		}
		return errors.Join(err, s.settleEvents(ctx, p), s.keepLearned(ctx))
	}
	return narthex.Errorf(narthex.Unavailable, "%s is read by too many at once", m.name())
}

// findEvents returns which events of a segment were taken, and the place for
// further ones, in which nothing is left that may not be written.
func (s *Source) findEvents(ctx context.Context, m *cloudWatch, segment int64) (p *eventPlace, taken map[eventID]bool, err error) {
	sum := sha256.Sum256([]byte(m.Owner + ":" + m.name()))
	taken = make(map[eventID]bool)
	for n := range eventPlaces {
		p, err = s.eventPlace(ctx, fmt.Sprintf("events/%02d-%03d-%02d", sum[0]%eventShards, segment%eventSlots, n))
		if err == nil {
			err = s.writeRest(ctx, p, &Receipt{})
		}
		if err != nil && !narthex.IsRejected(err) {
			return nil, nil, err
		}
		known := 0
		for _, set := range p.Segments {
			known += len(set.IDs) / len(eventID{})
			for ids := set.IDs; set.Segment == segment && len(ids) >= len(eventID{}); ids = ids[len(eventID{}):] {
				taken[eventID(ids)] = true
			}
		}
		if known < eventsFull {
			break
		}
	}
	return p, taken, nil
}

// eventPlace loads a place.
func (s *Source) eventPlace(ctx context.Context, key string) (*eventPlace, error) {
	p := &eventPlace{key: s.key(key)}
	var err error
	if p.entry, err = s.o.Keep.Load(ctx, p.key); err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "look which log events were counted: %w", err)
	}
	if p.entry.Data == nil {
		return p, nil
	}
	if err := json.Unmarshal(p.entry.Data, p); err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "which log events were counted (%s) is damaged: %w; with it removed, those that come again within a day count twice", p.key, err)
	}
	old := s.o.Now().Add(-eventMemory)
	p.Segments = slices.DeleteFunc(p.Segments, func(x eventSet) bool { return x.Touched.Before(old) })
	return p, nil
}

// saveEvents makes a place durable. A conflict is returned as it is.
func (s *Source) saveEvents(ctx context.Context, p *eventPlace) error {
	data, err := json.Marshal(p)
	if err != nil || bytes.Equal(data, p.entry.Data) || len(p.Segments) == 0 && p.entry.Data == nil {
		return err
	}
	now, err := s.o.Keep.Save(ctx, p.key, p.entry, data)
	if errors.Is(err, state.ErrConflict) {
		return err
	}
	if err != nil {
		return narthex.Errorf(narthex.Unavailable, "keep which log events were counted: %w", err)
	}
	p.entry = state.Entry{Data: data, Version: now.Version}
	return nil
}

// settleEvents says of a place that what was taken is written. Whoever changed it
// meanwhile has seen to that too, or will.
func (s *Source) settleEvents(ctx context.Context, p *eventPlace) error {
	if err := s.saveEvents(ctx, p); !errors.Is(err, state.ErrConflict) {
		return err
	}
	return nil
}

// writeRest writes what was taken and may not be written. What the sink refuses
// for good is given up, as an object is; the error says so.
func (s *Source) writeRest(ctx context.Context, p *eventPlace, r *Receipt) (refused error) {
	for len(p.Rest) > 0 {
		rest := p.Rest[0]
		series, err := unpack(rest.Series)
		if err != nil {
			return narthex.Errorf(narthex.Unavailable, "what was made of log events (%s) is damaged: %w", p.key, err)
		}
		err = s.entries(ctx, Object{ID: rest.ID, Name: rest.ID, Received: rest.Received}, series, r)
		if err != nil && !narthex.IsRejected(err) {
			return err
		}
		if err != nil {
			s.o.Logger.ErrorContext(ctx, "log events are not counted", "id", rest.ID, "err", err)
			refused = err
		}
		p.Rest = p.Rest[1:]
	}
	return refused
}

// fresh returns the events that are not taken, each once, and their ids.
func (m *cloudWatch) fresh(events []logEvent, taken map[eventID]bool) (fresh []logEvent, ids []eventID) {
	for i := range events {
		if id := m.eventID(&events[i], i); !taken[id] {
			taken[id] = true
			fresh, ids = append(fresh, events[i]), append(ids, id)
		}
	}
	return fresh, ids
}

// take marks events as taken.
func (p *eventPlace) take(segment int64, ids []eventID, now time.Time) {
	i := slices.IndexFunc(p.Segments, func(x eventSet) bool { return x.Segment == segment })
	if i < 0 {
		i = len(p.Segments)
		p.Segments = append(p.Segments, eventSet{Segment: segment})
	}
	set := &p.Segments[i]
	set.Touched = now.UTC().Truncate(time.Second)
	for _, id := range ids {
		set.IDs = append(set.IDs, id[:]...)
	}
}

// eventID returns what is kept of an event's id. An event without one is known
// by what it says and by its place in the message.
func (m *cloudWatch) eventID(e *logEvent, i int) eventID {
	id := e.ID
	if id == "" {
		id = fmt.Sprintf("%d:%d:%s", i, e.Timestamp, e.Message)
	}
	sum := sha256.Sum256([]byte(m.Owner + ":" + m.name() + ":" + id))
	return eventID(sum[:])
}

// entryID returns the id of the entry that is made of events: a hash of theirs.
func (m *cloudWatch) entryID(ids []eventID) string {
	h := sha256.New()
	for _, id := range ids {
		h.Write(id[:])
	}
	return "cloudwatch:" + m.Owner + ":" + m.name() + "@" + hex.EncodeToString(h.Sum(nil)[:16])
}

// eventLines makes a log of events, each of which is a line.
func eventLines(events []logEvent) string {
	var b strings.Builder
	oneLine := strings.NewReplacer("\n", " ", "\r", " ")
	for _, e := range events {
		oneLine.WriteString(&b, strings.TrimRight(e.Message, "\r\n"))
		b.WriteByte('\n')
	}
	return b.String()
}
