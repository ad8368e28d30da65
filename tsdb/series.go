package tsdb

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"

	"narthex"
)

// series is what a batch says of one series: its samples by time, each time
// once.
type series struct {
	from      narthex.Labels
	labels    labels.Labels
	samples   []sample
	exemplars []exemplar.Exemplar
}

type sample struct {
	t, start int64 // milliseconds since the epoch; start 0 is unknown
	v        value
}

// at returns the sample's time for a message.
func (s sample) at() string { return stamp(s.t) }

func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// gather merges the batch's entries of the same labels, and converts and sorts
// them. What can't be stored is rejected on the way.
func (w *write) gather(in []narthex.Series) []*series {
	out := make([]*series, 0, len(in))
	seen := make(map[string]*series, len(in))
	builder := labels.NewScratchBuilder(0)
	var key []byte
	for i := range in {
		key = in[i].Labels.AppendKey(key[:0])
		s := seen[string(key)]
		if s == nil {
			s = &series{from: in[i].Labels, labels: convert(&builder, in[i].Labels)}
			if err := check(s.labels); err != nil {
				w.reject(s, err.Error())
				continue
			}
			seen[string(key)] = s
			out = append(out, s)
		}
		w.add(s, &in[i])
	}
	for _, s := range out {
		w.tidy(s)
	}
	return out
}

func convert(b *labels.ScratchBuilder, in narthex.Labels) labels.Labels {
	b.Reset()
	for _, l := range in {
		b.Add(l.Name, l.Value)
	}
	b.Sort()
	return b.Labels()
}

func check(ls labels.Labels) error {
	if ls.Get(narthex.MetricName) == "" {
		return errors.New("it has no metric name: set the label __name__")
	}
	if name, dup := ls.HasDuplicateLabelNames(); dup {
		return fmt.Errorf("label %q is given twice", name)
	}
	if !ls.IsValid(model.UTF8Validation) {
		return errors.New("a label's name or value is not UTF-8, or a name is empty")
	}
	return nil
}

// add appends what in has to s, except samples whose time no store could keep
// and histograms that contradict themselves.
func (w *write) add(s *series, in *narthex.Series) {
	for _, from := range in.Samples {
		if reason := w.timeError(from.Time); reason != "" {
			w.reject(s, reason)
			continue
		}
		v, err := valueOf(from, in.Type)
		if err != nil {
			w.reject(s, fmt.Sprintf("the histogram at %s is not valid: %v", stamp(from.Time), err))
			continue
		}
		s.samples = append(s.samples, sample{t: from.Time, start: from.Start, v: v})
	}
	for _, e := range in.Exemplars {
		builder := labels.NewScratchBuilder(len(e.Labels))
		s.exemplars = append(s.exemplars, exemplar.Exemplar{
			Labels: convert(&builder, e.Labels), Value: e.Value, Ts: e.Time, HasTs: e.Time != 0,
		})
	}
}

// tidy sorts the samples and leaves one for each time: the first by the batch's
// order. Exemplars without a time get that of the newest sample.
func (w *write) tidy(s *series) {
	slices.SortStableFunc(s.samples, func(a, b sample) int { return cmp.Compare(a.t, b.t) })
	kept := s.samples[:0]
	for _, x := range s.samples {
		if n := len(kept); n > 0 && kept[n-1].t == x.t {
			if !kept[n-1].v.same(x.v) {
				w.conflict(s, fmt.Sprintf("another value for this series and time is in the same push: at %s it says %s and then %s; the first was taken",
					x.at(), kept[n-1].v, x.v))
			}
			continue
		}
		kept = append(kept, x)
	}
	s.samples = kept
	if n := len(kept); n > 0 {
		for i := range s.exemplars {
			if !s.exemplars[i].HasTs {
				s.exemplars[i].Ts, s.exemplars[i].HasTs = kept[n-1].t, true
			}
		}
	}
	slices.SortStableFunc(s.exemplars, func(a, b exemplar.Exemplar) int { return cmp.Compare(a.Ts, b.Ts) })
}
