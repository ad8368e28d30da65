package tsdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"narthex"
)

// Exemplars go with the newest sample of their series. Those of a series without
// one (Prometheus sends its exemplars by themselves), or whose newest sample was
// stored before, are appended afterwards, by the TSDB's older interface: the
// newer one takes none without a sample. The series must be in memory then.

// example is an exemplar of a series.
type example struct {
	exemplar.Exemplar
	from origin
}

func (s *series) addExemplars(in *narthex.Series, at int) {
	for i, e := range in.Exemplars {
		builder := labels.NewScratchBuilder(len(e.Labels))
		s.exemplars = append(s.exemplars, example{exemplar.Exemplar{
			Labels: convert(&builder, e.Labels), Value: e.Value, Ts: e.Time, HasTs: e.Time != 0,
		}, exemplarAt(at, i)})
	}
}

// tidyExemplars sorts the exemplars. Those without a time get that of the newest
// sample.
func (s *series) tidyExemplars() {
	if n := len(s.samples); n > 0 {
		for i := range s.exemplars {
			if !s.exemplars[i].HasTs {
				s.exemplars[i].Ts, s.exemplars[i].HasTs = s.samples[n-1].t, true
			}
		}
	}
	slices.SortStableFunc(s.exemplars, func(a, b example) int {
		return cmp.Or(cmp.Compare(a.Ts, b.Ts), cmp.Compare(a.Value, b.Value))
	})
}

// forTSDB returns the exemplars as an appender takes them.
func (s *series) forTSDB() []exemplar.Exemplar {
	out := make([]exemplar.Exemplar, len(s.exemplars))
	for i := range s.exemplars {
		out[i] = s.exemplars[i].Exemplar
	}
	return out
}

// partial rejects exemplars for which the TSDB gave so many errors; it does not
// say which.
func (w *write) partial(s *series, errs []error) {
	for i, err := range errs {
		w.rejectExemplar(s, s.exemplars[i].from, err)
	}
}

// appendExemplars appends the exemplars that went with no sample.
func (w *write) appendExemplars(ctx context.Context, all []series) error {
	var app storage.Appender
	for i := range all {
		s := &all[i]
		if s.noted || len(s.exemplars) == 0 {
			continue
		}
		if app == nil {
			app = w.db.inner.Appender(ctx)
		}
		for _, e := range s.exemplars {
			if !e.HasTs {
				w.rejectExemplar(s, e.from, errors.New("it has no time, and no sample stands beside it"))
			} else if _, err := app.AppendExemplar(s.ref, s.labels, e.Exemplar); err != nil {
				w.rejectExemplar(s, e.from, err)
			}
		}
	}
	if app == nil {
		return nil
	}
	return app.Commit()
}

// rejectExemplar drops an exemplar. Its series is stored all the same, so that
// is a warning, and only for the caller of WriteExact: a client that states the
// same exemplars at each push would hear of it for ever.
func (w *write) rejectExemplar(s *series, from origin, err error) {
	w.drop(from)
	w.db.opts.Logger.Debug("an exemplar was dropped", "series", s.from, "err", err)
	if w.lost++; w.lost > 1 || !w.exact {
		return
	}
	why := err.Error()
	switch {
	case errors.Is(err, storage.ErrOutOfOrderExemplar):
		why = "the series has a newer one, and the store takes them in order, or within storage.out_of_order_time_window"
	case errors.Is(err, storage.ErrExemplarLabelLength):
		why = "its labels have more than 128 characters together"
	}
	w.firstLost = s.from.String() + ": " + why
}

// warn tells of the exemplars that were dropped.
func (w *write) warn(b *narthex.Batch) {
	if w.lost > 0 {
		b.Warn(fmt.Sprintf("%d exemplars were not taken; the first: %s", w.lost, w.firstLost))
	}
}
