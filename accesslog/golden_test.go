package accesslog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex"
	"narthex/accesslog"
	"narthex/internal/golden"
)

// goldens are the logs in testdata and how they are read.
func goldens() map[string]accesslog.Options {
	return map[string]accesslog.Options{
		"cloudfront_v1.log":     {},
		"cloudfront_12.log":     {},
		"cloudfront_v2.w3c.log": {},
		"cloudfront_v2.json":    {},
		"cloudfront_v2.plain.log": {
			Format: "cloudfront", Delimiter: "|",
			Fields: strings.Fields("date time cs-method cs-uri-stem sc-status time-taken cache-behavior-path-pattern c-country sc-bytes"),
		},
		"realtime.log": {
			Fields: strings.Fields(`timestamp c-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem cs-bytes
				x-edge-location x-edge-request-id x-host-header time-taken cs-headers`),
			SamplingRate: 10, Routes: []string{"/v1/users/{id}", "POST /v1/users"}, Preset: "article",
		},
		"alb.log":            {},
		"elb.log":            {},
		"nlb.log":            {},
		"s3.log":             {},
		"apigateway.json":    {Preset: "article"},
		"apigateway_clf.log": {Format: "apigateway"},
		"lambda.log":         {},
		"lambda.json":        {},
		"common.log":         {},
		"combined.log":       {PerMinute: true},
		"nginx.json":         {},
		"mapping.json": {
			Mapping: map[string]string{"time": "ts", "status": "http.response.status", "response_bytes": "http.response.bytes",
				"method": "http.request.verb", "url": "http.request.uri", "duration_ms": "latency_ms"},
			Metrics: []accesslog.Metric{
				{Name: "api_requests_total", Of: "requests", Labels: []accesslog.Label{{Name: "code", From: "status"}, {Name: "tenant", From: "column:tenant"}, {Name: "route"}}},
				{Name: "api_duration_seconds", Of: "duration", Buckets: "default", Labels: []accesslog.Label{{Name: "route"}}, Help: "How long."},
				{Name: "api_response_size_bytes", Of: "response_bytes", Buckets: "native"},
			},
		},
		"emf.json": {EMF: parseOrders},
	}
}

// parseOrders stands for a reader of the embedded metric format.
func parseOrders(line []byte) ([]narthex.Series, error) {
	var v struct {
		Orders  float64
		Service string
	}
	if json.Unmarshal(line, &v) != nil {
		return nil, errors.New("no JSON")
	}
	v.Service = strings.ToValidUTF8(strings.Map(func(r rune) rune { return min(r, 'z') }, v.Service), "")
	labels, _ := narthex.NewLabels(narthex.Label{Name: narthex.MetricName, Value: "orders_total"}, narthex.Label{Name: "service", Value: v.Service[:min(len(v.Service), 99)]})
	return []narthex.Series{{Labels: labels, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: v.Orders}}}}, nil
}

// read reads a log with a reader of its own.
func read(t testing.TB, o accesslog.Options, name string, log []byte) *accesslog.Counts {
	t.Helper()
	counts, err := newReader(t, o).Read(t.Context(), name, bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func newReader(t testing.TB, o accesslog.Options) *accesslog.Reader {
	t.Helper()
	r, err := accesslog.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// expose writes series as an exposition, buckets only where their count rises.
func expose(series []narthex.Series) string {
	var b strings.Builder
	last := ""
	for _, s := range series {
		name := s.Labels.Get(narthex.MetricName)
		if name != last {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, s.Help, name, s.Type)
			last = name
		}
		for _, p := range s.Samples {
			at := ""
			if p.Time != 0 {
				at = fmt.Sprint(" ", p.Time)
			}
			if p.Histogram == nil {
				fmt.Fprintf(&b, "%s %v%s\n", s.Labels, p.Value, at)
				continue
			}
			exposeHistogram(&b, s.Labels, name, p.Histogram, at)
		}
	}
	return b.String()
}

func exposeHistogram(b *strings.Builder, labels narthex.Labels, name string, h *narthex.Histogram, at string) {
	sum := 0.0
	if h.Schema == narthex.CustomBounds {
		for i, n := range h.Positive.Counts {
			if sum += n; n == 0 || i == len(h.Bounds) {
				continue
			}
			fmt.Fprintf(b, "%s %v%s\n", labels.With(narthex.MetricName, name+"_bucket").With("le", narthex.FormatBound(h.Bounds[i])), sum, at)
		}
		fmt.Fprintf(b, "%s %v%s\n", labels.With(narthex.MetricName, name+"_bucket").With("le", "+Inf"), sum, at)
	} else {
		fmt.Fprintf(b, "# native schema %d: zero %v", h.Schema, h.ZeroCount)
		h.Positive.Each(func(i int32, n float64) { fmt.Fprintf(b, ", bucket %d: %v", i, n) })
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "%s %v%s\n", labels.With(narthex.MetricName, name+"_sum"), h.Sum, at)
	fmt.Fprintf(b, "%s %v%s\n", labels.With(narthex.MetricName, name+"_count"), h.Count, at)
}

// TestGolden compares what each log comes to with the golden file beside it:
// the exposition, then the report as comments.
func TestGolden(t *testing.T) {
	for name, o := range goldens() {
		t.Run(name, func(t *testing.T) {
			log, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			logName := name
			if strings.HasPrefix(name, "lambda") {
				logName = "/aws/lambda/checkout"
			}
			counts := read(t, o, logName, log)
			checkReport(t, counts.Report)
			report, err := json.MarshalIndent(counts.Report, "# ", " ")
			if err != nil {
				t.Fatal(err)
			}
			got := expose(counts.Series()) + "# " + string(report) + "\n"
			golden.Check(t, filepath.Join("testdata", name+".golden"), got)
		})
	}
}

// checkReport holds what is true of each report.
func checkReport(t testing.TB, r accesslog.Report) {
	t.Helper()
	reasons := int64(0)
	for _, n := range r.Reasons {
		reasons += n
	}
	if r.Lines != r.Counted+r.Rejected || r.Rejected != reasons {
		t.Errorf("lines %d, counted %d, rejected %d for reasons of %d", r.Lines, r.Counted, r.Rejected, reasons)
	}
}
