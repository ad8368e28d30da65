package test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"narthex"
	"narthex/push"
	"narthex/tsdb"
)

// BenchmarkOTLP compares narthex's door for OpenTelemetry's metrics with
// Prometheus's: the same protobuf bodies of cumulative sums and explicit
// histograms, into the same kind of TSDB, in turn. Both run in this process and
// are called without a network between, and neither waits for the disk. The
// figures are medians of the rounds.
func BenchmarkOTLP(b *testing.B) {
	own := http.NewServeMux()
	db, err := tsdb.Open(b.TempDir(), tsdb.Options{OutOfOrderTimeWindow: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	push.Mount(own, push.Options{
		Sink: db, Samples: narthex.SinkFunc(db.WriteExact),
		Names: narthex.NameScheme{MaxLabels: 150, MaxName: 128, MaxValue: 2048},
	})
	handlers := []http.Handler{own, prometheusOTLP(b)}
	const bodies = 20
	rounds := 31
	if testing.Short() {
		rounds = 3
	}
	first := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
	rates := make([][]float64, len(handlers))
	samples := 0
	for round := range rounds {
		var all [][]byte
		for i := range bodies {
			var body []byte
			body, samples = otlpBody(b, first.Add(time.Duration(round*bodies+i)*time.Second), round*bodies+i)
			all = append(all, body)
		}
		for i := range handlers {
			i = (i + round) % len(handlers) // neither is always the first
			start := time.Now()
			for _, body := range all {
				postOTLP(b, handlers[i], body)
			}
			if round > 0 { // in the first the series are made
				rates[i] = append(rates[i], float64(bodies*samples)/time.Since(start).Seconds())
			}
		}
	}
	median := func(v []float64) float64 { slices.Sort(v); return v[len(v)/2] }
	ours, theirs := median(rates[0]), median(rates[1])
	b.ReportMetric(ours, "narthex_samples/s")
	b.ReportMetric(theirs, "prometheus_samples/s")
	b.ReportMetric(0, "ns/op")
}

// prometheusOTLP is Prometheus's own handler over a TSDB with the options that
// narthex's store has.
func prometheusOTLP(tb testing.TB) http.Handler {
	o := promtsdb.DefaultOptions()
	o.RetentionDuration = (30 * 24 * time.Hour).Milliseconds()
	o.MaxBlockDuration = (3 * 24 * time.Hour).Milliseconds()
	o.OutOfOrderTimeWindow = time.Hour.Milliseconds()
	o.EnableExemplarStorage, o.MaxExemplars = true, 100_000
	db, err := promtsdb.Open(tb.TempDir(), slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return remote.NewOTLPWriteHandler(slog.New(slog.DiscardHandler), nil, db, func() promconfig.Config {
		return promconfig.Config{OTLPConfig: promconfig.DefaultOTLPConfig}
	}, remote.OTLPOptions{})
}

// otlpBody is a service's export: 40 sums and 20 histograms of ten streams each.
func otlpBody(tb testing.TB, at time.Time, n int) (body []byte, samples int) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	for k, v := range map[string]string{"service.name": "shop", "service.instance.id": "7f3c", "host.name": "ip-10-0-0-1", "cloud.region": "eu-central-2"} {
		rm.Resource().Attributes().PutStr(k, v)
	}
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	samples = 1 // target_info
	at = at.Truncate(time.Millisecond)
	start := pcommon.NewTimestampFromTime(at.Add(-time.Hour))
	describe := func(m pcommon.Map, i int) {
		m.PutStr("http.request.method", []string{"GET", "POST"}[i%2])
		m.PutStr("http.route", fmt.Sprintf("/api/orders/%d", i/2))
		m.PutInt("http.response.status_code", int64(200+i))
	}
	for i := range 40 {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("shop.requests.%d", i))
		m.SetUnit("{request}")
		m.SetEmptySum().SetIsMonotonic(true)
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for j := range 10 {
			p := m.Sum().DataPoints().AppendEmpty()
			describe(p.Attributes(), j)
			p.SetStartTimestamp(start)
			p.SetTimestamp(pcommon.NewTimestampFromTime(at))
			p.SetIntValue(int64(n * (j + 1)))
			samples++
		}
	}
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	for i := range 20 {
		m := metrics.AppendEmpty()
		m.SetName(fmt.Sprintf("http.server.request.duration.%d", i))
		m.SetUnit("s")
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for j := range 10 {
			p := m.Histogram().DataPoints().AppendEmpty()
			describe(p.Attributes(), j)
			p.SetStartTimestamp(start)
			p.SetTimestamp(pcommon.NewTimestampFromTime(at))
			p.ExplicitBounds().FromRaw(bounds)
			for k := range len(bounds) + 1 {
				p.BucketCounts().Append(uint64(n * k))
			}
			p.SetCount(uint64(n * len(bounds) * (len(bounds) + 1) / 2))
			p.SetSum(float64(n) * 1.25)
			samples += len(bounds) + 3
		}
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		tb.Fatal(err)
	}
	return body, samples
}

func postOTLP(tb testing.TB, h http.Handler, body []byte) {
	r := httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-protobuf")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK || w.Body.Len() > 0 {
		tb.Fatalf("%d %q", w.Code, w.Body)
	}
}
