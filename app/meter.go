package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"narthex"
)

// meter counts the samples that a destination has taken, by where they come
// from, over the last day: a price is by the sample.
type meter struct {
	label string // of the source; where it is missing, job is
	now   func() time.Time
	began time.Time

	mu       sync.Mutex
	bySource map[string]*hours
}

// maxMetered is how many sources are told apart; the others are counted as one.
const (
	maxMetered = 1000
	otherName  = "(others)"
)

// hours are counts of the hours of a day, and of the one that is under way.
type hours [25]struct {
	hour int64 // since the epoch
	n    uint64
}

func newMeter(label string, now func() time.Time) *meter {
	return &meter{label: label, now: now, began: now(), bySource: make(map[string]*hours)}
}

// add counts samples of a source.
func (m *meter) add(series []narthex.Series) {
	sums := make(map[string]uint64)
	source, n := "", uint64(0) // of a run of series
	for i := range series {
		name := series[i].Labels.Get(m.label)
		if name == "" {
			name = series[i].Labels.Get("job")
		}
		if name != source {
			sums[source] += n
			source, n = name, 0
		}
		n += uint64(len(series[i].Samples))
	}
	sums[source] += n
	hour := m.now().Unix() / 3600
	m.mu.Lock()
	defer m.mu.Unlock()
	for source, n := range sums {
		if n == 0 {
			continue
		}
		h := m.bySource[source]
		if h == nil && len(m.bySource) >= maxMetered {
			source = otherName
			h = m.bySource[source]
		}
		if h == nil {
			h = new(hours)
			m.bySource[strings.Clone(source)] = h // it may share the memory of a whole body
		}
		if slot := &h[hour%int64(len(h))]; slot.hour == hour {
			slot.n += n
		} else {
			slot.hour, slot.n = hour, n
		}
	}
}

// sourceSamples is what one source came to.
type sourceSamples struct {
	Source  string
	Samples uint64
}

// read returns the sources with the most samples first, and how long they took:
// a day, or the time since the start. Sources without any are forgotten.
func (m *meter) read() ([]sourceSamples, time.Duration) {
	now := m.now()
	hour := now.Unix() / 3600
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []sourceSamples
	for source, h := range m.bySource {
		s := sourceSamples{Source: source}
		for _, slot := range h {
			if hour-slot.hour < int64(len(h)) {
				s.Samples += slot.n
			}
		}
		if s.Samples > 0 {
			out = append(out, s)
		}
	}
	maps.DeleteFunc(m.bySource, func(source string, _ *hours) bool {
		return !slices.ContainsFunc(out, func(s sourceSamples) bool { return s.Source == source })
	})
	slices.SortFunc(out, func(a, b sourceSamples) int {
		return cmp.Or(cmp.Compare(b.Samples, a.Samples), cmp.Compare(a.Source, b.Source))
	})
	window := now.Sub(time.Unix((hour-int64(len(hours{}))+1)*3600, 0))
	return out, min(window, now.Sub(m.began))
}

// before returns a sink that counts what next has taken. One that can be synced
// stays so.
func (m *meter) before(next narthex.Sink) narthex.Sink {
	metered := meteredSink{m, next}
	if s, ok := next.(interface{ Sync() error }); ok {
		return struct {
			meteredSink
			syncer
		}{metered, s}
	}
	return metered
}

type syncer interface{ Sync() error }

type meteredSink struct {
	meter *meter
	next  narthex.Sink
}

// Write implements [narthex.Sink].
func (s meteredSink) Write(ctx context.Context, b *narthex.Batch) error {
	series := b.Series // a sink may take some out
	if err := s.next.Write(ctx, b); err != nil {
		return err
	}
	s.meter.add(series)
	return nil
}

// metered counts what a destination takes; nil stays nil.
func (a *App) metered(name string, sink narthex.Sink) narthex.Sink {
	if sink == nil {
		return nil
	}
	m := newMeter(a.o.Config.Limits.SourceLabel, a.o.Now)
	a.meters = append(a.meters, namedMeter{name, m})
	return m.before(sink)
}

// meter returns the destination's meter, nil if there is none.
func (a *App) meter(name string) *meter {
	for _, m := range a.meters {
		if m.name == name {
			return m.meter
		}
	}
	return nil
}
