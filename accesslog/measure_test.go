package accesslog_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/accesslog"
)

// Histograms are those that narthex.Layout makes of the same values.
func TestBuckets(t *testing.T) {
	layouts := map[string]string{"api_latency": narthex.ArticleLayout, "default": narthex.DefaultLayout, "native": narthex.NativeLayout, "odd": "0.0000005, 0.3, 0.30000001, 1000000"}
	r := rand.New(rand.NewPCG(3, 4))
	var log strings.Builder
	var seconds, sizes []float64
	total := 0.0
	for i := range 20_000 {
		text := strconv.FormatFloat(math.Exp(r.NormFloat64()*3-2), 'f', 3+i%7, 64)
		if i%10 == 0 {
			text = []string{"0.000", "0.001", "0.005", "0.020", "0.1", "1.0", "10.000", "0.300", "0.0000005", "1000000.0", "0.25", "0.5", "2.0", "4.0"}[r.IntN(14)]
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		size := r.Int64N(1 << r.IntN(45))
		if i%5 == 0 {
			size = 1 << r.IntN(40)
		}
		seconds, sizes, total = append(seconds, v), append(sizes, float64(size)), total+v
		fmt.Fprintf(&log, "192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"GET / HTTP/1.1\" 200 %d \"-\" \"-\" %s\n", size, text)
	}
	for name, text := range layouts {
		layout, err := narthex.ParseLayout(text)
		if err != nil {
			t.Fatal(err)
		}
		counts := read(t, accesslog.Options{Layouts: map[string]narthex.Layout{name: layout}, Metrics: []accesslog.Metric{
			{Name: "seconds", Of: "duration", Buckets: name}, {Name: "bytes", Of: "response_bytes", Buckets: name},
		}}, "log", []byte(log.String()))
		series := counts.Series()
		for i, values := range [][]float64{seconds, sizes} {
			got, want := *series[i].Samples[0].Histogram, *layout.Histogram(values)
			if math.Abs(got.Sum-want.Sum) > 1e-9*want.Sum {
				t.Errorf("%s: sum %v, want %v", name, got.Sum, want.Sum)
			}
			got.Sum = want.Sum
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s of %s: want -, got +\n%s", name, series[i].Labels, d)
			}
		}
	}
}

// FuzzTime compares times with the standard library.
func FuzzTime(f *testing.F) {
	f.Add(int64(0), int32(0), 0)
	f.Add(int64(1767323045), int32(123), 330)
	f.Add(int64(951782400), int32(999), -720) // 29 February
	f.Fuzz(func(t *testing.T, unix int64, ms int32, zone int) {
		if unix < 86_400*2 || unix > 253_402_000_000 || ms < 0 || ms > 999 || zone < -1400 || zone > 1400 {
			return
		}
		at := time.Unix(unix, int64(ms)*1e6).In(time.FixedZone("", zone*60))
		for _, c := range []struct {
			text string
			unit time.Duration
		}{
			{at.Format("2006-01-02T15:04:05.000Z07:00"), time.Millisecond}, {at.UTC().Format("2006-01-02T15:04:05"), time.Second},
			{at.Format("02/Jan/2006:15:04:05 -0700"), time.Second}, {fmt.Sprintf("%d.%03d", unix, ms), time.Millisecond},
		} {
			line := fmt.Sprintf(`{"status":"200","request":"GET / HTTP/1.1","time_local":%q}`, c.text)
			counts := read(t, accesslog.Options{}, "log", []byte(line))
			if strings.HasPrefix(c.text, strconv.FormatInt(unix, 10)) && unix >= 1e11 {
				continue // taken for milliseconds
			}
			if got, want := counts.Report.First, at.Truncate(c.unit).UTC(); !got.Equal(want) {
				t.Errorf("%s: %v, want %v: %+v", c.text, got, want, counts.Report)
			}
		}
	})
}

// With PerMinute each minute has its sample, and the sums are the same.
func TestPerMinute(t *testing.T) {
	log := testLog(t, "cloudfront_v1.log")
	byMinute := read(t, accesslog.Options{PerMinute: true}, "log", log)
	once := read(t, accesslog.Options{}, "log", log)
	sum, want := map[string]float64{}, map[string]float64{}
	for _, s := range byMinute.Series() {
		last := int64(0)
		for _, p := range s.Samples {
			if p.Time <= last || p.Time%60_000 != 0 {
				t.Errorf("%s: time %d after %d", s.Labels, p.Time, last)
			}
			last = p.Time
			if sum[s.Labels.String()] += p.Value; p.Histogram != nil {
				sum[s.Labels.String()] += p.Histogram.Count
			}
		}
	}
	for _, s := range once.Series() {
		want[s.Labels.String()] = s.Samples[0].Value
		if h := s.Samples[0].Histogram; h != nil {
			want[s.Labels.String()] = h.Count
		}
	}
	if d := cmp.Diff(want, sum); d != "" {
		t.Error(d)
	}
	minutes := map[int64]float64{}
	for _, s := range byMinute.Series() {
		if s.Labels.Get(narthex.MetricName) == "http_requests_total" {
			for _, p := range s.Samples {
				minutes[p.Time/60_000] += p.Value
			}
		}
	}
	if d := cmp.Diff(map[int64]float64{29455384: 8, 29455385: 1}, minutes); d != "" {
		t.Error(d)
	}
}

// Reading a line allocates nothing: a log ten times as long allocates as much.
func TestNoAllocationPerLine(t *testing.T) {
	for name, o := range goldens() {
		if strings.HasPrefix(name, "emf") {
			continue // what reads them is not ours
		}
		log := testLog(t, name)
		if !bytes.HasSuffix(log, []byte("\n")) {
			t.Fatal(name)
		}
		header, body := []byte(nil), log
		for bytes.HasPrefix(body, []byte("#")) {
			end := bytes.IndexByte(body, '\n') + 1
			header, body = append(header, body[:end]...), body[end:]
		}
		r := newReader(t, o)
		allocs := func(times int) float64 {
			log := append(bytes.Clone(header), bytes.Repeat(body, times)...)
			return testing.AllocsPerRun(3, func() {
				if _, err := r.Read(t.Context(), name, bytes.NewReader(log)); err != nil {
					t.Fatal(err)
				}
			})
		}
		few, many := allocs(20), allocs(420)
		lines := float64(400 * bytes.Count(body, []byte("\n")))
		// The race detector lets pools forget at random, so it is not quite none.
		if perLine := (many - few) / lines; perLine > 0.1 {
			t.Errorf("%s: %.3f allocations a line", name, perLine)
		}
	}
}
