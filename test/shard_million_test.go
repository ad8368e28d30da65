package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex"
	"narthex/internal/awstest"
	"narthex/remotewrite"
	"narthex/shard"
	"narthex/state"
)

// counter is a receiver that counts samples and forgets them.
type counter struct {
	t                         testing.TB
	url                       string
	requests, samples, zeroes atomic.Int64
	bytes                     atomic.Int64
}

func newCounter(t testing.TB) *counter {
	c := &counter{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	packed, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	body, err := s2.Decode(nil, packed)
	if err != nil {
		c.t.Error(err)
	}
	version := remotewrite.V1
	if strings.Contains(r.Header.Get("Content-Type"), "v2") {
		version = remotewrite.V2
	}
	const lots = 1 << 20
	in, err := remotewrite.Decode(version, string(body), remotewrite.Limits{Series: lots, Values: 20 * lots, Labels: 50 * lots})
	if err != nil {
		c.t.Error(err)
		return
	}
	n := 0
	for _, s := range in.Series {
		n += len(s.Samples)
		for _, x := range s.Samples {
			if x.Value == 0 {
				c.zeroes.Add(1)
			}
		}
	}
	c.requests.Add(1)
	c.samples.Add(int64(n))
	c.bytes.Add(int64(len(packed)))
	w.Header().Set(remotewrite.HeaderSamplesWritten, strconv.Itoa(n))
	w.Header().Set(remotewrite.HeaderHistogramsWritten, "0")
	w.Header().Set(remotewrite.HeaderExemplarsWritten, "0")
	w.WriteHeader(http.StatusNoContent)
}

// millionSeries is one push of n series, from the first-th on, as a web service
// with many routes has them.
func millionSeries(t testing.TB, id string, first, n int) *narthex.Batch {
	b := &narthex.Batch{ID: id, Received: time.Now()}
	for i := first; i < first+n; i++ {
		ls, err := narthex.NewLabels(
			narthex.Label{Name: narthex.MetricName, Value: fmt.Sprintf("http_server_requests_%d_total", i%20)},
			narthex.Label{Name: "service", Value: fmt.Sprintf("service-%d", i%50)},
			narthex.Label{Name: "method", Value: []string{"GET", "POST", "PUT", "DELETE"}[i%4]},
			narthex.Label{Name: "route", Value: fmt.Sprintf("/api/v1/things/%d", i)},
			narthex.Label{Name: "status", Value: []string{"200", "404", "500"}[i%3]},
		)
		if err != nil {
			t.Fatal(err)
		}
		b.Series = append(b.Series, narthex.Series{Labels: ls, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}})
	}
	return b
}

// peak returns the largest resident set that a process has had, in bytes.
func peak(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the kernel does not tell VmHWM")
	return 0
}

// A function with 128 MiB scrapes a million series.
func TestShardMillion(t *testing.T) {
	const groups, perPush = 32, 10_000
	series := scaled(1_000_000, 40_000)
	endpoint := awstest.S3(t)
	address := "s3://" + awstest.Bucket + "/million"
	store, err := state.Open(t.Context(), address, state.Options{AWS: awstest.Options(endpoint)})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	s, err := shard.Open(t.Context(), shard.Options{Store: store, Groups: groups, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for first := 0; first < series; first += perPush {
		if err := s.Write(t.Context(), millionSeries(t, fmt.Sprint(first), first, perPush)); err != nil {
			t.Fatal(err)
		}
	}
	filled := time.Since(start)
	size := 0
	for n := range groups {
		e, err := store.Load(t.Context(), fmt.Sprintf("e1/%03d", n))
		if err != nil || e.Data == nil {
			t.Fatal(err)
		}
		size += len(e.Data)
	}
	t.Logf("%d series in %d groups: pushed in %v (%d pushes), %.1f bytes a series", series, groups, filled.Round(time.Millisecond), series/perPush, float64(size)/float64(series))

	to := newCounter(t)
	env := append(awsEnv(map[string]string{"s3": endpoint}), "NARTHEX_STATE="+address, "NARTHEX_INTERVAL=1s", "NARTHEX_TELEMETRY=false", "NARTHEX_REMOTE_WRITE_URL="+to.url, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128")
	f := startFunction(t, env...)
	for _, x := range []struct {
		what            string
		samples, zeroes int
	}{{"zeros and values", 2 * series, series}, {"values", series, 0}, {"values", series, 0}} {
		to.samples.Store(0)
		to.zeroes.Store(0)
		start := time.Now()
		var out struct{ Samples int }
		for out.Samples == 0 { // until the next tick is due
			a := f.invoke(map[string]string{"narthex": "tick"})
			if a.killed || a.failed || json.Unmarshal(a.body, &out) != nil {
				t.Fatalf("the tick was answered %s", a.body)
			}
		}
		if int(to.samples.Load()) != x.samples || int(to.zeroes.Load()) != x.zeroes {
			t.Errorf("%s: the receiver got %d samples with %d zeros", x.what, to.samples.Load(), to.zeroes.Load())
		}
		t.Logf("a scrape of %s took %v, %.1f MiB resident at most", x.what, time.Since(start).Round(time.Millisecond), float64(peak(t, f.cmd.Process.Pid))/(1<<20))
		figure(t, map[bool]string{true: "first_scrape_s", false: "scrape_s"}[x.zeroes > 0], time.Since(start).Seconds())
	}
	start = time.Now()
	if status, answer := f.http("POST", "/api/v1/push", `{"counters":[{"name":"one_total","add":1}]}`); status != 200 {
		t.Fatal(status, answer)
	}
	one := time.Since(start)
	start = time.Now()
	body, err := json.Marshal(map[string]any{"counters": manyCounters(1000)})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := f.http("POST", "/api/v1/push", string(body)); status != 200 {
		t.Fatal(status, answer)
	}
	t.Logf("a push of one counter took %v, of 1,000 in all groups %v", one.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	figure(t, "series", float64(series))
	figure(t, "state_B/series", float64(size)/float64(series))
	figure(t, "push_ms", float64(one.Microseconds())/1000)
	figure(t, "MiB", mebibytes(peak(t, f.cmd.Process.Pid)))
	const limit = 128 << 20
	if got := peak(t, f.cmd.Process.Pid); got > limit {
		t.Errorf("the function had %.1f MiB resident, want 128 at most", float64(got)/(1<<20))
	} else {
		t.Logf("%.1f MiB resident at most, %d requests, %.1f MiB on the wire", float64(got)/(1<<20), to.requests.Load(), float64(to.bytes.Load())/(1<<20))
	}
}

func manyCounters(n int) (list []map[string]any) {
	for i := range n {
		list = append(list, map[string]any{"name": "many_total", "labels": map[string]string{"i": fmt.Sprint(i)}, "add": 1})
	}
	return list
}
