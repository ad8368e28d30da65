package test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	promclient "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"narthex"
)

// receiver is a real store that takes remote write and answers PromQL.
type receiver struct {
	write string // the address to write to
	base  string // of the HTTP API that answers queries
	// refuses says that it turns samples away that contradict what it has;
	// VictoriaMetrics takes anything.
	refuses bool
	native  bool               // takes native histograms
	visible func(t testing.TB) // makes what was written visible; nil if it is at once
}

func (r receiver) query(t testing.TB, expr string, at time.Time) []result {
	t.Helper()
	if r.visible != nil {
		r.visible(t)
	}
	return query(t, r.base, expr, at)
}

// startReceiver are those that run here, by name. Those of which the binary is
// named by a variable of the environment are there if it is.
func startReceiver() map[string]func(t testing.TB) receiver {
	all := map[string]func(t testing.TB) receiver{
		"Prometheus 3, no window": func(t testing.TB) receiver { return inProcess(t, 0) },
		"Prometheus 3, 1h window": func(t testing.TB) receiver { return inProcess(t, time.Hour) },
		"Prometheus of Debian": func(t testing.TB) receiver {
			base := startPrometheus(t, windowConfig).base
			return receiver{write: base + "/api/v1/write", base: base, refuses: true}
		},
		"VictoriaMetrics": victoria,
	}
	if path := os.Getenv("NARTHEX_PROMETHEUS3"); path != "" {
		all["Prometheus 3 server"] = func(t testing.TB) receiver {
			base := startPeer(t, path, "/-/ready", windowConfig, prometheusArgs).base
			return receiver{write: base + "/api/v1/write", base: base, refuses: true, native: true}
		}
	}
	if path := os.Getenv("NARTHEX_MIMIR"); path != "" {
		all["Mimir"] = func(t testing.TB) receiver {
			p := startPeer(t, path, "/ready", mimirConfig, func(dir, file, addr string) []string {
				_, port, _ := net.SplitHostPort(addr)
				return []string{"-config.file", file, "-server.http-listen-port", port}
			})
			return receiver{write: p.base + "/api/v1/push", base: p.base + "/prometheus", refuses: true, native: true}
		}
	}
	return all
}

const windowConfig = "storage: {tsdb: {out_of_order_time_window: 1h}}\n"

// mimirConfig is for one process with everything in it, and DIR for its data.
const mimirConfig = `
multitenancy_enabled: false
server: {http_listen_address: 127.0.0.1, grpc_listen_address: 127.0.0.1, grpc_listen_port: 0, log_level: error}
common: {storage: {backend: filesystem, filesystem: {dir: DIR/common}}}
blocks_storage: {storage_prefix: blocks, tsdb: {dir: DIR/tsdb}, bucket_store: {sync_dir: DIR/sync}}
compactor: {data_dir: DIR/compactor, sharding_ring: {kvstore: {store: memberlist}}}
distributor: {ring: {instance_addr: 127.0.0.1, kvstore: {store: memberlist}}}
ingester: {ring: {instance_addr: 127.0.0.1, kvstore: {store: memberlist}, replication_factor: 1, min_ready_duration: 0s}}
ruler_storage: {backend: local, local: {directory: DIR/rules}}
alertmanager_storage: {backend: local, local: {path: DIR/alerts}}
store_gateway: {sharding_ring: {replication_factor: 1}}
memberlist: {bind_addr: [127.0.0.1], bind_port: 0}
limits: {out_of_order_time_window: 1h, native_histograms_ingestion_enabled: true, max_global_series_per_user: 0, ingestion_rate: 1000000, ingestion_burst_size: 1000000}
usage_stats: {enabled: false}
`

// victoria starts VictoriaMetrics, which shows new samples after a second or so
// unless it is asked to at once.
func victoria(t testing.TB) receiver {
	p := startPeer(t, "victoria-metrics", "/health", "", func(dir, _, addr string) []string {
		return []string{"-storageDataPath", filepath.Join(dir, "data"), "-httpListenAddr", addr, "-retentionPeriod", "1", "-search.latencyOffset", "0s", "-search.disableCache",
			"-search.maxStalenessInterval", "5m", "-graphiteListenAddr", "", "-opentsdbListenAddr", "", "-loggerLevel", "ERROR"}
	})
	return receiver{write: p.base + "/api/v1/write", base: p.base, visible: func(t testing.TB) {
		resp, err := http.Get(p.base + "/internal/force_flush")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}}
}

// inProcess is Prometheus 3's own TSDB behind its own remote-write handler.
func inProcess(t testing.TB, window time.Duration) receiver {
	t.Helper()
	dir, err := os.MkdirTemp("", "narthex-tsdb-")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	o := promtsdb.DefaultOptions()
	o.OutOfOrderTimeWindow = window.Milliseconds()
	o.EnableExemplarStorage, o.MaxExemplars = true, 100_000
	db, err := promtsdb.Open(dir, quiet, nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{Logger: quiet, MaxSamples: 1e8, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	mux := http.NewServeMux()
	mux.Handle("/api/v1/write", remote.NewWriteHandler(quiet, promclient.NewRegistry(), db,
		remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}, false, false, false))
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		if s, err := strconv.ParseFloat(r.FormValue("time"), 64); err == nil {
			at = time.UnixMilli(int64(s * 1000))
		}
		q, err := engine.NewInstantQuery(r.Context(), db, nil, r.FormValue("query"), at)
		if err == nil {
			defer q.Close()
			res := q.Exec(r.Context())
			if err = res.Err; err == nil {
				json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": res.Value.Type(), "result": res.Value}})
				return
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"status": "error", "error": fmt.Sprint(err)})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		db.Close()
		engine.Close()
		os.RemoveAll(dir)
	})
	return receiver{write: srv.URL + "/api/v1/write", base: srv.URL, refuses: true, native: true}
}

// TestReceiversAreReal: each answers a query at all, so that the tests that
// follow do not compare nothing with nothing.
func TestReceiversAreReal(t *testing.T) {
	for name, start := range startReceiver() {
		t.Run(name, func(t *testing.T) {
			rc := start(t)
			c := remoteClient(t, rc.write, nil)
			at := time.Now().Add(-10 * time.Second).Truncate(time.Second) // VictoriaMetrics does not show the last second
			b := remoteBatch(remoteSample("up", at, 42))
			if err := c.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
				t.Fatal(err, b.Rejected)
			}
			if got := rc.query(t, "up", at); len(got) != 1 || got[0].Value.v != "42" {
				t.Errorf("stored: %v", got)
			}
		})
	}
}

// A Prometheus 2 without native histograms answers 500 to them. The other series
// of the request are stored all the same, and nothing is tried for ever.
func TestNativeHistogramsThatAreDisabled(t *testing.T) {
	t.Parallel()
	rc := startReceiver()["Prometheus of Debian"](t)
	client := remoteClient(t, rc.write, nil)
	at := time.Now().Truncate(time.Second)
	native := remoteSample("native_seconds", at, 0)
	native.Type = narthex.TypeHistogram
	native.Samples[0].Histogram = &narthex.Histogram{Count: 3, ZeroCount: 3}
	b := remoteBatch(remoteSample("before_total", at, 1), native, remoteSample("later_total", at, 2))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	if len(b.Rejected) != 1 || !strings.Contains(b.Rejected[0].Series, "native_seconds") {
		t.Errorf("rejected: %v", b.Rejected)
	}
	for expr, want := range map[string]string{"before_total": "1", "later_total": "2"} {
		if r := rc.query(t, expr, at); len(r) != 1 || r[0].Value.v != want {
			t.Errorf("%s is %v, want %s", expr, r, want)
		}
	}
}
