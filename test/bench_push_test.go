package test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	benchClients = 16
	benchRounds  = 3
	benchSeries  = 30
)

// BenchmarkPush compares durable pushes to narthex's Pushgateway door with a
// real Pushgateway, which keeps data in memory, and with a floor: a server that
// reads the body and commits it to a file in groups, one fsync each, and does
// nothing else. All run at once and are loaded in turn, A B C A B C, by the same
// 16 clients. The figures are medians of the rounds: one, where a push to a
// Pushgateway takes twenty seconds.
func BenchmarkPush(b *testing.B) {
	for _, x := range []struct {
		groups, rounds int
		time           time.Duration
	}{
		{1, benchRounds, time.Second}, {100, benchRounds, time.Second},
		{10_000, 1, 15 * time.Second}, // from tick to tick, which is some work
	} {
		b.Run(fmt.Sprint("groups=", x.groups), func(b *testing.B) {
			if testing.Short() {
				x.groups, x.rounds, x.time = min(x.groups, 1000), 1, 100*time.Millisecond
			}
			benchmarkPush(b, x.groups, x.rounds, x.time)
		})
	}
}

func benchmarkPush(b *testing.B, groups, rounds int, each time.Duration) {
	s := newServer(b, fmt.Sprintf("limits: {series_per_source: %d}\n", 2*benchSeries*groups)) // by default 50,000
	targets := []*target{
		{name: "narthex", url: s.url()},
		{name: "pushgateway"},
		{name: "unchecked"}, // Pushgateway without its consistency check
		{name: "floor", url: groupCommitFloor(b)},
	}
	targets[0].fill(b, groups)
	targets[1].url, targets[2].url = pushgateways(b, groups) // meanwhile all series are born
	for range rounds {
		for _, t := range targets {
			t.load(b, groups, each)
		}
	}
	for _, t := range targets {
		b.ReportMetric(t.rate(), t.name+"_pushes/s")
		b.ReportMetric(t.p99().Seconds()*1000, t.name+"_p99_ms")
	}
	b.ReportMetric(float64(residentBytes(b, s.Process().Pid))/float64(groups*benchSeries), "memory_B/series")
	if err := s.stop(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(diskBytes(b, filepath.Join(s.dir, "data", "ledger")))/float64(groups*benchSeries), "ledger_B/series")
	b.ReportMetric(0, "ns/op")
}

// target is a server under load.
type target struct {
	name, url string
	rates     []float64
	latencies []time.Duration
}

func (t *target) rate() float64 {
	slices.Sort(t.rates)
	return t.rates[len(t.rates)/2]
}

func (t *target) p99() time.Duration {
	slices.Sort(t.latencies)
	return t.latencies[len(t.latencies)*99/100]
}

func benchBody(r *rand.Rand) []byte {
	var b bytes.Buffer
	for i := range benchSeries / 2 / 2 {
		fmt.Fprintf(&b, "# TYPE requests_%d_total counter\nrequests_%d_total{code=\"200\"} %d\nrequests_%d_total{code=\"500\"} %d\n", i, i, r.IntN(1e6), i, r.IntN(100))
	}
	fmt.Fprintf(&b, "# TYPE temperature gauge\ntemperature{room=\"a\"} %v\ntemperature{room=\"b\"} %v\n", r.Float64(), r.Float64())
	b.WriteString("# TYPE duration_seconds histogram\n")
	n := 0
	for _, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} {
		n += r.IntN(10)
		fmt.Fprintf(&b, "duration_seconds_bucket{le=%q} %d\n", le, n)
	}
	fmt.Fprintf(&b, "duration_seconds_sum %v\nduration_seconds_count %d\n", r.Float64()*100, n)
	return b.Bytes()
}

func benchClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchClients}}
}

func (t *target) push(c *http.Client, r *rand.Rand, group int) error {
	req, err := http.NewRequest(http.MethodPut, fmt.Sprintf("%s/metrics/job/bench/instance/%d", t.url, group), bytes.NewReader(benchBody(r)))
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s: %s: %s", t.name, resp.Status, text)
	}
	return nil
}

// fill pushes each group once.
func (t *target) fill(b *testing.B, groups int) {
	b.Helper()
	work := make(chan int)
	c := benchClient()
	var wg sync.WaitGroup
	for i := range benchClients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for g := range work {
				if err := t.push(c, r, g); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for g := range groups {
		work <- g
	}
	close(work)
	wg.Wait()
}

// load pushes to random groups for a while and notes the rate.
func (t *target) load(b *testing.B, groups int, d time.Duration) {
	b.Helper()
	c := benchClient()
	start := time.Now()
	var mu sync.Mutex
	n := 0
	var wg sync.WaitGroup
	for i := range benchClients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), uint64(len(t.rates)+2)))
			var took []time.Duration
			for time.Since(start) < d {
				at := time.Now()
				if err := t.push(c, r, r.IntN(groups)); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			n += len(took)
			t.latencies = append(t.latencies, took...)
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	t.rates = append(t.rates, float64(n)/time.Since(start).Seconds())
}

// pushgateways starts Debian's Pushgateway with and without its consistency
// check, both filled.
func pushgateways(b *testing.B, groups int) (checked, unchecked string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "persisted")
	url, stop := pushgateway(b, "--push.disable-consistency-check", "--persistence.file", file)
	(&target{name: "pushgateway", url: url}).fill(b, groups)
	stop()
	other := file + "-2"
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(other, data, 0o600); err != nil {
		b.Fatal(err)
	}
	checked, _ = pushgateway(b, "--persistence.file", file)
	unchecked, _ = pushgateway(b, "--push.disable-consistency-check", "--persistence.file", other)
	return checked, unchecked
}

func pushgateway(t testing.TB, args ...string) (url string, stop func()) {
	t.Helper()
	path, err := exec.LookPath("prometheus-pushgateway")
	if err != nil {
		t.Fatal("this needs the Pushgateway: apt-get install prometheus-pushgateway")
	}
	addr := freePort(t)
	cmd := exec.Command(path, append(args, "--web.listen-address", addr)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	t.Cleanup(stop)
	ready(t, "the pushgateway", "http://"+addr+"/-/ready")
	return "http://" + addr, stop
}

// groupCommitFloor is what the disk and the HTTP server allow: bodies are
// written to a file and synced together.
func groupCommitFloor(b *testing.B) string {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	type write struct {
		body []byte
		done chan error
	}
	queue := make(chan write, benchClients)
	go func() {
		off := int64(0)
		for w := range queue {
			group, data := []write{w}, w.body
			for more := true; more; {
				select {
				case w := <-queue:
					group, data = append(group, w), append(data, w.body...)
				default:
					more = false
				}
			}
			_, err := f.WriteAt(data, off)
			if off += int64(len(data)); err == nil {
				err = f.Sync()
			}
			for _, w := range group {
				w.done <- err
			}
		}
	}()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x := write{body, make(chan error, 1)}
		queue <- x
		if err := <-x.done; err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	b.Cleanup(func() { s.Close(); close(queue); f.Close() })
	return s.URL
}

func residentBytes(t testing.TB, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

func diskBytes(t testing.TB, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
