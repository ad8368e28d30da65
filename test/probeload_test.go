package test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A thousand targets every 15 s: no probe is missed, few are late. At full size the
// exporter, scraped by a Prometheus, does the same afterwards, and what both use is
// compared.
func TestManyProbes(t *testing.T) {
	site := newProbedSite(t)
	n, every, rounds := scaled(1000, 100), scaled(15, 2), scaled(20, 3)
	var config strings.Builder
	fmt.Fprintf(&config, "scrape_interval: %ds\nmodules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\nprobes:\n  every: %ds\n  targets:\n", scaled(15, 1), every)
	targets := make([]string, n)
	for i := range n {
		targets[i] = fmt.Sprintf("%s/%d", site.URL, i)
		fmt.Fprintf(&config, "    - {name: t%d, target: %q}\n", i, targets[i])
	}
	s := newServer(t, config.String())
	eventuallyWithin(t, time.Duration(every*(rounds+4))*time.Second+time.Minute, "all are probed that often", func() bool {
		r := query(t, s.url(), fmt.Sprintf(`count(probe_all_success_count >= %d)`, rounds), time.Time{})
		return len(r) == 1 && r[0].Value.v == strconv.Itoa(n)
	})
	own := usageOf(t, s.cmd.Process.Pid)
	for _, metric := range []string{"narthex_probe_missed_total", "narthex_probe_lost_total"} {
		if got := ownMetric(t, s, metric); got != 0 {
			t.Errorf("%s is %v", metric, got)
		}
	}
	late, probes := ownMetric(t, s, "narthex_probe_late_total"), ownMetric(t, s, `narthex_probes_total{verdict="success"}`)
	t.Logf("%v of %v probes began a second or more after their time; %.2f ms of CPU a probe, %d MiB at most", late, probes, 1000*own.cpu/probes, own.peak>>20)
	if late > probes/100 {
		t.Errorf("%v of %v probes were late", late, probes)
	}
	if int64(probes) > site.asks.Load() {
		t.Errorf("%v probes, but %d requests", probes, site.asks.Load())
	}
	if !full() {
		return
	}
	s.kill()
	reference, asked := referenceProbes(t, site, targets, every, rounds)
	t.Logf("the exporter and Prometheus: %.2f ms of CPU a probe, %d MiB at most; narthex uses %.2f of the CPU and %.2f of the memory",
		1000*reference.cpu/asked, reference.peak>>20, own.cpu/probes/(reference.cpu/asked), float64(own.peak)/float64(reference.peak))
	if own.cpu/probes > reference.cpu/asked/2 || own.peak > reference.peak {
		t.Errorf("narthex should use at most half of the CPU, and no more memory")
	}
}

// referenceProbes has the exporter probe the targets for a Prometheus, and returns
// what both used and how many probes they made.
func referenceProbes(t *testing.T, site *probedSite, targets []string, every, rounds int) (used usage, probes float64) {
	t.Helper()
	exporter := freeAddress(t)
	dir := t.TempDir()
	modules := filepath.Join(dir, "blackbox.yml")
	if err := os.WriteFile(modules, []byte("modules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	job, code := command(t, "", append([]string{"probe", "--write-scrape-config", "--at", "http://" + exporter}, targets...)...)
	if code != 0 {
		t.Fatal(job)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "global: {scrape_interval: %ds, scrape_timeout: %ds}\n%s", every, min(every, 10), job), 0o600); err != nil {
		t.Fatal(err)
	}
	begin, prom := site.asks.Load(), freeAddress(t)
	pids := []int{
		background(t, "prometheus-blackbox-exporter", "--config.file", modules, "--web.listen-address", exporter),
		background(t, "prometheus", prometheusArgs(dir, file, prom)...),
	}
	eventuallyWithin(t, time.Duration(every*(rounds+4))*time.Second+time.Minute, "the reference has probed that often", func() bool {
		return site.asks.Load()-begin >= int64(len(targets)*rounds)
	})
	for _, pid := range pids {
		u := usageOf(t, pid)
		used.cpu, used.peak = used.cpu+u.cpu, used.peak+u.peak
	}
	return used, float64(site.asks.Load() - begin)
}

// freeAddress returns an address that nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// background starts a program until the test ends and returns its process id.
func background(t testing.TB, name string, args ...string) int {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: apt-get install %s", name, name)
	}
	cmd := exec.Command(path, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said.Bytes()[:min(said.Len(), 4000)])
		}
	})
	return cmd.Process.Pid
}

// usage is what a process has used.
type usage struct {
	cpu  float64 // seconds
	peak int64   // bytes resident at most
}

// usageOf reads what Linux knows of a process.
//
// Source: proc(5).
func usageOf(t testing.TB, pid int) (u usage) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, f := range fields[11:13] { // utime and stime, in hundredths of seconds
		ticks, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		u.cpu += ticks / 100
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			u.peak = kib << 10
		}
	}
	return u
}
