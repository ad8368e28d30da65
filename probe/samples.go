package probe

import (
	"context"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"narthex"
	"narthex/openmetrics"
)

// write writes what was found, and what of series ended, in one batch, and the
// increments in another. where is nil but for a round.
func (s *Schedule) write(ctx context.Context, batch []done, where *place) error {
	found := make(map[string][]narthex.Series, len(batch))
	at := make(map[string]time.Time, len(batch))
	all := make([][]narthex.Series, 0, len(batch))
	for _, d := range batch {
		if d.seen == nil {
			continue
		}
		series := stamped(d.seen.Families, s.labels(d.target), d.seen.Start)
		found[d.target.key()], at[d.target.key()] = series, d.seen.Start
		all = append(all, series)
	}
	samples := &narthex.Batch{Identity: "probe", Received: s.o.Now(), Series: slices.Concat(all...)}
	if where != nil {
		samples.Series = append(samples.Series, where.series(narthex.Labels{}.With("job", s.o.Job).With("region", s.o.Region))...)
	}
	ended, err := s.series.change(ctx, s.current, found, at, s.o.Now())
	if err != nil { // the markers wait; the samples do not
		s.o.Logger.Warn("which series of probes there are could not be saved; those that end now may lack their stale markers", "err", err)
	}
	samples.Series = append(samples.Series, ended...)
	return errors.Join(s.count(ctx, batch, where), s.keep(ctx, samples, len(found)))
}

// keep hands samples to their sink.
func (s *Schedule) keep(ctx context.Context, b *narthex.Batch, probes int) error {
	if len(b.Series) == 0 {
		return nil
	}
	if err := s.o.Samples.Write(ctx, b); err != nil {
		s.lost.Add(uint64(probes))
		return err
	}
	s.rounds.Add(1)
	for _, r := range b.Rejected[:min(len(b.Rejected), 3)] {
		s.o.Logger.Warn("a series of a probe was rejected", "series", r.Series, "reason", r.Reason, "rejected", len(b.Rejected))
	}
	return s.series.settle(ctx)
}

// labels returns what all series of a target have.
func (s *Schedule) labels(t *Target) narthex.Labels {
	ls := t.Labels
	for _, l := range []narthex.Label{
		{Name: "job", Value: s.o.Job}, {Name: "instance", Value: t.Target}, {Name: "module", Value: t.Module},
		{Name: "name", Value: t.Name}, {Name: "region", Value: s.o.Region},
	} {
		if l.Value != "" {
			ls = ls.With(l.Name, l.Value)
		}
	}
	return ls
}

// stamped returns the series of metrics with the labels and the time. A label that
// a metric has itself becomes exported_….
func stamped(families []openmetrics.Family, labels narthex.Labels, at time.Time) []narthex.Series {
	series := openmetrics.Series(families)
	n := 0
	for i := range series {
		n += len(series[i].Labels) + len(labels)
	}
	room := make(narthex.Labels, 0, n) // of all of them
	for i := range series {
		from := len(room)
		room = appendJoined(room, series[i].Labels, labels)
		series[i].Labels = room[from:len(room):len(room)]
		for j := range series[i].Samples {
			series[i].Samples[j].Time = at.UnixMilli()
		}
	}
	return series
}

// appendJoined appends a metric's own labels and those of its target.
func appendJoined(to, own, labels narthex.Labels) narthex.Labels {
	from, rest := len(to), labels
	for _, l := range own {
		if labels.Get(l.Name) != "" {
			return append(to[:from], exported(own, labels)...)
		}
		for len(rest) > 0 && rest[0].Name < l.Name {
			to, rest = append(to, rest[0]), rest[1:]
		}
		to = append(to, l)
	}
	return append(to, rest...)
}

// exported returns the labels of both where they have a name in common.
func exported(own, labels narthex.Labels) narthex.Labels {
	ls := labels
	for _, l := range own {
		name := l.Name
		if labels.Get(name) != "" {
			name = "exported_" + name
		}
		ls = ls.With(name, l.Value)
	}
	return ls
}

// durations are the buckets of probe_all_duration_seconds.
const durations = "0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30"

// count writes the increments. They have the same ID when the round is made again,
// and for the same slots.
func (s *Schedule) count(ctx context.Context, batch []done, where *place) error {
	if s.o.Counts == nil || len(batch) == 0 {
		return nil
	}
	layout, err := narthex.ParseLayout(durations)
	if err != nil {
		return err
	}
	out := &narthex.Batch{Identity: "probe", ID: s.roundID(batch, where), Received: s.o.Now()}
	for _, d := range batch {
		labels := s.labels(d.target)
		add := func(name, help string, v float64) {
			out.Series = append(out.Series, narthex.Series{
				Labels: labels.With(narthex.MetricName, name), Type: narthex.TypeCounter, As: narthex.AsDelta, Help: help, Samples: []narthex.Sample{{Value: v}},
			})
		}
		add("probe_scheduled_total", "Probes that were due, made or not", float64(d.due))
		if d.seen == nil {
			continue
		}
		add("probe_all_success_count", "Probes that were made", 1)
		add("probe_all_success_sum", "Probes that succeeded", oneIf(d.seen.Success))
		out.Series = append(out.Series, narthex.Series{
			Labels: labels.With(narthex.MetricName, "probe_all_duration_seconds"), Type: narthex.TypeHistogram, As: narthex.AsDelta, Unit: "seconds",
			Help: "How long probes took", Samples: []narthex.Sample{{Histogram: layout.Histogram([]float64{d.seen.Duration.Seconds()})}},
		})
	}
	return s.o.Counts.Write(ctx, out)
}

// roundID names a batch of increments: a round by the time that it was asked for,
// others by the targets' slots.
func (s *Schedule) roundID(batch []done, where *place) string {
	if where != nil {
		return "probe/" + s.o.Region + "/" + strconv.FormatInt(where.at.UnixMilli(), 10)
	}
	parts := make([]string, len(batch))
	for i, d := range batch {
		parts[i] = d.target.key() + "\x00" + strconv.FormatInt(d.slot.UnixMilli(), 10)
	}
	slices.Sort(parts)
	h := fnv.New128a()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	return "probe/" + s.o.Region + "/" + hex.EncodeToString(h.Sum(nil))
}
