package narthex

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Layout says which buckets a histogram of observations has: classic ones with
// the given upper bounds, or, if there are none, native ones.
type Layout struct{ Bounds []float64 }

// The layouts that need no configuration.
const (
	// ArticleLayout has about a hundred buckets for the latency of an API.
	ArticleLayout = "1ms..20ms/1ms, 20ms..100ms/5ms, 100ms..1s/20ms, 1s..10s/1s"
	// DefaultLayout is what Prometheus's client libraries use.
	DefaultLayout = "0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10"
	// NativeLayout makes native histograms.
	NativeLayout = "native"
)

// maxBounds bounds a layout. AMP takes 200 buckets of a native histogram; a
// classic one pays a series for each.
const maxBounds = 500

// ParseLayout reads a layout: "native", or a list of bounds and of ranges
// first..last/step, increasing. Bounds are numbers, or durations such as 20ms,
// which stand for seconds. A range that begins where the one before ended does
// not repeat the bound.
func ParseLayout(text string) (Layout, error) {
	if strings.TrimSpace(text) == NativeLayout {
		return Layout{}, nil
	}
	var l Layout
	for part := range strings.SplitSeq(text, ",") {
		if err := l.add(strings.TrimSpace(part)); err != nil {
			return Layout{}, err
		}
		if len(l.Bounds) > maxBounds {
			return Layout{}, fmt.Errorf("more than %d buckets", maxBounds)
		}
	}
	return l, nil
}

func (l *Layout) add(part string) error {
	ends, step, isRange := strings.Cut(part, "/")
	if !isRange {
		b, err := bound(part)
		if err != nil {
			return err
		}
		return l.addBound(b.value())
	}
	from, to, ok := strings.Cut(ends, "..")
	first, err1 := bound(from)
	last, err2 := bound(to)
	by, err3 := bound(step)
	switch {
	case !ok || err1 != nil || err2 != nil || err3 != nil:
		return fmt.Errorf("range %q: want first..last/step, such as 1ms..20ms/1ms", part)
	case first.unit != last.unit || first.unit != by.unit:
		return fmt.Errorf("range %q mixes numbers and durations", part)
	case by.n <= 0 || last.n <= first.n:
		return fmt.Errorf("range %q does not rise", part)
	}
	steps := math.Round((last.n - first.n) / by.n)
	if steps > maxBounds {
		return fmt.Errorf("range %q has more than %d buckets", part, maxBounds)
	}
	if math.Abs(first.n+steps*by.n-last.n) > 1e-9*last.n {
		return fmt.Errorf("range %q: its step does not meet its end", part)
	}
	for i := range int(steps) + 1 {
		b := quantity{first.n + float64(i)*by.n, first.unit}.value()
		if i == 0 && len(l.Bounds) > 0 && b == l.Bounds[len(l.Bounds)-1] {
			continue
		}
		if err := l.addBound(b); err != nil {
			return err
		}
	}
	return nil
}

func (l *Layout) addBound(b float64) error {
	if n := len(l.Bounds); n > 0 && b <= l.Bounds[n-1] {
		return fmt.Errorf("bound %v does not rise above %v", b, l.Bounds[n-1])
	}
	l.Bounds = append(l.Bounds, b)
	return nil
}

// quantity is a number, or a count of nanoseconds, so that 3ms is the float
// nearest to 0.003 and no sum of milliseconds.
type quantity struct {
	n    float64
	unit float64 // what to divide by
}

func (q quantity) value() float64 { return q.n / q.unit }

func bound(s string) (quantity, error) {
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseFloat(s, 64); err == nil && v-v == 0 {
		return quantity{v, 1}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return quantity{float64(d), float64(time.Second)}, nil
	}
	return quantity{}, fmt.Errorf("bound %q is neither a number nor a duration", s)
}

// Histogram returns the distribution of values, which are finite.
func (l Layout) Histogram(values []float64) *Histogram {
	h := &Histogram{Schema: nativeSchema, ZeroThreshold: nativeZero}
	if l.Bounds != nil {
		h = &Histogram{Schema: CustomBounds, Bounds: l.Bounds, Positive: Buckets{Counts: make([]float64, len(l.Bounds)+1)}}
	}
	positive, negative := make(map[int32]float64), make(map[int32]float64)
	for _, v := range values {
		h.Count++
		h.Sum += v
		switch {
		case l.Bounds != nil:
			h.Positive.Counts[sort.SearchFloat64s(l.Bounds, v)]++
		case math.Abs(v) <= h.ZeroThreshold:
			h.ZeroCount++
		case v > 0:
			positive[BucketIndex(v, h.Schema)]++
		default:
			negative[BucketIndex(-v, h.Schema)]++
		}
	}
	if l.Bounds == nil {
		h.Positive, h.Negative = NewBuckets(positive), NewBuckets(negative)
	}
	return h
}

// What client_golang takes for a bucket factor of 1.1 and for the zero bucket.
const (
	nativeSchema = 3
	nativeZero   = 2.938735877055719e-39 // 2^-128
)

// BucketIndex returns the native bucket that v > 0 falls into: bucket i has the
// values in (2^((i-1)/2^schema), 2^(i/2^schema)].
func BucketIndex(v float64, schema int32) int32 {
	frac, exp := math.Frexp(v) // v = frac * 2^exp, frac in [0.5, 1)
	if schema <= 0 {
		if frac == 0.5 {
			exp--
		}
		offset := int32(1)<<-schema - 1
		return (int32(exp) + offset) >> -schema
	}
	n := int32(1) << schema
	// The first bound that is not below frac, among 2^(i/n) / 2.
	i := sort.Search(int(n), func(i int) bool { return math.Exp2(float64(i)/float64(n)-1) >= frac })
	return int32(i) + (int32(exp)-1)*n
}

// NewBuckets returns the buckets with the counts, by index.
func NewBuckets(counts map[int32]float64) Buckets {
	var b Buckets
	indexes := make([]int32, 0, len(counts))
	for i, n := range counts {
		if n != 0 {
			indexes = append(indexes, i)
		}
	}
	slices.Sort(indexes)
	end := int32(0) // the index after the last span
	for _, i := range indexes {
		if n := len(b.Spans); n > 0 && i == end {
			b.Spans[n-1].Length++
		} else {
			b.Spans = append(b.Spans, Span{Offset: i - end, Length: 1})
		}
		b.Counts = append(b.Counts, counts[i])
		end = i + 1
	}
	return b
}

// FormatBound returns a bucket's bound or a quantile as the label value le or
// quantile has it: in the canonical form of OpenMetrics and Prometheus 3, with
// a point or an exponent always.
func FormatBound(v float64) string { return string(AppendBound(make([]byte, 0, 24), v)) }

// AppendBound appends what [FormatBound] returns.
func AppendBound(dst []byte, v float64) []byte {
	switch {
	case v == 0:
		return append(dst, "0.0"...) // -0 as well
	case math.IsInf(v, 1):
		return append(dst, "+Inf"...)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if math.IsInf(v, -1) || math.IsNaN(v) || bytes.ContainsAny(dst[n:], ".e") {
		return dst
	}
	return append(dst, ".0"...)
}
