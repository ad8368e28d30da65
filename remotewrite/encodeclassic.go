package remotewrite

import (
	"math"

	"narthex"
)

// hasClassic reports whether a sample of s is a histogram with bounds of its own.
func hasClassic(s *narthex.Series) bool {
	for i := range s.Samples {
		if isClassic(s.Samples[i].Histogram) {
			return true
		}
	}
	return false
}

func isClassic(h *narthex.Histogram) bool { return h != nil && h.Schema == narthex.CustomBounds }

// expand calls add with the series that a classic histogram is on the wire:
// _bucket with le, _count and _sum (of a gauge histogram _gcount and _gsum). The
// samples of s that are no such histogram remain one series under its own name.
//
// Each distinct list of bounds has its own buckets, in the order of the samples,
// so a histogram whose bounds changed is what a scrape would have made of it.
func expand(s *narthex.Series, add func(*narthex.Series)) {
	name := s.Labels.Get(narthex.MetricName)
	x := expansion{from: s, bucket: s.Labels.With(narthex.MetricName, name+"_bucket"), at: make(map[string]*narthex.Series)}
	count, sum := "_count", "_sum"
	if s.Type == narthex.TypeGaugeHistogram {
		count, sum = "_gcount", "_gsum"
	}
	var rest []narthex.Sample
	for _, sample := range s.Samples {
		h := sample.Histogram
		if !isClassic(h) {
			rest = append(rest, sample)
			continue
		}
		total := 0.0
		for i, le := range h.Bounds {
			if i < len(h.Positive.Counts) {
				total = min(total+h.Positive.Counts[i], h.Count)
			}
			x.put(narthex.FormatBound(le), x.bucket, sample, total)
		}
		x.put("+Inf", x.bucket, sample, h.Count)
		x.put(count, nil, sample, h.Count)
		x.put(sum, nil, sample, h.Sum)
	}
	x.place()
	if len(rest) > 0 {
		own := *s
		own.Samples = rest
		add(&own)
	}
	for _, out := range x.series {
		add(out)
	}
}

// expansion gathers the series of a classic histogram.
type expansion struct {
	from   *narthex.Series
	bucket narthex.Labels
	series []*narthex.Series
	at     map[string]*narthex.Series // by le, or by the name's suffix
}

// put adds a value to the bucket with that le, or, without labels, to the series
// whose name ends so. A marker of the end in the sum ends them all.
func (x *expansion) put(key string, labels narthex.Labels, from narthex.Sample, v float64) {
	s := x.at[key]
	if s == nil {
		s = &narthex.Series{Type: x.from.Type, Family: family(x.from), Unit: x.from.Unit, Help: x.from.Help}
		if labels != nil {
			s.Labels = labels.With("le", key)
		} else {
			s.Labels = x.from.Labels.With(narthex.MetricName, x.from.Labels.Get(narthex.MetricName)+key)
		}
		x.at[key] = s
		x.series = append(x.series, s)
	}
	if narthex.IsStaleMarker(from.Histogram.Sum) {
		v = from.Histogram.Sum
	}
	s.Samples = append(s.Samples, narthex.Sample{Time: from.Time, Start: from.Start, Value: v})
}

// place gives each exemplar to the smallest bucket of the newest histogram that
// holds it.
func (x *expansion) place() {
	last := x.from.Samples[len(x.from.Samples)-1].Histogram
	if !isClassic(last) {
		return
	}
	for _, e := range x.from.Exemplars {
		le := math.Inf(1)
		for _, b := range last.Bounds {
			if e.Value <= b {
				le = b
				break
			}
		}
		if s := x.at[narthex.FormatBound(le)]; s != nil {
			s.Exemplars = append(s.Exemplars, e)
		}
	}
}
