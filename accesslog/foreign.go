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

// take adds series, increments to those of the same labels. It returns false
// if there is no room for all of them, and takes none then.
func (f *foreign) take(in []narthex.Series, limit int) bool {
	if f.points+len(in) > limit*maxPoints {
		return false
	}
	if f.index == nil {
		f.index = map[string]int{}
	}
	fresh := 0
	for i := range in {
		f.key = in[i].Labels.AppendKey(f.key[:0])
		if _, ok := f.index[string(f.key)]; !ok {
			fresh++
		}
	}
	if len(f.series)+fresh > limit {
		return false
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
			f.sample(&f.series[at], p, in[i].As)
		}
	}
	return true
}

// sample adds a sample to a series: to its increment, if both are increments of
// a number at the same time, or beside the others.
func (f *foreign) sample(s *narthex.Series, p narthex.Sample, as narthex.As) {
	if as == narthex.AsDelta && s.As == as && p.Histogram == nil {
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
