package accesslog_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex"
	"narthex/accesslog"
)

// fuzzLog reads arbitrary logs as one format: whatever is in them, each line is
// accounted for, each request counted once, and what is made of them can be
// sent on.
func fuzzLog(f *testing.F, o accesslog.Options, logs ...string) {
	for _, name := range logs {
		log, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(log)
		for line := range bytes.Lines(log) {
			f.Add(line)
		}
	}
	o.MaxLine, o.MaxSeries = 4096, 200
	r, err := accesslog.New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		counts, err := r.Read(t.Context(), "log", bytes.NewReader(log))
		if err != nil {
			return // a header of another program's, or bytes that look compressed
		}
		checkReport(t, counts.Report)
		checkSeries(t, counts)
		lines := int64(bytes.Count(log, []byte("\n"))) + 1
		if r := counts.Report; r.Lines+r.Ignored < lines-1 && !bytes.HasPrefix(log, []byte{0x1f, 0x8b}) && !bytes.HasPrefix(log, []byte{0x28, 0xb5}) {
			t.Errorf("%d lines of %d are accounted for", r.Lines+r.Ignored, lines)
		}
	})
}

// checkSeries holds what is true of all that is made of logs.
func checkSeries(t *testing.T, counts *accesslog.Counts) {
	t.Helper()
	scheme := narthex.NameScheme{MaxValue: 512}
	counted, seen, per := 0.0, map[string]bool{}, map[string]int{}
	for _, s := range counts.Series() {
		if err := scheme.Check(s.Labels); err != nil {
			t.Fatalf("%s: %v", s.Labels, err)
		}
		if key := s.Labels.String(); seen[key] {
			t.Fatalf("%s is there twice", key)
		} else {
			seen[key] = true
		}
		name := s.Labels.Get(narthex.MetricName)
		per[name]++
		for _, p := range s.Samples {
			if h := p.Histogram; h != nil {
				checkHistogram(t, s.Labels, h)
			} else if p.Value < 0 || math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
				t.Fatalf("%s: %v", s.Labels, p.Value)
			}
			switch name {
			case "http_requests_total", "tls_connections_total", "lambda_invocations_total", "orders_total":
				counted += p.Value
			}
		}
	}
	if counted != float64(counts.Report.Counted) && counts.Report.Format != "lambda" && counts.Report.Format != "emf" {
		t.Fatalf("%v requests in the series, %d in the report", counted, counts.Report.Counted)
	}
	for name, n := range per {
		if n > 200 {
			t.Fatalf("%s has %d series", name, n)
		}
	}
}

func checkHistogram(t *testing.T, labels narthex.Labels, h *narthex.Histogram) {
	t.Helper()
	sum := h.ZeroCount
	for _, n := range h.Positive.Counts {
		sum += n
	}
	if sum != h.Count || h.Count <= 0 || h.Sum < 0 || math.IsNaN(h.Sum) || math.IsInf(h.Sum, 0) {
		t.Fatalf("%s: %+v", labels, h)
	}
}

func FuzzAuto(f *testing.F) {
	fuzzLog(f, accesslog.Options{}, "common.log", "s3.log", "alb.log", "lambda.log")
}

func FuzzCloudFront(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "cloudfront", Fields: strings.Fields("timestamp sc-status cs-method cs-uri-stem time-taken")},
		"cloudfront_v1.log", "cloudfront_v2.w3c.log", "cloudfront_12.log", "realtime.log")
}

func FuzzCloudFrontJSON(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "cloudfront-json"}, "cloudfront_v2.json")
}

func FuzzALB(f *testing.F) { fuzzLog(f, accesslog.Options{Format: "alb"}, "alb.log") }
func FuzzELB(f *testing.F) { fuzzLog(f, accesslog.Options{Format: "elb"}, "elb.log") }
func FuzzNLB(f *testing.F) { fuzzLog(f, accesslog.Options{Format: "nlb"}, "nlb.log") }
func FuzzS3(f *testing.F)  { fuzzLog(f, accesslog.Options{Format: "s3", PerMinute: true}, "s3.log") }

func FuzzAPIGateway(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "apigateway"}, "apigateway.json", "apigateway_clf.log")
}

func FuzzLambda(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "lambda", EMF: parseOrders}, "lambda.log", "lambda.json", "emf.json")
}

func FuzzEMF(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "emf", EMF: parseOrders}, "emf.json")
}

func FuzzCommon(f *testing.F) {
	fuzzLog(f, accesslog.Options{Format: "common"}, "common.log", "combined.log")
}

func FuzzJSON(f *testing.F) {
	o := goldens()["mapping.json"]
	o.Format, o.Metrics = "json", nil
	fuzzLog(f, o, "mapping.json", "nginx.json")
}

// FuzzRoutes gives arbitrary patterns and paths: what a path matches is one of
// the patterns, and what is learned can be learned again.
func FuzzRoutes(f *testing.F) {
	f.Add("GET /v1/users/{id}\n/a/**\n/**.js", "/v1/users/1\n/a\n/x.js\n/%41/b")
	f.Add("/{a}-{b}\n/*", "/x-y\n//\n/..")
	f.Fuzz(func(t *testing.T, patterns, paths string) {
		o := accesslog.Options{Routes: strings.Split(patterns, "\n"), FanOut: 2, MaxRoutes: 5}
		if _, err := accesslog.New(o); err != nil {
			o.Routes = nil
		}
		o.Learn = true
		r := newReader(t, o)
		var log strings.Builder
		for p := range strings.SplitSeq(paths, "\n") {
			log.WriteString(request("GET", p, 200))
		}
		counts, err := r.Read(t.Context(), "log", strings.NewReader(log.String()))
		if err != nil {
			return
		}
		checkSeries(t, counts)
		state := r.Learned()
		again := newReader(t, o)
		if err := again.Learn(state); err != nil {
			t.Fatalf("%v: %q", err, state)
		}
		if got := again.Learned(); !bytes.Equal(got, state) {
			t.Fatalf("learned %q, then %q", state, got)
		}
	})
}

// FuzzLearn gives arbitrary states.
func FuzzLearn(f *testing.F) {
	f.Add([]byte("narthex-routes 1\nroute /a/{id}\nroute /a/{name}/b\nasset .js\nvalue host\ta.example\n"))
	f.Fuzz(func(t *testing.T, state []byte) {
		r := newReader(t, accesslog.Options{FanOut: 3, MaxRoutes: 10})
		if r.Learn(state) != nil {
			return
		}
		again := newReader(t, accesslog.Options{FanOut: 3, MaxRoutes: 10})
		if err := again.Learn(r.Learned()); err != nil || !bytes.Equal(again.Learned(), r.Learned()) {
			t.Fatalf("%v: %q, then %q", err, r.Learned(), again.Learned())
		}
	})
}
