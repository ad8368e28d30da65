package otlp_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/otlp"
)

// now is when all requests of these tests arrive.
var now = time.Unix(0, int64(start))

// request is one resource's metrics.
func request(metrics ...otlp.Metric) *otlp.Metrics {
	return &otlp.Metrics{Resources: []otlp.Resource{{
		Attributes: []otlp.Attribute{{Key: "service.name", Value: "shop"}},
		Scopes:     []otlp.Scope{{Metrics: metrics}},
	}}}
}

func counter(name string, t otlp.Temporality, points ...otlp.Point) otlp.Metric {
	return otlp.Metric{Name: name, Kind: otlp.KindSum, Temporality: t, Monotonic: true, Points: points}
}

func at(v float64, attributes ...string) otlp.Point {
	p := otlp.Point{Time: start, Start: start - 1e9, Value: v}
	for i := 0; i < len(attributes); i += 2 {
		p.Attributes = append(p.Attributes, otlp.Attribute{Key: attributes[i], Value: attributes[i+1]})
	}
	return p
}

// told writes a translation down: samples, increments and rejections.
func told(t *testing.T, o otlp.Options, m *otlp.Metrics, keyed bool) string {
	t.Helper()
	tr, err := o.Translate(m, otlp.Arrival{Time: now, Keyed: keyed})
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, s := range slices.Concat(tr.Samples, tr.Deltas) {
		for _, x := range s.Samples {
			line := fmt.Sprintf("%s %s %s %s", s.As, s.Type, s.Labels, number(x.Value))
			if h := x.Histogram; h != nil {
				line = fmt.Sprintf("%s %s %s count %v sum %v schema %d %v %v %v %v", s.As, s.Type, s.Labels, h.Count, h.Sum, h.Schema, h.Bounds, h.ZeroCount, h.Positive, h.Negative)
			}
			if s.As == narthex.AsDelta && (x.Time != 0 || x.Start != 0) || s.As == narthex.AsSample && x.Time == 0 {
				line += " at a wrong time"
			}
			out = append(out, line)
		}
	}
	for _, r := range tr.Rejected {
		out = append(out, "rejected "+r.Series+": "+r.Reason)
	}
	all, rejected := tr.Points(nil, nil)
	return strings.Join(append(out, fmt.Sprintf("%d of %d rejected", rejected, all)), "\n")
}

// Increments come out apart, as the ledger wants them; points that can't be
// taken are rejected alone, and the reason says what to do.
func TestTranslateDelta(t *testing.T) {
	distribution := func(count uint64, sum float64, bounds []float64, counts ...uint64) otlp.Metric {
		p := at(0)
		p.Dist = &otlp.Distribution{Count: count, Sum: sum, HasSum: true, Bounds: bounds, Counts: counts}
		return otlp.Metric{Name: "lat", Unit: "s", Kind: otlp.KindHistogram, Temporality: otlp.Delta, Points: []otlp.Point{p}}
	}
	exponential := func(scale int32, offset int32, counts ...uint64) otlp.Metric {
		p := at(0)
		p.Dist = &otlp.Distribution{Count: 3, Sum: 6, HasSum: true, Scale: scale, Zero: 1, Positive: otlp.Run{Offset: offset, Counts: counts}}
		return otlp.Metric{Name: "lat", Kind: otlp.KindExponential, Temporality: otlp.Delta, Points: []otlp.Point{p}}
	}
	gone := at(7)
	gone.NoValue = true
	timeless, old := at(1), at(1)
	timeless.Time, old.Time = 0, start-25*3600e9
	upDown := counter("busy", otlp.Delta, at(-1))
	upDown.Monotonic = false
	gauge := otlp.Metric{Name: "g", Kind: otlp.KindGauge, Points: []otlp.Point{at(1), timeless}}
	for _, c := range []struct {
		metric otlp.Metric
		want   string
	}{
		{counter("c", otlp.Delta, at(2), at(3, "a", "b")), "delta counter c_total{job=\"shop\"} 2\ndelta counter c_total{a=\"b\",job=\"shop\"} 3\n0 of 2 rejected"},
		{counter("c", otlp.Cumulative, at(2), gone), "sample counter c_total{job=\"shop\"} 2\nsample counter c_total{job=\"shop\"} stale\n0 of 2 rejected"},
		{counter("c", otlp.Delta, gone), "0 of 1 rejected"},
		{counter("c", otlp.Delta, at(-1), at(math.NaN()), at(math.Inf(1)), at(1)), "delta counter c_total{job=\"shop\"} 1\nrejected c_total{job=\"shop\"}: the increment -1 can't be added"},
		{counter("c", otlp.Delta, timeless), "rejected c_total{job=\"shop\"}: it is an increment without a time, so that the next one alike would be taken for a retry: set timeUnixNano, or the header Idempotency-Key\n1 of 1 rejected"},
		{counter("c", otlp.Delta, old), "rejected c_total{job=\"shop\"}: it is an increment of 2025-12-30T23:00:00Z, longer ago than the horizon of 24h0m0s"},
		{counter("c", otlp.Unspecified, at(1), at(1)), "rejected c: its aggregation temporality is unspecified"},
		{counter("???", otlp.Cumulative, at(1)), "sample counter total{job=\"shop\"} 1\n0 of 1 rejected"},
		{otlp.Metric{Name: "???", Kind: otlp.KindGauge, Points: []otlp.Point{at(1)}}, "rejected ???: nothing of its name is left"},
		{upDown, "rejected busy: it is an up-down counter with delta temporality"},
		{gauge, "sample gauge g{job=\"shop\"} 1\nrejected g{job=\"shop\"}: it has no time: set timeUnixNano\n1 of 2 rejected"},
		{counter("c", otlp.Delta, at(1, "", "x")), "rejected c_total: nothing of its attribute \"\" is left for a label's name"},
		{counter("c", otlp.Delta, at(1, "a", "\xff")), "the value of label \"a\" is not UTF-8"},
		{counter("c", otlp.Delta, at(1, "a.b", strings.Repeat("x", 1<<15), "a_b", strings.Repeat("y", 1<<15))), "several of its attributes become the label a_b"},
		{distribution(3, 1.5, []float64{1}, 2, 1), "delta histogram lat_seconds{job=\"shop\"} count 3 sum 1.5 schema -53 [1] 0 {[] [2 1]} {[] []}\n0 of 1 rejected"},
		{distribution(3, 1.5, nil), "count 3 sum 1.5 schema -53 [] 0 {[] [3]} {[] []}"},
		{distribution(3, 1.5, []float64{1}), "it has 0 buckets and 1 bounds: want one bucket more than bounds"},
		{distribution(4, 1.5, []float64{1}, 2, 1), "its buckets hold 3 of 4 observations"},
		{distribution(3, math.NaN(), []float64{1}, 2, 1), "its sum is NaN"},
		{distribution(3, 1.5, []float64{1, 1}, 2, 1, 0), "its bounds do not rise at 1"},
		{distribution(3, 1.5, []float64{math.Inf(1)}, 2, 1), "its bounds do not rise at +Inf, or are no finite numbers"},
		{exponential(0, 0, 2), "count 3 sum 6 schema 0 [] 1 {[{1 1}] [2]} {[] []}"},
		{exponential(0, 0, 1), "its buckets hold 2 of 3 observations"},
		{exponential(-5, 0, 2), "its scale is -5, but native histograms begin at -4"},
		{exponential(8, math.MaxInt32, 2), "is beyond any number"},
		{exponential(8, math.MinInt32, 2), "is beyond any number"},
		{exponential(math.MaxInt32, math.MaxInt32, 2), "schema 8 [] 1 {[{1 1}] [2]}"},
	} {
		o := otlp.Options{Names: narthex.NameScheme{MaxLabels: 4, MaxValue: 20}}
		if got := told(t, o, request(c.metric), false); !strings.Contains(got, c.want) {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	if got := told(t, otlp.Options{}, request(counter("c", otlp.Delta, timeless)), true); !strings.HasPrefix(got, "delta counter c_total") {
		t.Errorf("with an id: %s", got)
	}
}

// Each count of a fine exponential histogram lands in the bucket that holds the
// values it was counted for, however many empty buckets stand before it.
// (Prometheus v3.15 puts counts that follow a whole empty bucket into a bucket too
// far down.)
func TestFineScales(t *testing.T) {
	r := newRandom(1)
	for range 500 {
		scale, offset := int32(9+r.IntN(12)), int32(r.IntN(1<<14)-1<<13)
		p := at(0)
		p.Dist = &otlp.Distribution{Scale: scale}
		run := otlp.Run{Offset: offset}
		want := map[int32]float64{}
		for i := range 1 + r.IntN(200) {
			c := uint64(max(0, r.IntN(12)-8))
			run.Counts = append(run.Counts, c)
			p.Dist.Count += c
			if c > 0 { // the middle of the bucket, on a logarithmic scale
				v := math.Exp2((float64(offset) + float64(i) + 0.5) * math.Exp2(-float64(scale)))
				want[narthex.BucketIndex(v, 8)] += float64(c)
			}
		}
		p.Dist.Positive, p.Dist.Negative = run, run
		p.Dist.Count *= 2
		m := otlp.Metric{Name: "e", Kind: otlp.KindExponential, Temporality: otlp.Delta, Points: []otlp.Point{p}}
		tr, err := otlp.Options{}.Translate(request(m), otlp.Arrival{Time: now})
		if err != nil || len(tr.Deltas) != 1 {
			t.Fatal(err, tr.Rejected)
		}
		h := tr.Deltas[0].Samples[0].Histogram
		for _, b := range []narthex.Buckets{h.Positive, h.Negative} {
			got := map[int32]float64{}
			b.Each(func(i int32, n float64) { got[i] += n })
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("scale %d, offset %d (-want +got)\n%s", scale, offset, d)
			}
		}
	}
}

// A point's labels are checked with those that its series add.
func TestTranslateNames(t *testing.T) {
	h := otlp.Metric{Name: "h", Kind: otlp.KindHistogram, Temporality: otlp.Cumulative, Points: []otlp.Point{at(0, "a", "b")}}
	h.Points[0].Dist = &otlp.Distribution{}
	q := otlp.Metric{Name: "q", Kind: otlp.KindSummary, Points: []otlp.Point{at(0, "a", "b")}}
	q.Points[0].Dist = &otlp.Distribution{Quantiles: []otlp.Quantile{{Quantile: 0.5}}}
	for _, c := range []struct {
		names  narthex.NameScheme
		metric otlp.Metric
		want   string
	}{
		{narthex.NameScheme{MaxLabels: 3}, h, "rejected h{a=\"b\",job=\"shop\"}: it has 4 labels, the limit is 3\n1 of 1"},
		{narthex.NameScheme{MaxLabels: 3}, q, "it has 4 labels, the limit is 3\n1 of 1"},
		{narthex.NameScheme{MaxName: 7}, h, "metric name \"h_bucket\" has 8 bytes"},
		{narthex.NameScheme{MaxName: 6}, q, "metric name \"q_count\" has 7 bytes"},
		{narthex.NameScheme{MaxLabels: 4, MaxName: 8}, h, "0 of 1"},
		{narthex.NameScheme{}, counter("c", otlp.Cumulative, at(1, "__x", "y")), "names that begin with __ are reserved"},
	} {
		if got := told(t, otlp.Options{Names: c.names}, request(c.metric), false); !strings.Contains(got, c.want) {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	dots := otlp.Options{Strategy: otlp.NoTranslation, Names: narthex.NameScheme{UTF8: true}}
	twice := counter("a.b", otlp.Cumulative, at(1, "x.y", "1", "x.y", "2"), at(1, "x.y", "1", "x_y", "2"))
	const want = "sample counter {\"a.b\",job=\"shop\",\"x.y\"=\"1\",x_y=\"2\"} 1\nrejected a.b: it has the attribute \"x.y\" twice\n1 of 2 rejected"
	if got := told(t, dots, request(twice), false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// target_info has a sample for each half of the lookback, of a bounded number,
// and none of it counts as a point.
func TestTargetInfo(t *testing.T) {
	m := request(counter("c", otlp.Cumulative, at(1), otlp.Point{Time: 1, Value: 1}, otlp.Point{}))
	m.Resources[0].Attributes = append(m.Resources[0].Attributes, otlp.Attribute{Key: "host.name", Value: "zug"})
	tr, err := otlp.Options{}.Translate(m, otlp.Arrival{Time: now})
	if err != nil {
		t.Fatal(err)
	}
	tr.Hold()
	info := tr.Samples[len(tr.Samples)-1]
	first, last := info.Samples[0].Time, info.Samples[len(info.Samples)-1].Time
	if info.Labels.String() != `target_info{host_name="zug",job="shop"}` || len(info.Samples) != 602 ||
		last != int64(start/1e6) || last-first < 24*3600e3 {
		t.Errorf("%s: %d samples from %d to %d", info.Labels, len(info.Samples), first, last)
	}
	refused := []narthex.Rejection{{Series: info.Labels.String()}, {Series: `c_total{job="shop"}`}}
	if all, rejected := tr.Points(refused, nil); all != 3 || rejected != 2 { // the one without a time too
		t.Errorf("%d of %d rejected", rejected, all)
	}
	long := otlp.Options{Names: narthex.NameScheme{MaxValue: 4}}
	m.Resources[0].Attributes[1].Value = "zürich"
	if tr, err = long.Translate(m, otlp.Arrival{Time: now}); err != nil || len(tr.Samples) != 2 || len(tr.Warnings) != 1 || !strings.Contains(tr.Warnings[0], "target_info: the value of label \"host_name\" has 7 bytes") {
		t.Errorf("%v, %v", err, tr)
	}
}

// What a sink refuses is told in points, not in series.
func TestPoints(t *testing.T) {
	h := otlp.Metric{Name: "h", Kind: otlp.KindHistogram, Temporality: otlp.Cumulative, Points: []otlp.Point{at(0), at(0, "a", "b"), at(0, "a", "c")}}
	for i := range h.Points {
		h.Points[i].Dist = &otlp.Distribution{HasSum: true, Bounds: []float64{1}, Counts: []uint64{0, 0}}
	}
	tr, err := otlp.Options{}.Translate(request(h, counter("c", otlp.Delta, at(1), at(2))), otlp.Arrival{Time: now})
	if err != nil {
		t.Fatal(err)
	}
	tr.Hold()
	f := func(want int, samples, deltas string) {
		t.Helper()
		var lists [2][]narthex.Rejection
		for i, text := range []string{samples, deltas} {
			for s := range strings.FieldsSeq(text) {
				lists[i] = append(lists[i], narthex.Rejection{Series: s})
			}
		}
		if all, got := tr.Points(lists[0], lists[1]); all != 5 || got != want {
			t.Errorf("%s, %s: %d of %d rejected, want %d", samples, deltas, got, all, want)
		}
	}
	f(0, "", "")
	f(1, `h_count{job="shop"}`, "")
	f(1, `h_count{job="shop"} h_sum{job="shop"} h_bucket{job="shop",le="1"} h_bucket{job="shop",le="+Inf"}`, "")
	f(2, `h_count{job="shop"} h_count{a="b",job="shop"}`, "")
	f(1, "", `c_total{job="shop"}`)
	f(2, "", `c_total{job="shop"} c_total{job="shop"}`)
	f(3, `h_sum{a="c",job="shop"}`, `c_total{job="shop"} c_total{job="shop"} c_total{job="shop"}`)
	f(1, `renamed{a="other"}`, "")
}
