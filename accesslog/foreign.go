package accesslog

import (
	"slices"

	"narthex"
)

// foreign is what lines brought that are metrics already (EMF).
type foreign struct {
	series []narthex.Series
	index  map[string]int // by the labels' key
	points int
	key    []byte
}

// maxPoints bounds the samples that can't be added up, as a multiple of the
// series.
const maxPoints = 10

// take adds series, increments to those of the same labels. If there is no room for
// all of them, or one is of another kind than before, it takes none.
func (f *foreign) take(in []narthex.Series, limit int) reason {
	if f.points+len(in) > limit*maxPoints {
		return tooMany
	}
	if f.index == nil {
		f.index = map[string]int{}
	}
	fresh := 0
	for i := range in {
		f.key = in[i].Labels.AppendKey(f.key[:0])
		at, ok := f.index[string(f.key)]
		if !ok {
			fresh++
		} else if !alike(&f.series[at], &in[i]) {
			return otherKind
		}
	}
	if len(f.series)+fresh > limit {
		return tooMany
	}
	for i := range in {
		f.key = in[i].Labels.AppendKey(f.key[:0])
		at, ok := f.index[string(f.key)]
		if !ok {
			f.index[string(f.key)] = len(f.series)
			s := in[i]
			s.Samples = slices.Clone(s.Samples)
			f.series = append(f.series, s)
			f.points += len(s.Samples)
			continue
		}
		for _, p := range in[i].Samples {
			f.sample(&f.series[at], p)
		}
	}
	return fine
}

// alike reports whether both are numbers, or both histograms, that count alike.
func alike(a, b *narthex.Series) bool {
	return a.As == b.As && len(a.Samples) > 0 && len(b.Samples) > 0 && (a.Samples[0].Histogram == nil) == (b.Samples[0].Histogram == nil)
}

// sample adds a sample to a series of its kind: to its increment, if both are
// increments of a number at the same time, or beside the others.
func (f *foreign) sample(s *narthex.Series, p narthex.Sample) {
	if s.As == narthex.AsDelta && p.Histogram == nil {
		for i := range s.Samples {
			if s.Samples[i].Time == p.Time && s.Samples[i].Histogram == nil {
				s.Samples[i].Value += p.Value
				return
			}
		}
	}
	s.Samples = append(s.Samples, p)
	f.points++
}

// add takes what another reading brought, as much as there is room for.
func (f *foreign) add(o *foreign, limit int) {
	for i := range o.series {
		f.take(o.series[i:i+1], limit)
	}
}
