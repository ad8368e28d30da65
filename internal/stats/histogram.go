package stats

import (
	"bufio"
	"slices"
	"sort"
	"strconv"
	"sync"
)

// Histogram counts observations in buckets.
type Histogram struct {
	bounds []float64

	mu     sync.Mutex
	counts []uint64 // of each bucket alone
	sum    float64
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	i := sort.SearchFloat64s(h.bounds, v) // a bound belongs to its bucket
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.sum += v
}

// write writes the histogram: cumulative buckets, sum and count.
func (h *Histogram) write(b *bufio.Writer, name string) {
	h.mu.Lock()
	counts, sum := slices.Clone(h.counts), h.sum
	h.mu.Unlock()
	n := uint64(0)
	for i, count := range counts {
		n += count
		le := "+Inf"
		if i < len(h.bounds) {
			le = number(h.bounds[i])
		}
		b.WriteString(name + "_bucket{le=" + quote(le) + "} " + strconv.FormatUint(n, 10) + "\n")
	}
	b.WriteString(name + "_sum " + number(sum) + "\n" + name + "_count " + strconv.FormatUint(n, 10) + "\n")
}
