package remotewrite_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"narthex"
	"narthex/remotewrite"
)

func TestHeaders(t *testing.T) {
	series := []narthex.Series{gauge("up", 1, 1000)}
	for v, want := range map[remotewrite.Version]map[string]string{
		remotewrite.V1: {"Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"},
		remotewrite.V2: {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "X-Prometheus-Remote-Write-Version": "2.0.0"},
	} {
		requests, _ := send(t, remotewrite.Options{Version: v, URL: "http://me:secret@receiver.example/w", UserAgent: "narthex/1", Headers: map[string]string{"X-Scope-OrgID": "a"}}, series)
		want["Content-Encoding"], want["User-Agent"], want["X-Scope-Orgid"] = "snappy", "narthex/1", "a"
		want["Authorization"] = "Basic bWU6c2VjcmV0"
		for name, value := range want {
			if got := requests[0].header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", v, name, got, value)
			}
		}
	}
}

func TestMetadataOfOne(t *testing.T) {
	series := []narthex.Series{gauge("up", 1, 1000), gauge("lat_bucket", 1, 1000), gauge("plain", 1, 1000)}
	series[0].Type, series[0].Help = narthex.TypeGauge, "Is it?"
	series[1].Type, series[1].Family, series[1].Unit = narthex.TypeHistogram, "lat", "seconds"
	requests, _ := send(t, remotewrite.Options{Version: remotewrite.V1}, series)
	want := []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_GAUGE, MetricFamilyName: "up", Help: "Is it?"},
		{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "lat", Unit: "seconds"},
	}
	if diff := cmp.Diff(want, decodeV1(t, requests[0].body).Metadata); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNoMetadata(t *testing.T) {
	s := gauge("up", 1, 1000)
	s.Type, s.Help = narthex.TypeGauge, "Is it?"
	for _, v := range []remotewrite.Version{remotewrite.V1, remotewrite.V2} {
		requests, _ := send(t, remotewrite.Options{Version: v, NoMetadata: true}, []narthex.Series{s})
		if bytes.Contains(requests[0].body, []byte("Is it?")) {
			t.Errorf("%s has metadata", v)
		}
		requests, _ = send(t, remotewrite.Options{Version: v}, []narthex.Series{s})
		if !bytes.Contains(requests[0].body, []byte("Is it?")) {
			t.Errorf("%s has no metadata", v)
		}
	}
}

// plain writes a request of 2.0 as lines: labels, then time:value of each sample.
func plain(t testing.TB, requests []taken) []string {
	var out []string
	for _, r := range requests {
		req := decodeV2(t, r.body)
		for _, ts := range req.Timeseries {
			b := labels.NewScratchBuilder(0)
			line := must(ts.ToLabels(&b, req.Symbols)).String()
			for _, s := range ts.Samples {
				line += fmt.Sprintf(" %d:%v", s.Timestamp, s.Value)
			}
			for _, h := range ts.Histograms {
				line += fmt.Sprintf(" %d:h%d", h.Timestamp, h.GetCountInt())
			}
			for _, e := range ts.Exemplars {
				line += fmt.Sprintf(" e%v", e.Value)
			}
			out = append(out, line)
		}
	}
	return out
}

func TestOrderAndDuplicates(t *testing.T) {
	a := gauge("a", 3, 3000)
	a.Samples = append(a.Samples, narthex.Sample{Time: 1000, Value: 1}, narthex.Sample{Time: 2000, Value: 2}, narthex.Sample{Time: 1000, Value: 9})
	again := gauge("a", 4, 4000)
	again.Samples = append(again.Samples, narthex.Sample{Time: 2000, Value: 2}, narthex.Sample{Time: 5000, Histogram: &narthex.Histogram{Count: 3, ZeroCount: 3}})
	before := slices.Clone(a.Samples)
	requests, b := send(t, remotewrite.Options{Version: remotewrite.V2}, []narthex.Series{a, gauge("b", 7, 1000), again})
	want := []string{`{__name__="a"} 1000:9 2000:2 3000:3 4000:4`, `{__name__="a"} 5000:h3`, `{__name__="b"} 1000:7`}
	if diff := cmp.Diff(want, plain(t, requests)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(before, a.Samples); diff != "" {
		t.Errorf("the batch was changed:\n%s", diff)
	}
	if len(b.Rejected) != 1 || b.Rejected[0].Series != "a" {
		t.Errorf("the value that was not taken is not reported: %v", b.Rejected)
	}
}

func TestClassicIsExpanded(t *testing.T) {
	h := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: []float64{0.5, 1}, Count: 7, Sum: 9.5, Positive: narthex.Buckets{Counts: []float64{1, 2, 4}}}
	stale := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: []float64{0.5, 1}, Sum: narthex.StaleMarker()}
	s := narthex.Series{Labels: must(narthex.NewLabels(narthex.Label{Name: "__name__", Value: "lat"}, narthex.Label{Name: "zone", Value: "b"})),
		Type: narthex.TypeHistogram, Samples: []narthex.Sample{{Time: 1000, Histogram: h}, {Time: 2000, Histogram: stale}},
		Exemplars: []narthex.Exemplar{{Value: 0.7}, {Value: 50}}}
	requests, b := send(t, remotewrite.Options{Version: remotewrite.V2}, []narthex.Series{s})
	want := []string{
		`{__name__="lat_bucket", le="0.5", zone="b"} 1000:1 2000:NaN`,
		`{__name__="lat_bucket", le="1.0", zone="b"} 1000:3 2000:NaN e0.7`,
		`{__name__="lat_bucket", le="+Inf", zone="b"} 1000:7 2000:NaN e50`,
		`{__name__="lat_count", zone="b"} 1000:7 2000:NaN`,
		`{__name__="lat_sum", zone="b"} 1000:9.5 2000:NaN`,
	}
	if diff := cmp.Diff(want, plain(t, requests)); diff != "" || len(b.Rejected) > 0 {
		t.Errorf("(-want +got)\n%s\n%v", diff, b.Rejected)
	}
}

func TestSplit(t *testing.T) {
	var series []narthex.Series
	for i := range 50 {
		s := gauge(fmt.Sprintf("m%02d", i), 0, 1)
		for at := range int64(20) {
			s.Samples = append(s.Samples, narthex.Sample{Time: at + 2, Value: float64(at)})
		}
		series = append(series, s)
	}
	for name, o := range map[string]remotewrite.Options{
		"by count":      {MaxSamples: 33, Concurrency: 1},
		"by size":       {MaxBytes: 500, Concurrency: 1},
		"tiny":          {MaxBytes: 40, Concurrency: 1},
		"by many hands": {MaxSamples: 33, Concurrency: 5},
	} {
		t.Run(name, func(t *testing.T) {
			o.Version = remotewrite.V2
			requests, _ := send(t, o, series)
			got := make(map[string][]int64)
			for _, r := range requests {
				req, n := decodeV2(t, r.body), 0
				for _, ts := range req.Timeseries {
					b := labels.NewScratchBuilder(0)
					key := must(ts.ToLabels(&b, req.Symbols)).String()
					for _, s := range ts.Samples {
						got[key] = append(got[key], s.Timestamp)
						n++
					}
				}
				if o.MaxSamples > 0 && n > o.MaxSamples || o.MaxBytes > 0 && len(r.body) > o.MaxBytes && n > 1 {
					t.Errorf("a request of %d samples and %d bytes", n, len(r.body))
				}
			}
			for key, times := range got {
				if len(times) != 21 || !slices.IsSorted(times) {
					t.Errorf("%s arrived as %v", key, times)
				}
			}
			if len(got) != len(series) {
				t.Errorf("%d series arrived", len(got))
			}
		})
	}
}

func TestNeverSent(t *testing.T) {
	cases := map[string]narthex.Series{
		"no metric name":       {Labels: narthex.Labels{{Name: "a", Value: "b"}}, Samples: []narthex.Sample{{Time: 1}}},
		"given twice":          {Labels: narthex.Labels{{Name: "__name__", Value: "b"}, {Name: "x", Value: "1"}, {Name: "x", Value: "2"}}, Samples: []narthex.Sample{{Time: 1}}},
		"not UTF-8":            {Labels: narthex.Labels{{Name: "__name__", Value: "b\xff"}}, Samples: []narthex.Sample{{Time: 1}}},
		"no time":              gauge("x", 1, 0),
		"spans do not fit":     {Labels: narthex.Labels{{Name: "__name__", Value: "h"}}, Samples: []narthex.Sample{{Time: 1, Histogram: &narthex.Histogram{Positive: narthex.Buckets{Counts: []float64{1}}}}}},
		"bounds and 1 buckets": {Labels: narthex.Labels{{Name: "__name__", Value: "h"}}, Samples: []narthex.Sample{{Time: 1, Histogram: &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: []float64{1}, Positive: narthex.Buckets{Counts: []float64{1}}}}}},
	}
	for want, s := range cases {
		requests, b := send(t, remotewrite.Options{Version: remotewrite.V1}, []narthex.Series{s, gauge("good", 1, 1)})
		if len(b.Rejected) != 1 || !bytes.Contains([]byte(b.Rejected[0].Reason), []byte(want)) {
			t.Errorf("%s: rejected %v", want, b.Rejected)
		}
		if n := len(decodeV1(t, requests[0].body).Timeseries); n != 1 {
			t.Errorf("%s: %d series were sent", want, n)
		}
	}
	h := narthex.Series{Labels: narthex.Labels{{Name: "__name__", Value: "h"}}, Samples: []narthex.Sample{{Time: 1, Histogram: &narthex.Histogram{}}}}
	if requests, b := send(t, remotewrite.Options{NoNativeHistograms: true}, []narthex.Series{h}); len(requests) != 0 || len(b.Rejected) != 1 {
		t.Errorf("%d requests, rejected %v", len(requests), b.Rejected)
	}
}

func gauge(name string, v float64, at int64) narthex.Series {
	return narthex.Series{Labels: narthex.Labels{{Name: narthex.MetricName, Value: name}}, Samples: []narthex.Sample{{Time: at, Value: v}}}
}
