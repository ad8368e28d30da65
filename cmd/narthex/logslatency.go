package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"narthex"
)

// latency is the distribution of one metric of times, over all its labels.
type latency struct {
	name    string
	buckets []bucket
	count   float64
}

// bucket counts what is above the bound of the one before, in seconds.
type bucket struct{ upper, count float64 }

// latencyOf returns the distribution of the first histogram of seconds that has
// something in it, nil if there is none.
func latencyOf(series []narthex.Series) *latency {
	l := &latency{}
	counts := make(map[float64]float64)
	for _, s := range series {
		name, h := s.Labels.Get(narthex.MetricName), s.Samples[0].Histogram
		if h == nil || !strings.HasSuffix(name, "_seconds") || l.name != "" && l.name != name {
			continue
		}
		if l.name = name; h.Schema == narthex.CustomBounds {
			for i, n := range h.Positive.Counts {
				upper := math.Inf(1)
				if i < len(h.Bounds) {
					upper = h.Bounds[i]
				}
				counts[upper] += n
			}
		} else {
			counts[h.ZeroThreshold] += h.ZeroCount
			h.Positive.Each(func(i int32, n float64) { counts[math.Exp2(math.Ldexp(float64(i), -int(h.Schema)))] += n })
		}
		l.count += h.Count
	}
	for upper, n := range counts {
		l.buckets = append(l.buckets, bucket{upper, n})
	}
	if l.count == 0 {
		return nil
	}
	slices.SortFunc(l.buckets, func(a, b bucket) int {
		if a.upper < b.upper {
			return -1
		}
		return 1
	})
	return l
}

// quantile returns the value below which a share lies, as PromQL's
// histogram_quantile does: on a line within its bucket.
func (l *latency) quantile(q float64) float64 {
	rank, below, lower := q*l.count, 0.0, 0.0
	for _, b := range l.buckets {
		if below+b.count >= rank && b.count > 0 {
			if math.IsInf(b.upper, 1) {
				return lower
			}
			return lower + (b.upper-lower)*(rank-below)/b.count
		}
		if below += b.count; !math.IsInf(b.upper, 1) {
			lower = b.upper
		}
	}
	return lower
}

// steps are the bounds that are drawn, in seconds.
var steps = [...]float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100}

// write draws the distribution, and says its quantiles.
func (l *latency) write(w io.Writer) {
	if l == nil {
		return
	}
	const width = 50
	rows := make([]float64, len(steps)+1)
	for _, b := range l.buckets {
		i, _ := slices.BinarySearch(steps[:], b.upper*(1-1e-9))
		rows[i] += b.count
	}
	most := slices.Max(rows)
	first, last := slices.IndexFunc(rows, positive), len(rows)-1
	for rows[last] == 0 {
		last--
	}
	fmt.Fprintf(w, "\n%s (%.0f observations)\n", l.name, l.count)
	for i := first; i <= last; i++ {
		bound := "more"
		if i < len(steps) {
			bound = "≤ " + seconds(steps[i])
		}
		bar := strings.Repeat("█", int(math.Round(rows[i]/most*width)))
		if bar == "" && rows[i] > 0 {
			bar = "▏"
		}
		fmt.Fprintf(w, "  %8s  %5.1f %%  %s\n", bound, 100*rows[i]/l.count, bar)
	}
	fmt.Fprintf(w, "  half within %s, 90 %% %s, 95 %% %s, 99 %% %s\n",
		seconds(l.quantile(0.5)), seconds(l.quantile(0.9)), seconds(l.quantile(0.95)), seconds(l.quantile(0.99)))
}

func positive(n float64) bool { return n > 0 }

// seconds writes a time with two digits that matter.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	for unit := time.Microsecond; ; unit *= 10 {
		if d < 100*unit {
			return d.Round(unit).String()
		}
	}
}
