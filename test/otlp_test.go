package test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// goMeter is the Go SDK with an exporter to base.
func goMeter(t *testing.T, base string, o ...otlpmetrichttp.Option) (*sdk.MeterProvider, metric.Meter) {
	t.Helper()
	o = append(o, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{
		Enabled: true, InitialInterval: time.Millisecond, MaxInterval: 10 * time.Millisecond, MaxElapsedTime: time.Minute,
	}))
	exporter, err := otlpmetrichttp.New(context.Background(), o...)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewMeterProvider(
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "go"), attribute.String("service.namespace", "shop"), attribute.String("service.instance.id", "i-2"),
			attribute.String("host.name", "zug-2"), attribute.StringSlice("os.args", []string{"a", "b"}), attribute.Int("process.pid", 7))),
		sdk.WithReader(sdk.NewPeriodicReader(exporter, sdk.WithInterval(time.Hour))),
		sdk.WithView(sdk.NewView(sdk.Instrument{Name: "work.size"}, sdk.Stream{Aggregation: sdk.AggregationBase2ExponentialHistogram{MaxSize: 40, MaxScale: 20}})),
	)
	t.Cleanup(func() { provider.Shutdown(context.Background()) })
	return provider, provider.Meter("narthex-test", metric.WithInstrumentationVersion("1.0.0"))
}

// goWork measures something with each instrument and exports it, n times.
func goWork(provider *sdk.MeterProvider, m metric.Meter, n int) error {
	var errs []error
	must := func(err error) { errs = append(errs, err) }
	orders, err := m.Int64Counter("orders", metric.WithUnit("{order}"), metric.WithDescription("Orders."))
	must(err)
	sent, err := m.Float64Counter("sent", metric.WithUnit("By"))
	must(err)
	busy, err := m.Int64UpDownCounter("busy")
	must(err)
	duration, err := m.Float64Histogram("http.server.request.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.1, 0.5, 1))
	must(err)
	size, err := m.Int64Histogram("work.size", metric.WithUnit("By"))
	must(err)
	load, err := m.Float64Gauge("system.load", metric.WithUnit("1"))
	must(err)
	_, err = m.Int64ObservableGauge("queue", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(3, metric.WithAttributes(attribute.String("queue.name", "Käse")))
		return nil
	}))
	must(err)
	ctx := context.Background()
	for i := 1; i <= n; i++ {
		orders.Add(ctx, int64(i), metric.WithAttributes(attribute.String("http.method", "GET"), attribute.Bool("vip", true)))
		orders.Add(ctx, 1, metric.WithAttributes(attribute.String("http.method", "PUT"), attribute.Bool("vip", false)))
		sent.Add(ctx, 1.5)
		busy.Add(ctx, int64(2-3*(i%2)))
		duration.Record(ctx, float64(i)/4, metric.WithAttributes(attribute.String("http.route", "/a")))
		size.Record(ctx, int64(i*i))
		load.Record(ctx, float64(i)/10)
		must(provider.ForceFlush(ctx))
		// Two exports in one millisecond would say two things of one time.
		for at := time.Now().UnixMilli(); time.Now().UnixMilli() <= at; {
		}
	}
	return errors.Join(errs...)
}

// nodeExport runs the Node SDK.
func nodeExport(t *testing.T, args ...string) {
	t.Helper()
	dir := filepath.Join("clients", "otel")
	npmInstall(t, dir)
	cmd := exec.Command("node", append([]string{"export.mjs"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "done\n" {
		t.Fatalf("export.mjs %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Cumulative exports, some of them sent twice or more, become the series that
// Prometheus's own receiver makes of the same bytes: names, labels, times,
// values, native histograms and exemplars.
func TestOTLPCumulative(t *testing.T) {
	t.Parallel()
	for name, export := range map[string]func(t *testing.T, base string){
		"go": func(t *testing.T, base string) {
			provider, m := goMeter(t, base)
			if err := goWork(provider, m, 3); err != nil {
				t.Fatal(err)
			}
		},
		"go gzip": func(t *testing.T, base string) {
			provider, m := goMeter(t, base, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
			if err := goWork(provider, m, 3); err != nil {
				t.Fatal(err)
			}
		},
		"node proto": func(t *testing.T, base string) { nodeExport(t, base, "proto", "cumulative", "3") },
		"node json":  func(t *testing.T, base string) { nodeExport(t, base, "json", "cumulative", "3") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "scrape_interval: 1s\n")
			m := newMiddle(t, s.url(), failing)
			export(t, m.URL)
			want := stored(t, m.replay(t))
			if len(want) < 14 {
				t.Fatalf("only %d series", len(want))
			}
			var got []string
			eventually(t, "all samples", func() bool { got = stored(t, s.url()); return len(got) == len(want) })
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-prometheus +narthex)\n%s", d)
			}
		})
	}
}

// Increments are counted once, whatever the exporters have to send again.
func TestOTLPDelta(t *testing.T) {
	t.Parallel()
	for name, export := range map[string]func(t *testing.T, base string, n int){
		"go": func(t *testing.T, base string, n int) {
			provider, m := goMeter(t, base, otlpmetrichttp.WithTemporalitySelector(sdk.DeltaTemporalitySelector))
			if err := goWork(provider, m, n); err != nil {
				t.Fatal(err)
			}
		},
		"node proto": func(t *testing.T, base string, n int) { nodeExport(t, base, "proto", "delta", fmt.Sprint(n)) },
		"node json":  func(t *testing.T, base string, n int) { nodeExport(t, base, "json", "delta", fmt.Sprint(n)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "scrape_interval: 1s\n")
			m := newMiddle(t, s.url(), failing)
			const n = 24
			export(t, m.URL, n)
			if m.n < 2*n {
				t.Errorf("%d requests for %d exports: the exporter did not have to retry", m.n, n)
			}
			seconds := 0.25 * n * (n + 1) / 2
			for expr, want := range map[string]string{
				`sum(orders_total{http_method="GET",vip="true"})`:             fmt.Sprint(n * (n + 1) / 2),
				`sum(orders_total{http_method="PUT",vip="false"})`:            fmt.Sprint(n),
				`sum(sent_bytes_total)`:                                       fmt.Sprint(1.5 * n),
				`sum(http_server_request_duration_seconds_count)`:             fmt.Sprint(n),
				`sum(http_server_request_duration_seconds_sum)`:               fmt.Sprint(seconds),
				`sum(http_server_request_duration_seconds_bucket{le="0.5"})`:  "2",
				`sum(http_server_request_duration_seconds_bucket{le="+Inf"})`: fmt.Sprint(n),
				`histogram_count(sum(work_size_bytes))`:                       fmt.Sprint(n),
				`histogram_sum(sum(work_size_bytes))`:                         fmt.Sprint(n * (n + 1) * (2*n + 1) / 6),
				`count(orders_total{job=~"shop/.+",instance=~"i-.+"})`:        "2",
				`sum(system_load_ratio)`:                                      "2.4",
				`sum(queue{queue_name="Käse"})`:                               "3",
				`sum(busy)`:                                                   "12",
				`count(target_info{host_name=~"zug-.",process_pid="7"})`:      "1",
			} {
				eventually(t, expr+" is "+want+", not "+s.value(expr), func() bool { return s.value(expr) == want })
			}
		})
	}
}

// The same while the program is killed and started again.
func TestOTLPKilled(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\n")
	m := newMiddle(t, s.url(), failing)
	provider, meter := goMeter(t, m.URL, otlpmetrichttp.WithTemporalitySelector(sdk.DeltaTemporalitySelector))
	const n = 300
	done := make(chan error, 1)
	go func() { done <- goWork(provider, meter, n) }()
	for _, at := range []int{50, 250, 450} {
		eventually(t, fmt.Sprint(at, " requests"), func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.n >= at
		})
		s.kill()
		s.start()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]int{
		`sum(orders_total{http_method="GET"})`:                        n * (n + 1) / 2,
		`sum(orders_total{http_method="PUT"})`:                        n,
		`sum(http_server_request_duration_seconds_count)`:             n,
		`sum(http_server_request_duration_seconds_bucket{le="+Inf"})`: n,
		`histogram_count(sum(work_size_bytes))`:                       n,
	} {
		eventually(t, expr+" is "+fmt.Sprint(want), func() bool { return s.value(expr) == fmt.Sprint(want) })
	}
}
