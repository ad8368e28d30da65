package test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/remotewrite"
)

// entry is a series of a remote-write request.
type entry struct {
	labels    map[string]string // sent in no order
	value     float64
	ago       time.Duration
	histogram *writev2.Histogram
	exemplar  map[string]string
	empty     bool // neither a sample nor a histogram
	metadata  writev2.Metadata_MetricType
}

func called(name string, more ...string) map[string]string {
	out := map[string]string{"__name__": name}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

func request2(t testing.TB, now time.Time, entries ...entry) []byte {
	t.Helper()
	symbols := writev2.NewSymbolTable()
	refs := func(labels map[string]string) (out []uint32) {
		for k, v := range labels {
			out = append(out, symbols.Symbolize(k), symbols.Symbolize(v))
		}
		return out
	}
	var req writev2.Request
	for _, e := range entries {
		at := now.Add(-e.ago).UnixMilli()
		ts := writev2.TimeSeries{LabelsRefs: refs(e.labels)}
		switch {
		case e.empty:
		case e.histogram != nil:
			h := *e.histogram
			h.Timestamp = at
			ts.Histograms = []writev2.Histogram{h}
		default:
			ts.Samples = []writev2.Sample{{Value: e.value, Timestamp: at, StartTimestamp: at - 1000}}
		}
		if e.exemplar != nil {
			ts.Exemplars = []writev2.Exemplar{{LabelsRefs: refs(e.exemplar), Value: e.value, Timestamp: at}}
		}
		if e.metadata != 0 {
			ts.Metadata = writev2.Metadata{Type: e.metadata, HelpRef: symbols.Symbolize("What it is."), UnitRef: symbols.Symbolize("seconds")}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	req.Symbols = symbols.Symbols()
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return s2.EncodeSnappy(nil, body)
}

// remoteWrite sends a body and returns the status, what was written ("samples
// histograms exemplars", "-" if that is not said) and the answer.
func remoteWrite(t testing.TB, base string, v remotewrite.Version, body []byte) (code int, written, answer string) {
	t.Helper()
	resp, text := fetch(t, http.MethodPost, base+"/api/v1/write", body, "Content-Type", v.ContentType(), "Content-Encoding", remotewrite.ContentEncoding)
	var counts []string
	for _, h := range []string{remotewrite.HeaderSamplesWritten, remotewrite.HeaderHistogramsWritten, remotewrite.HeaderExemplarsWritten} {
		n := resp.Header.Get(h)
		if n == "" {
			n = "-"
		}
		counts = append(counts, n)
	}
	return resp.StatusCode, strings.Join(counts, " "), string(text)
}

func histogramOf(count uint64, negative, custom bool) *writev2.Histogram {
	h := &writev2.Histogram{
		Count: &writev2.Histogram_CountInt{CountInt: count}, Sum: 5, ZeroCount: &writev2.Histogram_ZeroCountInt{ZeroCountInt: 1},
		PositiveSpans: []writev2.BucketSpan{{Offset: 0, Length: 3}, {Offset: 2, Length: 2}}, PositiveDeltas: []int64{1, 2, 1, 3, 1},
	}
	if negative {
		h.NegativeSpans, h.NegativeDeltas = []writev2.BucketSpan{{Offset: 0, Length: 2}}, []int64{1, 1}
	}
	if custom {
		h.ZeroCount, h.Schema, h.CustomValues = nil, -53, []float64{0.1, 0.5, 1, 2.5, 5, 10}
		h.PositiveSpans, h.PositiveDeltas = []writev2.BucketSpan{{Offset: 0, Length: 6}}, []int64{2, 1, 2, 3, -1, -2}
	}
	return h
}

// TestWriteLikeCompliance asks what prometheus/compliance asks of a receiver of
// 2.0, and whether what was said to be written can be queried.
func TestWriteLikeCompliance(t *testing.T) {
	s := newServer(t, "")
	up, trace := called("up", "job", "test", "instance", "localhost:9090"), map[string]string{"trace_id": "abc", "span_id": "1"}
	type row struct {
		name    string
		in      []entry
		code    int
		written string
		found   []string // metrics whose value can be asked for
	}
	rows := []row{
		{"newlines", []entry{{labels: called("up", "job", "test\njob\n")}}, 204, "1 0 0", []string{`up{job="test\njob\n"}`}},
		{"dots", []entry{{labels: called("resource.cpu.usage", "job.name", "x")}}, 204, "1 0 0", []string{`{"resource.cpu.usage","job.name"="x"}`}},
		{"blanks", []entry{{labels: called("resource cpu usage", "job name", "x")}}, 204, "1 0 0", []string{`{"resource cpu usage"}`}},
		{"no name", []entry{{labels: map[string]string{"job": "x"}}}, 400, "0 0 0", nil},
		{"an empty name", []entry{{labels: called("", "job", "x")}}, 400, "0 0 0", nil},
		{"no labels", []entry{{labels: map[string]string{}}}, 400, "0 0 0", nil},
		{"one without a name", []entry{{labels: map[string]string{"job": "x"}}, {labels: called("p1")}, {labels: called("p2")}}, 400, "2 0 0", []string{"p1", "p2"}},
		{"only metadata", []entry{{labels: called("orphan"), empty: true, metadata: writev2.Metadata_METRIC_TYPE_COUNTER}}, 400, "0 0 0", nil},
		{"an exemplar of nobody", []entry{{labels: called("orphan"), empty: true, exemplar: trace}}, 400, "0 0 0", nil},
		{"an exemplar by itself", []entry{{labels: called("whose")}, {labels: called("whose"), empty: true, exemplar: trace}}, 204, "1 0 1", []string{"whose"}},
		{"exemplars", []entry{{labels: called("e1"), exemplar: trace}, {labels: called("e2", "region", "🌍"), exemplar: map[string]string{"trace_id": "测试"}}, {labels: called("e3"), exemplar: map[string]string{}}}, 204, "3 0 3", []string{"e1", "e2", "e3"}},
		{"a series at three times", []entry{{labels: called("l"), ago: 50 * time.Minute, exemplar: trace}, {labels: called("l"), ago: time.Minute, exemplar: trace}, {labels: called("l"), exemplar: trace}}, 204, "3 0 3", []string{"l"}},
		{"falling times", []entry{{labels: called("f")}, {labels: called("f"), ago: time.Minute}}, 204, "2 0 0", []string{"f"}},
		{"a time twice", []entry{{labels: called("d"), value: 1}, {labels: called("d"), value: 2}, {labels: called("d"), value: 1}}, 400, "2 0 0", []string{"d"}},
		{"metadata", []entry{{labels: called("described"), metadata: writev2.Metadata_METRIC_TYPE_GAUGE}}, 204, "1 0 0", []string{"described"}},
		{"histograms", []entry{{labels: called("h1"), histogram: histogramOf(27, true, false)}, {labels: called("h2"), histogram: histogramOf(24, false, false), exemplar: trace}}, 204, "0 2 1", []string{"histogram_count(h1)", "histogram_count(h2)"}},
		{"bounds of its own", []entry{{labels: called("h3"), histogram: histogramOf(30, false, true)}}, 204, "0 1 0", []string{"histogram_count(h3)"}},
		{"an empty histogram", []entry{{labels: called("h4"), histogram: &writev2.Histogram{Count: &writev2.Histogram_CountInt{}}}}, 204, "0 1 0", []string{"histogram_count(h4)"}},
		{"a bad count", []entry{{labels: called("h5"), histogram: histogramOf(99, false, false)}, {labels: called("p3")}}, 400, "1 0 0", []string{"p3"}},
		{"far ahead", []entry{{labels: called("ahead"), ago: -time.Hour}}, 400, "0 0 0", nil},
		{"nothing", nil, 204, "0 0 0", nil},
	}
	for _, v := range []float64{1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		rows = append(rows, row{fmt.Sprint("value ", v), []entry{{labels: up, value: v}}, 204, "1 0 0", []string{`up{instance="localhost:9090"}`}})
	}
	rows = append(rows, row{"a stale marker", []entry{{labels: called("p1"), value: narthex.StaleMarker()}}, 204, "1 0 0", nil})
	now := time.Now()
	for _, r := range rows {
		now = now.Add(time.Millisecond)
		body := request2(t, now, r.in...)
		for i, again := range []string{"", " again"} { // a retry gets the same answer
			code, written, answer := remoteWrite(t, s.url(), remotewrite.V2, body)
			if code != r.code || written != r.written {
				t.Errorf("%s%s: %d, written %s, want %d, %s: %s", r.name, again, code, written, r.code, r.written, answer)
			}
			if i == 0 && code == 400 && !strings.Contains(answer, `"errorType":"bad_data"`) {
				t.Errorf("%s: %s", r.name, answer)
			}
		}
		for _, expr := range r.found {
			if got := query(t, s.url(), expr, now.Add(time.Second)); len(got) != 1 {
				t.Errorf("%s: %s finds %v", r.name, expr, got)
			}
		}
	}
	if got := query(t, s.url(), "p1", now.Add(time.Second)); len(got) != 0 {
		t.Errorf("after a stale marker: %v", got)
	}
}

// TestWriteBesideLedger writes to a series that the ledger keeps.
func TestWriteBesideLedger(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	if code, answer := s.push(`{"counters":[{"name":"kept_total","add":5}]}`); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	now := time.Now()
	code, written, answer := remoteWrite(t, s.url(), remotewrite.V2, request2(t, now, entry{labels: called("kept_total"), value: 99}, entry{labels: called("free"), value: 7}))
	if code != 400 || written != "1 0 0" || !strings.Contains(answer, "kept_total: the ledger keeps this series (as a counter)") {
		t.Errorf("%d, written %s: %s", code, written, answer)
	}
	if got := s.value("free"); got != "7" {
		t.Errorf("free is %s", got)
	}
	eventually(t, "the ledger's total", func() bool { return s.value("kept_total") == "5" })
	// 1.0 is answered alike: the rest is stored, and no header counts it.
	body, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: []prompb.Label{{Name: "__name__", Value: "kept_total"}}, Samples: []prompb.Sample{{Value: 99, Timestamp: now.UnixMilli()}}},
		{Labels: []prompb.Label{{Name: "__name__", Value: "old"}}, Samples: []prompb.Sample{{Value: 8, Timestamp: now.UnixMilli()}}},
	}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if code, written, answer = remoteWrite(t, s.url(), remotewrite.V1, s2.EncodeSnappy(nil, body)); code != 400 || written != "- - -" || s.value("old") != "8" {
		t.Errorf("1.0: %d, written %s: %s", code, written, answer)
	}
}

// TestWriteSurvivesKill kills the program after an answer.
func TestWriteSurvivesKill(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	code, _, answer := remoteWrite(t, s.url(), remotewrite.V2, request2(t, time.Now(), entry{labels: called("durable"), value: 3}))
	if code != 204 {
		t.Fatalf("%d %s", code, answer)
	}
	s.kill()
	s.start()
	if got := s.value("durable"); got != "3" {
		t.Errorf("after a kill: %q", got)
	}
}

// TestWriteNode writes with npm's prometheus-remote-write, which says neither
// encoding nor version and sorts no labels.
func TestWriteNode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("clients", "node")
	npmInstall(t, dir)
	s := newServer(t, "")
	now := time.Now()
	cmd := exec.Command("node", "write.mjs", s.url(), fmt.Sprint(now.UnixMilli()))
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	const want = "pushTimeseries 204 \npushMetrics 204 \nagain 204 \nnameless 400 " +
		"1 samples or series were refused, the others are stored; the first: {a=\"1\",service=\"npm\"}: it has no metric name: set the label __name__\n"
	if err != nil || string(out) != want {
		t.Fatalf("%v\n%s\nwant\n%s", err, out, want)
	}
	for expr, want := range map[string]string{
		`npm_queue{a="1",b="2",zone="z",service="npm"}`: "2.5", `npm_cpu{service="npm"}`: "0.25", "npm_ram": "17", "npm_good": "3",
	} {
		if got := s.value(expr); got != want {
			t.Errorf("%s is %q, want %s", expr, got, want)
		}
	}
	if got := samples(t, s.url(), "npm_queue"); len(got) != 2 {
		t.Errorf("npm_queue has %v", got)
	}
}

// TestWritePrometheus has Debian's Prometheus write its own metrics to us. At
// each second both have the same series with the same values.
func TestWritePrometheus(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	targets := filepath.Join(t.TempDir(), "self.json") // where it is is known once it runs
	prom := startPrometheus(t, fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs: [{job_name: self, file_sd_configs: [{files: [%q]}]}]
remote_write: [{url: %q}]
`, targets, s.url()+"/api/v1/write")).base
	if err := os.WriteFile(targets, fmt.Appendf(nil, `[{"targets": [%q]}]`, strings.TrimPrefix(prom, "http://")), 0o600); err != nil {
		t.Fatal(err)
	}
	want := scaled(60, 10)
	for _, n := range []int{want / 2, want} { // each may take a minute
		eventually(t, fmt.Sprint(n, " scrapes"), func() bool {
			r := query(t, prom, `count_over_time(up{job="self"}[5m])`, time.Time{})
			if len(r) != 1 {
				return false
			}
			got, err := strconv.Atoi(r[0].Value.v)
			return err == nil && got >= n
		})
	}
	last := time.Now().Truncate(time.Second)
	all := func(base string, at time.Time) map[string]string {
		out := make(map[string]string)
		for _, r := range query(t, base, `{job="self"}`, at) {
			var labels []string
			for _, k := range slices.Sorted(maps.Keys(r.Metric)) {
				labels = append(labels, k+"="+r.Metric[k])
			}
			out[strings.Join(labels, ",")] = r.Value.v
		}
		return out
	}
	eventually(t, "the last scrape has arrived", func() bool { return cmp.Equal(all(prom, last), all(s.url(), last)) })
	for i := range want - 2 {
		at := last.Add(-time.Duration(i) * time.Second)
		theirs, ours := all(prom, at), all(s.url(), at)
		if len(theirs) < 100 {
			t.Fatalf("at %v Prometheus has %d series", at, len(theirs))
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("%d seconds before the last (-prometheus +narthex)\n%s", i, diff)
		}
	}
}
