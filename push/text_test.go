package push_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/push"
)

// What stands in a body once and in many of its series must not cost its length
// for each of them: neither to refuse it, nor to keep it.
func TestRepeatedTextIsBounded(t *testing.T) {
	const body = 1 << 20
	mux := http.NewServeMux()
	push.Mount(mux, push.Options{
		Sink:   narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }),
		Names:  narthex.NameScheme{MaxLabels: 150, MaxName: 128, MaxValue: 2048},
		Limits: push.Limits{Body: body},
		Now:    func() time.Time { return now },
	})
	big := strings.Repeat("x", body/2)
	wide := narthexLabels(60, strings.Repeat("v", 2000))
	for _, c := range []struct {
		name, path, contentType, body string
		code                          int
		says                          string
	}{
		{"service", "/api/v1/push", "application/json", `{"service":"` + big + `","counters":[` + strings.Repeat(`{"name":"a","add":1},`, 5000) + `{"name":"a","add":1}]}`, 400, "the limit is 2048"},
		{"symbol", push.WritePath, v2Type, symbolBody(t, [][]string{{"l", big}}, 3000), 400, "3000 samples or series were refused"},
		{"symbols that are short enough", push.WritePath, v2Type, symbolBody(t, wide, 3000), 413, "more than 8388608 bytes once each has its own"},
		{"few of them", push.WritePath, v2Type, symbolBody(t, wide, 10), 204, ""},
		{"resource", "/v1/metrics", "application/json", otlpBody(strings.Repeat("j", 2000), 9000), 413, "more than 8388608 bytes once each has its own"},
		{"path", "/metrics/job/" + strings.Repeat("a/", 5000) + "b", "text/plain", "a 1\n", 400, "the limit is 8192"},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		mux.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %.300s, want %d %q", c.name, w.Code, w.Body, c.code, c.says)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
			t.Errorf("%s: %d MB were allocated", c.name, grown>>20)
		}
	}
}

const v2Type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

func narthexLabels(n int, value string) (out [][]string) {
	for i := range n {
		out = append(out, []string{fmt.Sprintf("l%02d", i), value})
	}
	return out
}

// symbolBody is a 2.0 body of so many series with the labels.
func symbolBody(t *testing.T, labels [][]string, n int) string {
	t.Helper()
	symbols := writev2.NewSymbolTable()
	refs := []uint32{symbols.Symbolize("__name__"), symbols.Symbolize("m")}
	for _, l := range labels {
		refs = append(refs, symbols.Symbolize(l[0]), symbols.Symbolize(l[1]))
	}
	req := writev2.Request{Symbols: symbols.Symbols()}
	for range n {
		req.Timeseries = append(req.Timeseries, writev2.TimeSeries{LabelsRefs: refs, Samples: []writev2.Sample{{Value: 1, Timestamp: now.UnixMilli()}}})
	}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(s2.EncodeSnappy(nil, body))
}

// otlpBody has a resource with a long name, and so many points.
func otlpBody(service string, n int) string {
	point := fmt.Sprintf(`{"timeUnixNano":"%d","asInt":"1"}`, now.UnixNano())
	return `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"` + service + `"}}]},` +
		`"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[` + strings.Repeat(point+",", n-1) + point + `]}}]}]}]}`
}
