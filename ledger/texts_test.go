package ledger_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// TestTotalsKeepNoBodies: a series' names and texts are parts of the body that it
// came in. What the ledger keeps of them for a month must not hold that, nor be as
// long as a sender likes.
func TestTotalsKeepNoBodies(t *testing.T) {
	const n, size = 30, 2 << 20
	s, p := ledger.NewState(), ledger.Policy{Interval: time.Second}
	before := heap()
	for i := range n {
		body := fmt.Sprintf("family help job%d %s", i, strings.Repeat("x", size))
		part := func(from, to int) string { return body[from:to] }
		ls := labels(t, "g", "i", fmt.Sprint(i))
		job := narthex.Labels{{Name: "job", Value: part(12, 16)}}
		group := &narthex.Group{Op: narthex.GroupReplace, Labels: job}
		e, err := ledger.NewEntry(&narthex.Batch{Received: epoch, Group: group, Series: []narthex.Series{
			{Labels: ls, Type: narthex.TypeGauge, Family: part(0, 6), Help: part(7, 11), Samples: []narthex.Sample{{Value: 1}}},
			{Labels: labels(t, "h", "i", fmt.Sprint(i)), Type: narthex.TypeGauge, Help: body, Samples: []narthex.Sample{{Value: 1}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.Fold(e, epoch.UnixMilli(), p); err != nil || len(out.Rejected) > 0 {
			t.Fatal(err, out.Rejected)
		}
	}
	if grown := heap() - before; grown > n*size/4 {
		t.Errorf("after %d pushes of %d bytes %d bytes more are in use: the totals hold the bodies", n, size, grown)
	}
	longest := 0
	for _, g := range s.Groups() {
		for _, x := range g.Series {
			longest = max(longest, len(x.Help))
		}
	}
	if longest < 1000 || longest > 1100 {
		t.Errorf("the longest help text has %d bytes, want about 1 KiB", longest)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLargeHistogramInGroup: a group keeps a native histogram as it came, so that
// its buckets are bounded.
func TestLargeHistogramInGroup(t *testing.T) {
	of := func(buckets int) error {
		h := &narthex.Histogram{Count: float64(buckets), Positive: narthex.Buckets{Spans: []narthex.Span{{Length: uint32(buckets)}}, Counts: make([]float64, buckets)}}
		for i := range h.Positive.Counts {
			h.Positive.Counts[i] = 1
		}
		_, err := ledger.NewEntry(&narthex.Batch{Received: epoch, Group: &narthex.Group{Labels: narthex.Labels{{Name: "job", Value: "j"}}},
			Series: []narthex.Series{{Labels: labels(t, "h"), Type: narthex.TypeHistogram, Samples: []narthex.Sample{{Histogram: h}}}}})
		return err
	}
	if err := of(1600); err != nil {
		t.Errorf("1,600 buckets: %v", err)
	}
	if err := of(1601); narthex.KindOf(err) != narthex.Invalid || !strings.Contains(err.Error(), "the limit is 1600") {
		t.Errorf("1,601 buckets: %v", err)
	}
}
