package scrape

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/openmetrics"
	"narthex/pipeline"
)

// result is what one scrape came to.
type result struct {
	series            []narthex.Series
	scraped, kept     int // samples before and after relabelling
	added, duplicates int // series
	current           map[string]narthex.Labels
}

// collect makes the target's series of families, stamped with the time at (ms)
// where the target gives none.
func (t *target) collect(families []openmetrics.Family, at int64) (result, error) {
	if !t.job.NativeHistograms {
		for i := range families {
			for j := range families[i].Metrics {
				if m := &families[i].Metrics[j]; m.Classic != nil {
					m.Histogram = m.Classic
				}
			}
		}
	}
	flat := openmetrics.Series(families)
	r := result{scraped: len(flat), current: make(map[string]narthex.Labels, len(flat)), series: make([]narthex.Series, 0, len(flat)+5)}
	var key []byte
	for i := range flat {
		s := &flat[i]
		ls, keep := pipeline.Process(t.identify(s.Labels), t.job.MetricRelabel)
		if !keep || len(ls) == 0 {
			continue
		}
		if err := t.check(ls); err != nil {
			return r, err
		}
		if r.kept++; t.job.SampleLimit > 0 && r.kept > t.job.SampleLimit {
			r.kept += len(flat) - i - 1
			return r, errSamples
		}
		s.Labels = ls
		own := t.stamp(s, at)
		key = ls.AppendKey(key[:0])
		if _, twice := r.current[string(key)]; twice && !own {
			r.duplicates++
			continue
		}
		if _, known := t.previous[string(key)]; !known {
			r.added++
		}
		if !own {
			r.current[string(key)] = ls
		}
		r.series = append(r.series, *s)
	}
	return r, nil
}

// stamp gives the series' sample its time and says whether that is the target's
// own.
func (t *target) stamp(s *narthex.Series, at int64) (own bool) {
	x := &s.Samples[0]
	if own = x.Time != 0 && !t.job.OwnTimes; !own {
		x.Time = at
	}
	for i := range s.Exemplars {
		if s.Exemplars[i].Time == 0 {
			s.Exemplars[i].Time = x.Time
		}
	}
	return own
}

// identify adds the target's labels to those of a series.
func (t *target) identify(ls narthex.Labels) narthex.Labels {
	if t.job.HonorLabels {
		return pipeline.Under(ls, t.labels)
	}
	var conflicts []narthex.Label
	for _, l := range t.labels {
		if value := ls.Get(l.Name); value != "" {
			conflicts = append(conflicts, narthex.Label{Name: l.Name, Value: value})
		}
	}
	out := pipeline.Under(t.labels, ls)
	// The shortest first, so that exported_job of the target's own does not take the
	// place of its job's.
	slices.SortStableFunc(conflicts, func(a, b narthex.Label) int { return len(a.Name) - len(b.Name) })
	for _, l := range conflicts {
		name := "exported_" + l.Name
		for out.Get(name) != "" {
			name = "exported_" + name
		}
		out = out.With(name, l.Value)
	}
	return out
}

// check holds a series against the limits.
func (t *target) check(ls narthex.Labels) error {
	j := t.job
	name := ls.Get(narthex.MetricName)
	switch {
	case name == "":
		return errors.New("relabelling leaves a series without a name")
	case j.LabelLimit > 0 && len(ls) > j.LabelLimit:
		return fmt.Errorf("a series of %.50s has %d labels, more than label_limit allows", name, len(ls))
	}
	for _, l := range ls {
		switch {
		case j.LabelNameLimit > 0 && len(l.Name) > j.LabelNameLimit:
			return fmt.Errorf("the label %.50s of %.50s has a name longer than label_name_length_limit", l.Name, name)
		case j.LabelLength > 0 && len(l.Value) > j.LabelLength:
			return fmt.Errorf("the label %.50s of %.50s has a value longer than label_value_length_limit", l.Name, name)
		case l.Name != narthex.MetricName && strings.HasPrefix(l.Name, "__"):
			return fmt.Errorf("the label %.50s of %.50s is left over from relabelling: names that begin with __ are reserved", l.Name, name)
		}
	}
	return nil
}

// gone returns stale markers for what the last scrape had and this one has not.
func (t *target) gone(current map[string]narthex.Labels, at int64) (out []narthex.Series) {
	for key, ls := range t.previous {
		if _, still := current[key]; !still {
			out = append(out, narthex.Series{Labels: ls, Samples: []narthex.Sample{{Time: at, Value: narthex.StaleMarker()}}})
		}
	}
	return out
}

// report returns the series that tell of the scrape itself.
func (t *target) report(r *result, up bool, took time.Duration, at int64) []narthex.Series {
	value := 0.0
	if up {
		value = 1
	}
	var out []narthex.Series
	for _, x := range []struct {
		name, help, unit string
		value            float64
	}{
		{"scrape_duration_seconds", "Duration of the last scrape in seconds.", "seconds", took.Seconds()},
		{"scrape_samples_post_metric_relabeling", "Number of samples remaining after metric relabeling was applied.", "", float64(r.kept)},
		{"scrape_samples_scraped", "Number of samples the target exposed.", "", float64(r.scraped)},
		{"scrape_series_added", "The approximate number of new series in this scrape.", "", float64(r.added)},
		{"up", "Whether the last scrape succeeded: 1 or 0.", "", value},
	} {
		out = append(out, narthex.Series{
			Labels: t.labels.With(narthex.MetricName, x.name), Type: narthex.TypeGauge, Unit: x.unit, Help: x.help,
			Samples: []narthex.Sample{{Time: at, Value: x.value}},
		})
	}
	return out
}
