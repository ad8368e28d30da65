package accesslog

import (
	"math"
	"math/bits"
	"sort"

	"narthex"
)

// The native buckets that a scale covers: from 2^-34, below a nanosecond, to
// 2^40, above what fits a measure (10^18 ns; bytes beyond share the last one).
const (
	lowestOctave  = -34
	highestOctave = 61
)

// subBits is how finely a scale's first guess divides an octave.
const subBits = 4

// A scale finds the bucket of a value. Values are integers (nanoseconds or
// bytes); bounds are those of the layout, in seconds or bytes.
type scale struct {
	layout narthex.Layout
	native *narthex.Histogram // the shape of a native histogram, nil if classic
	base   int32              // the native index of bounds[0]
	unit   float64            // what an integer is divided by
	bounds []float64
	guess  [64 << subBits]uint16 // by the value's first bits: the lowest bucket it may fall into
}

// newScale returns the scale of a layout for values in 1/unit.
func newScale(l narthex.Layout, unit float64) *scale {
	s := &scale{layout: l, unit: unit, bounds: l.Bounds}
	if l.Bounds == nil {
		s.native = l.Histogram(nil)
		s.base = narthex.BucketIndex(math.Ldexp(1, lowestOctave), s.native.Schema)
		s.bounds = nativeBounds(s.native.Schema)
	}
	for i := range s.guess {
		s.guess[i] = uint16(sort.SearchFloat64s(s.bounds, float64(lowestOf(i))/unit))
	}
	return s
}

// nativeBounds returns the upper bounds of native buckets, as
// [narthex.BucketIndex] rounds them.
func nativeBounds(schema int32) []float64 {
	n := 1 << schema
	bounds := make([]float64, 0, (highestOctave-lowestOctave)*n+1)
	bounds = append(bounds, math.Ldexp(1, lowestOctave))
	for octave := lowestOctave; octave < highestOctave; octave++ {
		for i := 1; i <= n; i++ {
			bounds = append(bounds, math.Ldexp(math.Exp2(float64(i)/float64(n)-1), octave+1))
		}
	}
	return bounds
}

// guessOf returns the leading bits of v: its octave and the subBits after the
// first one.
func guessOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	octave := bits.Len64(v) - subBits // at least 1
	return octave<<subBits | int(v>>(octave-1))&(1<<subBits-1)
}

// lowestOf returns the smallest value that has the guess i.
func lowestOf(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	octave := i >> subBits
	return (1<<subBits | uint64(i&(1<<subBits-1))) << (octave - 1)
}

// bucket returns the index of v's bucket among the bounds; len(bounds) is the
// one above all. v is above zero, or the scale is classic.
func (s *scale) bucket(v int64) int {
	i, f := int(s.guess[guessOf(uint64(v))]), float64(v)/s.unit
	for i < len(s.bounds) && f > s.bounds[i] {
		i++
	}
	return i
}

// A tally counts observations. It keeps the buckets from the lowest used to
// the highest used, so that a narrow distribution costs little.
type tally struct {
	count, zero int64
	low         int32 // the index of counts[0]
	counts      []int64
}

// observe counts v.
func (t *tally) observe(s *scale, v int64) {
	t.count++
	if s.native != nil && v == 0 {
		t.zero++
		return
	}
	t.add(s.bucket(v), 1, len(s.bounds)+1)
}

// add adds n to bucket i of size.
func (t *tally) add(i int, n int64, size int) {
	if at := i - int(t.low); at >= 0 && at < len(t.counts) {
		t.counts[at] += n
		return
	}
	t.grow(i, size)
	t.counts[i-int(t.low)] += n
}

// grow makes room for bucket i, and for a few more beside it.
func (t *tally) grow(i, size int) {
	low, high := i, i
	if len(t.counts) > 0 {
		low, high = min(i, int(t.low)), max(i, int(t.low)+len(t.counts)-1)
	}
	low, high = max(0, low-4), min(size-1, high+4)
	counts := make([]int64, high-low+1)
	copy(counts[max(0, int(t.low)-low):], t.counts)
	t.low, t.counts = int32(low), counts
}

// merge adds what o counted.
func (t *tally) merge(o *tally, size int) {
	t.count, t.zero = t.count+o.count, t.zero+o.zero
	for i, n := range o.counts {
		if n != 0 {
			t.add(int(o.low)+i, n, size)
		}
	}
}

// histogram returns the distribution, each count times factor. sum is that of
// the values in the layout's unit, factor included.
func (t *tally) histogram(s *scale, sum, factor float64) *narthex.Histogram {
	if s.native != nil {
		h := s.native.Clone()
		h.Count, h.Sum, h.ZeroCount = float64(t.count)*factor, sum, float64(t.zero)*factor
		counts := make(map[int32]float64, len(t.counts))
		for i, n := range t.counts {
			counts[s.base+t.low+int32(i)] += float64(n) * factor
		}
		h.Positive = narthex.NewBuckets(counts)
		return h
	}
	h := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: s.bounds, Count: float64(t.count) * factor, Sum: sum}
	h.Positive.Counts = make([]float64, len(s.bounds)+1)
	for i, n := range t.counts {
		h.Positive.Counts[int(t.low)+i] = float64(n) * factor
	}
	return h
}
