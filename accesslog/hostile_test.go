package accesslog_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"narthex"
	"narthex/accesslog"
)

// hostileLines is how many requests the hostile log has: a million with
// NARTHEX_ACCEPTANCE, a tenth otherwise.
func hostileLines() int {
	if os.Getenv("NARTHEX_ACCEPTANCE") != "" {
		return 1_000_000
	}
	return 100_000
}

// A hostile log has a path, a method and a host of its own in each line, and
// each of them was answered.
type hostile struct {
	left, n int
	buf     []byte
	peak    uint64 // of the heap
}

func (h *hostile) Read(b []byte) (int, error) {
	for len(h.buf) < len(b) && h.left > 0 {
		h.left--
		h.n++
		h.buf = fmt.Appendf(h.buf, "host%d.test:443 192.0.2.7 - - [02/Jan/2026:03:%02d:05 +0000] \"M%d /%s/%s/x%s HTTP/1.1\" %d %d \"-\" \"-\" 0.%03d\n",
			h.n, h.n%60, h.n, word(h.n), word(h.n/7), word(h.n/3), 200+h.n%300, h.n%1000, h.n%1000)
	}
	if len(h.buf) == 0 {
		return 0, io.EOF
	}
	if h.left%1000 == 0 {
		h.peak = max(h.peak, heap(false))
	}
	n := copy(b, h.buf)
	h.buf = h.buf[:copy(h.buf, h.buf[n:])]
	return n, nil
}

// word makes letters of a number, so that it does not look like an id.
func word(n int) string {
	b := []byte("abcdef")
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range b {
		b[i] = byte('g' + r.IntN(20))
	}
	return string(b)
}

func heap(collect bool) uint64 {
	if collect {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestHostile reads a log that is all different: series stay within the
// limits, memory within 64 MiB, sums right, and the report names what was folded.
func TestHostile(t *testing.T) {
	for name, o := range map[string]accesslog.Options{
		"default":    {},
		"few series": {MaxSeries: 1000},
		"all wide": {MaxSeries: 5000, PerMinute: true, Metrics: []accesslog.Metric{
			{Name: "http_requests_total", Of: "requests", Labels: []accesslog.Label{
				{Name: "host", Limit: 1 << 20}, {Name: "path", Limit: 1 << 20}, {Name: "status"}, {Name: "method"}, {Name: "ip", From: "column:remote_addr"}}},
			{Name: "http_response_bytes_total", Of: "response_bytes", Labels: []accesslog.Label{{Name: "host"}, {Name: "route"}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap(true)
			log := &hostile{left: hostileLines()}
			r := newReader(t, o)
			counts, err := r.Read(t.Context(), "log", log)
			if err != nil {
				t.Fatal(err)
			}
			series := counts.Series()
			log.peak = max(log.peak, heap(false))
			checkReport(t, counts.Report)
			limit := o.MaxSeries
			if limit == 0 {
				limit = 20_000
			}
			checkHostile(t, counts.Report, series, limit)
			if used := int64(log.peak) - int64(before); name != "all wide" && used > 64<<20 {
				t.Errorf("%d MiB of memory", used>>20)
			}
			if n := len(r.Learned()); n > 1<<20 && name != "all wide" {
				t.Errorf("%d bytes were learned", n)
			}
			runtime.KeepAlive(counts)
		})
	}
}

func checkHostile(t *testing.T, r accesslog.Report, series []narthex.Series, limit int) {
	t.Helper()
	sums, per := map[string]float64{}, map[string]int{}
	for _, s := range series {
		name := s.Labels.Get(narthex.MetricName)
		for _, p := range s.Samples {
			if p.Histogram == nil {
				sums[name] += p.Value
				continue
			}
			sums[name] += p.Histogram.Count
		}
		if per[name]++; s.Type == narthex.TypeHistogram {
			per[name] += len(s.Samples[0].Histogram.Bounds) + 2
		}
	}
	n := hostileLines()
	want := map[string]float64{"http_requests_total": float64(n), "http_response_bytes_total": float64(n) / 1000 * 499500, "http_request_duration_seconds": float64(n)}
	for name, sum := range sums {
		if sum != want[name] || per[name] > limit {
			t.Errorf("%s: sum %v of %d series, want %v of at most %d", name, sum, per[name], want[name], limit)
		}
	}
	for _, label := range []string{"host", "method"} {
		i := slices.IndexFunc(r.Folded, func(f accesslog.Folded) bool { return f.Label == label || f.Metric != "" && limit < 20_000 })
		if i < 0 || r.Folded[i].Lines < int64(n)/4 && r.Folded[i].Metric == "" || r.Folded[i].Metric == "" && len(r.Folded[i].Top) == 0 {
			t.Errorf("%s: it is not said what was folded: %+v", label, r.Folded)
		}
	}
	if len(fmt.Sprint(r)) > 20_000 || strings.Count(fmt.Sprint(r.Folded), "M") == 0 {
		t.Errorf("report: %.300v", r)
	}
}

// The limit of a metric's series holds over all logs, not only in each: hosts, routes
// and statuses that are few by themselves make many together.
func TestHostileLogs(t *testing.T) {
	const limit = 300
	r := newReader(t, accesslog.Options{MaxSeries: limit})
	all, requests := map[string]bool{}, 0.0
	for n := range 50 {
		var log strings.Builder
		for i := range 100 {
			fmt.Fprintf(&log, "host%d.test:443 192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET /%s HTTP/1.1\" %d 1 \"-\" \"-\" 0.1\n", n, word(i), 200+(n+i)%7)
		}
		counts, err := r.Read(t.Context(), "log", strings.NewReader(log.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range counts.Series() {
			if s.Labels.Get(narthex.MetricName) == "http_requests_total" {
				all[s.Labels.String()] = true
				requests += s.Samples[0].Value
			}
		}
		if n > 10 && len(counts.Report.Folded) == 0 {
			t.Errorf("log %d: it is not said what was folded", n)
		}
	}
	if len(all) > limit || len(all) < limit*8/10 || requests != 5000 {
		t.Errorf("%d series, the limit is %d; %v requests, want 5000", len(all), limit, requests)
	}
}
