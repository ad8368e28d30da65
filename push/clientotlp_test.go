package push_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"narthex"
	"narthex/otlp"
	"narthex/push"
)

// What a client pushes as increments, histograms among them, arrives as it was.
func TestClientPushesHistograms(t *testing.T) {
	var got []narthex.Series
	mux := http.NewServeMux()
	push.Mount(mux, push.Options{
		Sink: narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
			got = slices.Clone(b.Series)
			b.Reject("bad", "for a test")
			return nil
		}),
		OTLP: otlp.Options{}, Logger: slog.New(slog.DiscardHandler),
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	values := []float64{0.0001, 0.003, 0.003, 0.2, 7, 40}
	classic, _ := narthex.ParseLayout(narthex.DefaultLayout)
	native, _ := narthex.ParseLayout(narthex.NativeLayout)
	series := func(name string, typ narthex.Type, v float64, h *narthex.Histogram) narthex.Series {
		labels, _ := narthex.NewLabels(narthex.Label{Name: narthex.MetricName, Value: name}, narthex.Label{Name: "route", Value: "/a/{id}"})
		return narthex.Series{Labels: labels, Type: typ, As: narthex.AsDelta, Help: "Help.", Samples: []narthex.Sample{{Value: v, Histogram: h}}}
	}
	want := []narthex.Series{
		series("a_total", narthex.TypeCounter, 2.5, nil),
		series("b_seconds", narthex.TypeHistogram, 0, classic.Histogram(values)),
		series("c_seconds", narthex.TypeHistogram, 0, native.Histogram(values)),
	}
	client := &push.Client{URL: server.URL}
	b := &narthex.Batch{ID: "id", Series: want}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(narthex.Sample{}, "Time", "Start"), cmpopts.IgnoreFields(narthex.Series{}, "Family"),
		cmpopts.IgnoreFields(narthex.Histogram{}, "ZeroThreshold"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	if len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Reason, "for a test") {
		t.Errorf("rejected: %v", b.Rejected)
	}
	broken := classic.Histogram(values)
	broken.Positive.Counts[0] = 0.5
	err := client.Write(ctx, &narthex.Batch{ID: "half", Series: []narthex.Series{series("b_seconds", narthex.TypeHistogram, 0, broken)}})
	if !narthex.IsRejected(err) {
		t.Errorf("half an observation: %v", err)
	}
}
