package remotewrite

import (
	"github.com/klauspost/compress/s2"

	"narthex"
)

// Encode returns the body of a request, compressed, with the series as they are:
// in their order, with whatever they have, also what no receiver should take. It
// is for those who want to know what a receiver makes of something; who wants to
// write uses [Client].
func Encode(v Version, series []narthex.Series) []byte {
	var e encoder
	e.reset(v)
	for i := range series {
		s := &series[i]
		e.add(&part{series: s, samples: s.Samples, exemplars: s.Exemplars})
	}
	return s2.EncodeSnappy(nil, e.message())
}
