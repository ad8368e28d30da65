package tsdb

import (
	"cmp"
	"math"
	"slices"

	"narthex"
)

// origin says where something stands in a batch: the series, and in that the
// sample, or -1-i for the exemplar i, or allOfIt.
type origin struct{ series, at int32 }

const allOfIt = math.MaxInt32

func sampleAt(series, i int) origin { return origin{int32(series), int32(i)} }

func exemplarAt(series, i int) origin { return origin{int32(series), int32(-1 - i)} }

// drop notes that what stands there is not stored.
func (w *write) drop(o origin) {
	if w.exact {
		w.dropped = append(w.dropped, o)
	}
}

// prune removes from the batch what was dropped. A series of which nothing is left
// goes too.
func (w *write) prune(b *narthex.Batch) {
	if len(w.dropped) == 0 {
		return
	}
	slices.SortFunc(w.dropped, func(a, b origin) int { return cmp.Compare(a.series, b.series) })
	for rest := w.dropped; len(rest) > 0; {
		gone := make(map[int32]bool)
		s := &b.Series[rest[0].series]
		n := 0
		for ; n < len(rest) && rest[n].series == rest[0].series; n++ {
			gone[rest[n].at] = true
		}
		rest = rest[n:]
		if gone[allOfIt] {
			s.Samples, s.Exemplars = nil, nil
			continue
		}
		sample, exemplar := int32(-1), int32(0)
		s.Samples = slices.DeleteFunc(s.Samples, func(narthex.Sample) bool { sample++; return gone[sample] })
		s.Exemplars = slices.DeleteFunc(s.Exemplars, func(narthex.Exemplar) bool { exemplar--; return gone[exemplar] })
	}
	b.Series = slices.DeleteFunc(b.Series, func(s narthex.Series) bool { return len(s.Samples)+len(s.Exemplars) == 0 })
}
