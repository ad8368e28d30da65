package test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"narthex/app"
	"narthex/config"
	"narthex/remotewrite"
	"narthex/tsdb"
)

const (
	writeSeries   = 2000 // of a request, one sample each, as Prometheus sends them
	writeRequests = 40   // of a sender, in a round
	writeRounds   = 3
)

// BenchmarkRemoteWrite compares samples received over remote write into the
// embedded TSDB: our door with all that stands before it in the program, and
// Prometheus's own handler, over a TSDB with the same options. Both get the same
// bodies in turn, A B A B; the figures are medians of the rounds. Ours has them
// on the disk when it answers, Prometheus leaves them to the operating system.
func BenchmarkRemoteWrite(b *testing.B) {
	for _, v := range []remotewrite.Version{remotewrite.V2, remotewrite.V1} {
		for _, senders := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/senders=%d", v, senders), func(b *testing.B) { benchmarkWrite(b, v, senders) })
		}
	}
}

func benchmarkWrite(b *testing.B, v remotewrite.Version, senders int) {
	targets := []*writeTarget{
		{name: "narthex", handler: narthexWriter(b)},
		{name: "prometheus", handler: prometheusWriter(b)},
	}
	at := time.Now().Add(-time.Hour).UnixMilli()
	rounds := writeRounds
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds + 1 {
		bodies := make([][][]byte, senders)
		for s := range senders {
			for i := range writeRequests {
				bodies[s] = append(bodies[s], writeBody(b, v, s, at+int64(round*writeRequests+i)*1000))
			}
		}
		for i := range targets {
			t := targets[(i+round)%len(targets)]
			t.load(b, v, bodies)
			if round == 0 { // the series are new
				t.rates = nil
			}
		}
	}
	for _, t := range targets {
		slices.Sort(t.rates)
		b.ReportMetric(t.rate(), t.name+"_samples/s")
	}
	b.ReportMetric(0, "ns/op")
}

// writeTarget is a handler under load.
type writeTarget struct {
	name    string
	handler http.Handler
	rates   []float64
}

func (t *writeTarget) rate() float64 { return t.rates[len(t.rates)/2] }

// load sends the bodies, each sender's one after the other.
func (t *writeTarget) load(b *testing.B, v remotewrite.Version, bodies [][][]byte) {
	b.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	for _, own := range bodies {
		wg.Go(func() {
			for _, body := range own {
				r := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
				r.Host = "localhost"
				r.Header.Set("Content-Type", v.ContentType())
				r.Header.Set("Content-Encoding", remotewrite.ContentEncoding)
				w := httptest.NewRecorder()
				t.handler.ServeHTTP(w, r)
				if w.Code != http.StatusNoContent {
					b.Errorf("%s: %d %s", t.name, w.Code, w.Body)
					return
				}
			}
		})
	}
	wg.Wait()
	t.rates = append(t.rates, float64(len(bodies)*writeRequests*writeSeries)/time.Since(start).Seconds())
}

func narthexWriter(b *testing.B) http.Handler {
	b.Helper()
	c := config.Default()
	c.Data = b.TempDir()
	db, err := tsdb.Open(filepath.Join(c.Data, "tsdb"), tsdb.Options{Retention: c.Storage.Retention, OutOfOrderTimeWindow: c.Storage.OutOfOrderTimeWindow})
	if err != nil {
		b.Fatal(err)
	}
	a, err := app.New(context.Background(), app.Options{Config: c, Sink: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := a.Close(); err != nil {
			b.Error(err)
		}
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return a.Handler()
}

func prometheusWriter(b *testing.B) http.Handler {
	b.Helper()
	c := config.Default()
	o := promtsdb.DefaultOptions()
	o.RetentionDuration = c.Storage.Retention.Milliseconds()
	o.OutOfOrderTimeWindow = c.Storage.OutOfOrderTimeWindow.Milliseconds()
	o.WALCompression = compression.Snappy
	o.EnableExemplarStorage, o.MaxExemplars = true, 100_000
	log := slog.New(slog.DiscardHandler)
	db, err := promtsdb.Open(b.TempDir(), log, client.NewRegistry(), o, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	both := remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}
	return remote.NewWriteHandler(log, client.NewRegistry(), db, both, false, false, false)
}

// writeBody is a request with the series of the sender.
func writeBody(b *testing.B, v remotewrite.Version, sender int, at int64) []byte {
	b.Helper()
	var req2 writev2.Request
	var req1 prompb.WriteRequest
	symbols := writev2.NewSymbolTable()
	for i := range writeSeries {
		labels := []string{
			"__name__", fmt.Sprintf("http_requests_%d_total", i%20),
			"code", fmt.Sprint(200 + i%5), "environment", "production", "handler", fmt.Sprintf("/api/v1/things/%d", i/100),
			"instance", fmt.Sprintf("10.0.%d.%d:9090", sender, i%100), "job", "shop", "method", "GET", "region", "eu-central-1",
		}
		value := float64(at/1000 + int64(i))
		one := prompb.TimeSeries{Samples: []prompb.Sample{{Value: value, Timestamp: at}}}
		two := writev2.TimeSeries{Samples: []writev2.Sample{{Value: value, Timestamp: at}}}
		for j := 0; j < len(labels); j += 2 {
			one.Labels = append(one.Labels, prompb.Label{Name: labels[j], Value: labels[j+1]})
			two.LabelsRefs = append(two.LabelsRefs, symbols.Symbolize(labels[j]), symbols.Symbolize(labels[j+1]))
		}
		two.Metadata = writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: symbols.Symbolize("Requests that were answered.")}
		req1.Timeseries, req2.Timeseries = append(req1.Timeseries, one), append(req2.Timeseries, two)
	}
	req2.Symbols = symbols.Symbols()
	var body []byte
	var err error
	if v == remotewrite.V2 {
		body, err = req2.Marshal()
	} else {
		body, err = req1.Marshal()
	}
	if err != nil {
		b.Fatal(err)
	}
	return s2.EncodeSnappy(nil, body)
}
