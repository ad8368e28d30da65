package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// gate is a port before a receiver that can be closed.
type gate struct {
	t      testing.TB
	addr   string
	to     *url.URL
	server *http.Server
}

func newGate(t testing.TB, to string) *gate {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t, addr: freePort(t), to: u}
	g.open()
	t.Cleanup(g.close)
	return g
}

func (g *gate) open() {
	ln, err := net.Listen("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.server = &http.Server{Handler: httputil.NewSingleHostReverseProxy(g.to)}
	go g.server.Serve(ln)
}

func (g *gate) close() { g.server.Close() }

// longLived is a long-lived program with metrics of its own.
type longLived struct {
	mu       sync.Mutex
	scrapes  int
	openText bool // OpenMetrics, with what only that has
}

func (p *longLived) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scrapes++
	n := p.scrapes
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	if p.openText && strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text") {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		defer fmt.Fprint(w, "# EOF\n")
	}
	fmt.Fprintf(w, "# HELP %[1]s What was done.\n# TYPE %[1]s counter\nwork_total{kind=\"a\",job=\"mine\"} %[2]d\nwork_total{kind=\"b\"} 7\n", map[bool]string{true: "work", false: "work_total"}[p.openText], n)
	fmt.Fprintf(w, "# TYPE temperature gauge\ntemperature{place=\"a \\\"b\\\" c\"} -3.5\ntemperature{place=\"nan\"} NaN\n")
	fmt.Fprintf(w, "# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.1\"} %d\ntook_seconds_bucket{le=\"+Inf\"} %d\ntook_seconds_sum %d\ntook_seconds_count %d\n", n, 2*n, n, 2*n)
	fmt.Fprintf(w, "# TYPE size_bytes summary\nsize_bytes{quantile=\"0.5\"} 3\nsize_bytes_sum 10\nsize_bytes_count 2\n")
	if n%5 != 0 { // now and then it is not there
		fmt.Fprintf(w, "# TYPE sometimes gauge\nsometimes %d\n", n)
	}
}

// destinations is what GET /api/v1/status/destinations says, by name.
func destinations(t testing.TB, base string) map[string]map[string]any {
	t.Helper()
	resp, err := http.Get(base + "/api/v1/status/destinations")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Destinations []map[string]any }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]map[string]any)
	for _, d := range answer.Data.Destinations {
		out[d["name"].(string)] = d
	}
	return out
}

// TestAgent: the program without a store scrapes and takes pushes for two
// destinations. Each of them is away for a while, the program is killed, and in
// the end both have every sample.
func TestAgent(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(&longLived{})
	defer target.Close()
	old := startPrometheus(t, windowConfig)
	fresh := inProcess(t, 0)
	door := newGate(t, fresh.base)
	s := newServer(t, fmt.Sprintf(`
storage: none
scrape_interval: 1s
external_labels: {agent: one}
remote_write:
  - {name: old, url: %s/api/v1/write, write_relabel_configs: [{regex: secret, action: labeldrop}]}
  - {name: fresh, url: "http://%s/api/v1/write", write_relabel_configs: [{regex: secret, action: labeldrop}]}
scrape_configs:
  - {job_name: worker, static_configs: [{targets: ["%s"], labels: {secret: x}}]}
`, old.base, door.addr, strings.TrimPrefix(target.URL, "http://")))

	pushed := 0
	push := func() {
		pushed++
		if code, answer := s.push(`{"counters":[{"name":"pushed_total","labels":{"x":"y"},"add":1}]}`); code != http.StatusOK {
			t.Fatalf("push %d: %d %v", pushed, code, answer)
		}
	}
	last := func(base string) string {
		if r := query(t, base, "pushed_total", time.Time{}); len(r) == 1 {
			return r[0].Value.v
		}
		return ""
	}
	has := func(what, base string) {
		t.Helper()
		push()
		eventually(t, what+" has the newest total", func() bool { return last(base) == strconv.Itoa(pushed) })
	}
	has("fresh", fresh.base)
	has("old", old.base)

	old.process.Signal(syscall.SIGSTOP)
	for range scaled(20, 4) {
		has("fresh, while the other hangs,", fresh.base)
	}
	eventually(t, "the one that hangs is seen to be down", func() bool { return destinations(t, s.url())["old"]["health"] == "down" })
	if d := destinations(t, s.url())["fresh"]; d["health"] != "up" {
		t.Errorf("fresh: %v", d)
	}
	s.kill() // with much on its way
	s.start()
	has("fresh, after a restart,", fresh.base)
	old.process.Signal(syscall.SIGCONT)
	has("old, when it goes on,", old.base)

	door.close()
	for range scaled(20, 4) {
		has("old, while the other is closed,", old.base)
	}
	eventually(t, "the one that is closed is seen to be down", func() bool {
		d := destinations(t, s.url())["fresh"]
		return d["health"] == "down" && d["error"] != ""
	})
	stopped := time.Now()
	if err := s.stop(); err != nil || time.Since(stopped) > 15*time.Second {
		t.Errorf("it stopped after %s: %v", time.Since(stopped), err)
	}
	s.start()
	door.open()
	has("fresh, when it is open again,", fresh.base)
	has("old, at the end,", old.base)
	eventually(t, "nothing waits", func() bool {
		for _, d := range destinations(t, s.url()) {
			if d["waitingBytes"] != 0.0 || d["health"] != "up" {
				return false
			}
		}
		return true
	})
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	same(t, old.base, fresh.base)
}

// same compares what two stores have of the agent.
func same(t *testing.T, one, other string) {
	t.Helper()
	const scraped = `{agent="one",__name__!="pushed_total"}[1h]`
	a, b := bySeries(t, one, scraped), bySeries(t, other, scraped)
	if len(a) < 12 || len(a[`up,agent=one,instance,job=worker`]) == 0 {
		t.Fatalf("too little was scraped: %d series", len(a))
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("the stores differ (-old +fresh):\n%s", d)
	}
	for _, base := range []string{one, other} {
		if r := query(t, base, `resets(pushed_total[1h])`, time.Time{}); len(r) != 1 || r[0].Value.v != "0" {
			t.Errorf("resets: %v", r)
		}
		if r := query(t, base, `count({secret!=""})`, time.Time{}); len(r) != 0 {
			t.Errorf("the label that relabelling drops is there: %v", r)
		}
	}
}

// bySeries returns the samples of an answer as texts, by the series' labels
// without their instance.
func bySeries(t testing.TB, base, expr string) map[string][]string {
	out := make(map[string][]string)
	for _, r := range query(t, base, expr, time.Time{}) {
		var parts []string
		for name, value := range r.Metric {
			switch name {
			case "__name__":
			case "instance":
				parts = append(parts, name)
			default:
				parts = append(parts, name+"="+value)
			}
		}
		slices.Sort(parts)
		key := strings.Join(append([]string{r.Metric["__name__"]}, parts...), ",")
		for _, p := range append(r.Values, r.Value) {
			if p.v != "" {
				out[key] = append(out[key], fmt.Sprintf("%.3f %s", p.t, p.v))
			}
		}
	}
	return out
}

// scrapeJob is one of the jobs that TestScrapeAsPrometheus has both do.
const scrapeJob = `
  - job_name: %[1]s
    scrape_interval: 1s
    scrape_timeout: 1s
    honor_labels: %[2]t
    params: {module: [a]}
    static_configs: [{targets: ["%[3]s"], labels: {env: %[1]s}}]
    relabel_configs:
      - {source_labels: [env, __param_module], separator: "-", target_label: both}
      - {source_labels: [__address__], modulus: 1, action: hashmod, target_label: shard}
    metric_relabel_configs:
      - {source_labels: [__name__, kind], regex: work_total;b, action: drop}
      - {source_labels: [place], regex: (.+), target_label: place_of, replacement: "in $1"}
      - {regex: place, action: labeldrop}
`

// TestScrapeAsPrometheus: the same targets, scraped by Prometheus and by narthex,
// give the same series.
func TestScrapeAsPrometheus(t *testing.T) {
	t.Parallel()
	theirs, mine := "scrape_configs:", "scrape_configs:"
	var jobs []string
	for format, open := range map[string]bool{"text": false, "openmetrics": true} {
		for honor, name := range map[bool]string{true: format + "_honor", false: format} {
			jobs = append(jobs, name)
			for _, config := range []*string{&theirs, &mine} {
				target := httptest.NewServer(&longLived{openText: open})
				t.Cleanup(target.Close)
				*config += fmt.Sprintf(scrapeJob, name, honor, strings.TrimPrefix(target.URL, "http://"))
			}
		}
	}
	p, s := startPrometheus(t, theirs), newServer(t, mine)
	for _, job := range jobs {
		t.Run(job, func(t *testing.T) { scrapedAlike(t, job, p.base, s.url()) })
	}
}

// scrapedAlike waits until both have the same series of a job.
func scrapedAlike(t *testing.T, job, prom, narthex string) {
	series := func(base string) []string {
		var keys []string
		for key, points := range bySeries(t, base, `last_over_time({env="`+job+`",__name__=~"work.*|temp.*|took.*|size.*|sometimes|up|scrape_samples.*|scrape_series.*|scrape_duration.*"}[1m])`) {
			if !strings.HasPrefix(key, "work") && !strings.HasPrefix(key, "took") && !strings.HasPrefix(key, "some") && !strings.HasPrefix(key, "scrape_") {
				key += " = " + points[0][strings.Index(points[0], " ")+1:]
			}
			keys = append(keys, key)
		}
		slices.Sort(keys)
		return keys
	}
	for _, base := range []string{prom, narthex} {
		eventually(t, "it was scraped some times", func() bool {
			r := query(t, base, `count_over_time(up{env="`+job+`"}[1m])`, time.Time{})
			if len(r) != 1 {
				return false
			}
			n, err := strconv.Atoi(r[0].Value.v)
			return err == nil && n >= 6
		})
	}
	// A scrape that took too long on a busy machine is not the last one.
	d := "nothing was compared"
	t.Cleanup(func() {
		if d != "" {
			t.Logf("-Prometheus +narthex:\n%s", d)
		}
	})
	eventually(t, "both have the same series", func() bool {
		want := series(prom)
		d = cmp.Diff(want, series(narthex))
		return d == "" && len(want) >= 14
	})
	// A series that is gone ends at once, not after five minutes.
	for _, base := range []string{prom, narthex} {
		eventually(t, "a series that is gone is seen to be", func() bool { return len(query(t, base, `sometimes{env="`+job+`"}`, time.Time{})) == 0 })
	}
}

// TestAgentCommand: two flags make an agent, and the program without a store says
// so where queries would be.
func TestAgentCommand(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(&longLived{})
	defer target.Close()
	var bodies atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bodies.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	addr := freePort(t)
	cmd := exec.CommandContext(ctx, program(t), "agent", "--remote-write", receiver.URL, "--scrape", target.URL+"/metrics", "--scrape-interval", "1s", "--listen", addr, "--data", t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "something is written", func() bool { return bodies.Load() > 0 })
	for _, path := range []string{"/", "/api/v1/query?query=up"} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Error string }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusNotFound || !strings.Contains(answer.Error, "storage: none") {
			t.Errorf("%s: %s %q %v", path, resp.Status, answer.Error, err)
		}
		resp.Body.Close()
	}
	cancel()
	if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "context canceled") || !cmd.ProcessState.Success() {
		t.Errorf("it ended with %v: %s", err, said.String())
	}
}
