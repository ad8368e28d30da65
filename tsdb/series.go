package tsdb

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"narthex"
)

// series is what a batch says of one series: its samples by time, each time
// once.
type series struct {
	*known
	from      narthex.Labels
	samples   []sample
	exemplars []example
	noted     bool // the exemplars went with a sample
	name      string
}

// label returns the labels as rejections name them. All that are of the series
// share it: there may be many, and the labels may be long.
func (s *series) label() string {
	if s.name == "" {
		s.name = s.from.String()
	}
	return s.name
}

type sample struct {
	t, start int64 // milliseconds since the epoch; start 0 is unknown
	v        value
	from     origin
}

// at returns the sample's time for a message.
func (s sample) at() string { return stamp(s.t) }

func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// scratch is the memory of a write, which the next one uses again.
type scratch struct {
	series  []series
	samples []sample
	key     []byte
	builder labels.ScratchBuilder
}

// maxScratch is how many series or samples of room are kept.
const maxScratch = 20_000

// begin returns empty memory for n series with so many samples together.
func (s *scratch) begin(n, samples int) {
	s.series = slices.Grow(s.series[:0], n)
	s.samples = slices.Grow(s.samples[:0], samples)
}

// end lets go of what the memory refers to.
func (s *scratch) end() {
	clear(s.series[:cap(s.series)])
	clear(s.samples[:cap(s.samples)])
	if cap(s.series) > maxScratch {
		s.series = nil
	}
	if cap(s.samples) > maxScratch {
		s.samples = nil
	}
}

// gather merges the batch's entries of the same labels, and converts and sorts
// them. What can't be stored is rejected on the way.
func (w *write) gather(in []narthex.Series) []series {
	db, m := w.db, &w.db.scratch
	n := 0
	for i := range in {
		n += len(in[i].Samples)
	}
	m.begin(len(in), n)
	db.known.turnOver(w.now)
	db.turn++
	var last *known
	for i := range in {
		m.key = in[i].Labels.AppendKey(m.key[:0])
		k := db.known.get(m.key, last)
		if k == nil {
			var err error
			if k, err = db.known.learn(&m.builder, m.key, in[i].Labels); err != nil {
				w.drop(sampleAt(i, allOfIt))
				w.say(in[i].Labels.String(), err.Error())
				continue
			}
		}
		last.follow(k)
		last = k
		if k.turn != db.turn {
			k.turn, k.at = db.turn, int32(len(m.series))
			from := len(m.samples)
			m.samples = m.samples[:from+len(in[i].Samples)]
			m.series = append(m.series, series{known: k, from: in[i].Labels, samples: m.samples[from:from:len(m.samples)]})
		}
		w.add(&m.series[k.at], &in[i], i)
	}
	last.follow(nil)
	for i := range m.series {
		w.tidy(&m.series[i])
	}
	return m.series
}

// add appends what in has to s, except samples whose time no store could keep
// and histograms that contradict themselves.
func (w *write) add(s *series, in *narthex.Series, at int) {
	for i := range in.Samples {
		from := &in.Samples[i]
		if reason := w.timeError(from.Time); reason != "" {
			w.reject(s, sampleAt(at, i), reason)
			continue
		}
		v, err := valueOf(from, in.Type)
		if err != nil {
			w.reject(s, sampleAt(at, i), fmt.Sprintf("the histogram at %s is not valid: %v", stamp(from.Time), err))
			continue
		}
		s.samples = append(s.samples, sample{t: from.Time, start: from.Start, v: v, from: sampleAt(at, i)})
	}
	if len(in.Exemplars) > 0 {
		s.addExemplars(in, at)
	}
}

// tidy sorts the samples and leaves one for each time: the first by the batch's
// order. Exemplars without a time get that of the newest sample.
func (w *write) tidy(s *series) {
	if len(s.samples) > 1 {
		slices.SortStableFunc(s.samples, func(a, b sample) int { return cmp.Compare(a.t, b.t) })
		kept := s.samples[:0]
		for _, x := range s.samples {
			if n := len(kept); n > 0 && kept[n-1].t == x.t {
				if !kept[n-1].v.same(x.v) {
					w.conflict(s, x, fmt.Sprintf("another value for this series and time is in the same push: at %s it says %s and then %s; the first was taken",
						x.at(), kept[n-1].v, x.v))
				}
				continue
			}
			kept = append(kept, x)
		}
		s.samples = kept
	}
	if len(s.exemplars) > 0 {
		s.tidyExemplars()
	}
}
