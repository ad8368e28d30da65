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

// prune removes from the batch what was dropped, from the end of each series on,
// so that the places before stay right. A series of which nothing is left goes
// too.
func (w *write) prune(b *narthex.Batch) {
	if len(w.dropped) == 0 {
		return
	}
	slices.SortFunc(w.dropped, func(a, b origin) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(max(b.at, -1-b.at), max(a.at, -1-a.at)))
	})
	for _, o := range w.dropped {
		switch s := &b.Series[o.series]; {
		case o.at == allOfIt:
			s.Samples, s.Exemplars = nil, nil
		case o.at >= 0:
			s.Samples = slices.Delete(s.Samples, int(o.at), int(o.at)+1)
		default:
			s.Exemplars = slices.Delete(s.Exemplars, -1-int(o.at), -int(o.at))
		}
	}
	b.Series = slices.DeleteFunc(b.Series, func(s narthex.Series) bool { return len(s.Samples)+len(s.Exemplars) == 0 })
}
