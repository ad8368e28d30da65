package scrape_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/openmetrics"
	"narthex/scrape"
)

// once scrapes a server of the handler once and returns what came of it, by the
// metric's name and its label le.
func once(t *testing.T, change func(*scrape.Job), h http.HandlerFunc) map[string]narthex.Series {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	got := make(chan *narthex.Batch, 10)
	job := scrape.Job{Name: "j", Interval: time.Second, Timeout: time.Second, Targets: []scrape.Group{{Targets: []string{strings.TrimPrefix(srv.URL, "http://")}}}}
	if change != nil {
		change(&job)
	}
	s, err := scrape.New(scrape.Options{Jobs: []scrape.Job{job}, Logger: slog.New(slog.DiscardHandler), Sink: narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		got <- b
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	b := <-got
	cancel()
	<-done
	out := make(map[string]narthex.Series)
	for _, x := range b.Series {
		out[x.Labels.Get("__name__")+x.Labels.Get("le")] = x
	}
	if out["up"].Samples[0].Value != 1 {
		t.Fatalf("the scrape failed: %v", s.Targets()[0].Err)
	}
	if b.Received.IsZero() || out["up"].Samples[0].Time > b.Received.UnixMilli() {
		t.Errorf("received %s, up at %d", b.Received, out["up"].Samples[0].Time)
	}
	return out
}

func TestOpenMetrics(t *testing.T) {
	got := once(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", openmetrics.OpenMetrics.ContentType())
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		z.Write([]byte("# HELP a Help.\n# TYPE a counter\na_total 5 # {trace=\"x\"} 1\na_created 1000.5\n" +
			"# UNIT t_seconds seconds\n# TYPE t_seconds gauge\nt_seconds 1 1500.25\n# EOF\n"))
	})
	a, at := got["a_total"], got["up"].Samples[0].Time
	if a.Samples[0].Value != 5 || a.Samples[0].Start != 1000_500 || a.Samples[0].Time != at || a.Type != narthex.TypeCounter || a.Help != "Help." {
		t.Errorf("a_total is %+v", a)
	}
	if len(a.Exemplars) != 1 || a.Exemplars[0].Value != 1 || a.Exemplars[0].Time != at {
		t.Errorf("exemplars %+v", a.Exemplars)
	}
	if g := got["t_seconds"]; g.Samples[0].Time != 1500_250 || g.Unit != "seconds" {
		t.Errorf("t_seconds is %+v", g)
	}
	if _, there := got["a_created"]; there {
		t.Error("a_created is a series of its own")
	}
}

func TestOwnTimes(t *testing.T) {
	got := once(t, func(j *scrape.Job) { j.OwnTimes, j.Plain = true, true }, func(w http.ResponseWriter, r *http.Request) {
		if e := r.Header.Get("Accept-Encoding"); e != "identity" {
			t.Errorf("Accept-Encoding: %s", e)
		}
		w.Write([]byte("a 1 1500\n"))
	})
	if got["a"].Samples[0].Time != got["up"].Samples[0].Time {
		t.Errorf("a is %+v", got["a"])
	}
}

// TestHistograms: a histogram that is both native and classic is kept as the one
// that was asked for.
func TestHistograms(t *testing.T) {
	both := []openmetrics.Family{{Name: "h", Type: narthex.TypeHistogram, Metrics: []openmetrics.Metric{{
		Histogram: &narthex.Histogram{Schema: 0, Count: 3, Sum: 6, ZeroThreshold: 1e-128, Positive: narthex.Buckets{Spans: []narthex.Span{{Offset: 1, Length: 1}}, Counts: []float64{3}}},
		Classic:   &narthex.Histogram{Schema: narthex.CustomBounds, Count: 3, Sum: 6, Bounds: []float64{1}, Positive: narthex.Buckets{Counts: []float64{0, 3}}},
	}}}}
	for _, native := range []bool{false, true} {
		got := once(t, func(j *scrape.Job) { j.NativeHistograms = native }, func(w http.ResponseWriter, r *http.Request) {
			if first := strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.google.protobuf"); first != native {
				t.Errorf("native %t: Accept: %s", native, r.Header.Get("Accept"))
			}
			w.Header().Set("Content-Type", openmetrics.Protobuf.ContentType())
			var b bytes.Buffer
			if err := openmetrics.WriteProtobuf(&b, both); err != nil {
				t.Error(err)
			}
			w.Write(b.Bytes())
		})
		if _, classic := got["h_bucket+Inf"]; classic == native {
			t.Errorf("native %t: the classic one is there: %t", native, classic)
		}
		if h, there := got["h"]; there != native || native && (h.Samples[0].Histogram == nil || h.Samples[0].Histogram.Count != 3) {
			t.Errorf("native %t: got %+v", native, h)
		}
	}
}
