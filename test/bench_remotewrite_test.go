package test

import (
	"context"
	wire "encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	promclient "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	promcommon "github.com/prometheus/common/config"

	"narthex"
	"narthex/remotewrite"
)

// The load of the benchmark: one sample of each series at each tick.
const (
	sendSeries = 2000
	sendTicks  = 100
	sendTotal  = sendSeries * sendTicks
)

// BenchmarkSend compares narthex's remote-write client with Prometheus's queue
// manager over the same series: one connection's worth of requests of 2,000
// samples, to a server that only counts. Narthex is given batches; Prometheus
// reads its write-ahead log, from the first record on, because there is no other
// way into its queues. Both are told not to send metadata. Allocations are all
// of the process, so those of the server count for both. Figures are medians.
func BenchmarkSend(b *testing.B) {
	for _, v := range []remotewrite.Version{remotewrite.V1, remotewrite.V2} {
		b.Run(v.String(), func(b *testing.B) {
			dir := walOf(b)
			var ours, theirs []cost
			rounds := benchRounds
			if testing.Short() {
				rounds = 1
			}
			for range rounds {
				ours = append(ours, sendNarthex(b, v))
				theirs = append(theirs, sendPrometheus(b, v, dir))
			}
			for name, costs := range map[string][]cost{"narthex": ours, "prometheus": theirs} {
				b.ReportMetric(medianOf(costs, func(c cost) float64 { return sendTotal / c.took.Seconds() }), name+"_samples/s")
				b.ReportMetric(medianOf(costs, func(c cost) float64 { return float64(c.cpu.Nanoseconds()) / sendTotal }), name+"_cpu_ns/sample")
				b.ReportMetric(medianOf(costs, func(c cost) float64 { return float64(c.mallocs) / sendTotal }), name+"_allocs/sample")
				b.ReportMetric(medianOf(costs, func(c cost) float64 { return float64(c.wire) / sendTotal }), name+"_B/sample")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// cpuTime is what the process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type cost struct {
	took    time.Duration
	cpu     time.Duration
	mallocs uint64
	wire    int
}

func medianOf(costs []cost, of func(cost) float64) float64 {
	var all []float64
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// benchLabels are a series' labels, of the size that a pod's have.
func benchLabels(i int) []string {
	return []string{"__name__", "http_server_requests_total", "code", strconv.Itoa(200 + i%5), "instance", fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250),
		"job", "checkout", "method", []string{"GET", "POST"}[i%2], "namespace", "shop", "path", "/api/v1/orders/" + strconv.Itoa(i%40)}
}

func benchValue(series, tick int) float64 { return float64(series*7 + tick*(1+series%13)) }

// counting is a server that counts the samples of requests without allocating
// for them, and answers as 2.0 wants it.
type counting struct {
	mu      sync.Mutex
	zipped  []byte
	body    []byte
	samples int
	wire    int
	all     chan struct{}
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zipped = slices.Grow(c.zipped[:0], int(r.ContentLength))[:r.ContentLength]
	if _, err := io.ReadFull(r.Body, c.zipped); err != nil {
		return
	}
	var err error
	if c.body, err = snappy.Decode(c.body[:cap(c.body)], c.zipped); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n := topLevel(c.body, r.Header.Get(remotewrite.HeaderVersion) == remotewrite.HeaderVersionV2)
	c.samples, c.wire = c.samples+n, c.wire+len(c.zipped)
	w.Header().Set(remotewrite.HeaderSamplesWritten, strconv.Itoa(n))
	w.WriteHeader(http.StatusNoContent)
	if c.samples >= sendTotal {
		close(c.all)
	}
}

// topLevel counts the series of a message, each of which has one sample.
func topLevel(body []byte, two bool) (n int) {
	field := uint64(1)
	if two {
		field = 5
	}
	for len(body) > 0 {
		tag, k := wire.Uvarint(body)
		size, l := wire.Uvarint(body[k:])
		if tag>>3 == field {
			n++
		}
		body = body[k+l+int(size):]
	}
	return n
}

// measure runs send, and pokes until the server has all samples.
func measure(b *testing.B, send func(url string), poke func()) cost {
	b.Helper()
	c := &counting{all: make(chan struct{})}
	srv := httptest.NewServer(c)
	defer srv.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, worked := time.Now(), cpuTime(b)
	send(srv.URL)
	late, again := time.After(time.Minute), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for arrived := false; !arrived; {
		select {
		case <-c.all:
			arrived = true
		case <-again.C:
			poke()
		case <-late:
			b.Fatal("the samples did not arrive within a minute")
		}
	}
	took, busy := time.Since(start), cpuTime(b)-worked
	runtime.ReadMemStats(&after)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.samples != sendTotal {
		b.Fatalf("%d samples arrived, not %d", c.samples, sendTotal)
	}
	return cost{took, busy, after.Mallocs - before.Mallocs, c.wire}
}

func sendNarthex(b *testing.B, v remotewrite.Version) cost {
	series := make([]narthex.Series, sendSeries)
	samples := make([]narthex.Sample, sendSeries)
	for i := range series {
		ls := benchLabels(i)
		for k := 0; k < len(ls); k += 2 {
			series[i].Labels = append(series[i].Labels, narthex.Label{Name: ls[k], Value: ls[k+1]})
		}
		series[i].Samples = samples[i : i+1 : i+1]
	}
	start := time.Now().Add(time.Hour).UnixMilli()
	return measure(b, func(url string) {
		c := remoteClient(b, url, func(o *remotewrite.Options) { o.Version, o.Concurrency, o.NoMetadata = v, 1, true })
		for tick := range sendTicks {
			for i := range samples {
				samples[i] = narthex.Sample{Time: start + int64(tick)*15_000, Value: benchValue(i, tick)}
			}
			if err := c.Write(context.Background(), &narthex.Batch{Series: series, Totals: true}); err != nil {
				b.Fatal(err)
			}
		}
	}, func() {})
}

// walOf writes the load into a TSDB and returns its directory. The samples lie
// ahead of now: those before its start a queue does not send.
func walOf(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	o := promtsdb.DefaultOptions()
	db, err := promtsdb.Open(dir, slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		b.Fatal(err)
	}
	db.DisableCompactions()
	defer db.Close()
	start := time.Now().Add(time.Hour).UnixMilli()
	for tick := range sendTicks {
		app := db.Appender(context.Background())
		for i := range sendSeries {
			if _, err := app.Append(0, labels.FromStrings(benchLabels(i)...), start+int64(tick)*15_000, benchValue(i, tick)); err != nil {
				b.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func sendPrometheus(b *testing.B, v remotewrite.Version, dir string) cost {
	if _, err := os.Stat(dir); err != nil {
		b.Fatal(err)
	}
	// The TSDB would notify it of each commit; else a queue looks every 15 s.
	ws := remote.NewWriteStorage(slog.New(slog.DiscardHandler), promclient.NewRegistry(), dir, time.Second, nil, false)
	defer ws.Close()
	return measure(b, func(to string) {
		u, err := url.Parse(to)
		if err != nil {
			b.Fatal(err)
		}
		rw := promconfig.DefaultRemoteWriteConfig
		rw.URL = &promcommon.URL{URL: u}
		rw.Name = "bench"
		rw.MetadataConfig.Send = false
		rw.QueueConfig.MinShards, rw.QueueConfig.MaxShards = 1, 1
		rw.QueueConfig.BatchSendDeadline = model.Duration(time.Second)
		if v == remotewrite.V2 {
			rw.ProtobufMessage = remoteapi.WriteV2MessageType
		}
		c := &promconfig.Config{GlobalConfig: promconfig.DefaultGlobalConfig, RemoteWriteConfigs: []*promconfig.RemoteWriteConfig{&rw}}
		if err := ws.ApplyConfig(c); err != nil {
			b.Fatal(err)
		}
	}, ws.Notify)
}
