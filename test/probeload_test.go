package test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A thousand targets every 15 s, for five minutes: no probe is missed, and of a
// hundred probes at most one is a second late. At the same time the exporter probes
// them for a Prometheus, and what all three use is compared.
func TestManyProbes(t *testing.T) {
	site := newProbedSite(t)
	n, rounds, every := scaled(1000, 100), scaled(20, 3), time.Duration(scaled(15, 2))*time.Second
	targets := make([]string, n)
	for i := range n {
		targets[i] = fmt.Sprintf("%s/%d", site.URL, i)
	}
	exporter, prom, base := referenceProbes(t, targets, every)
	s := newServer(t, scheduledProbes(targets, every))
	eventuallyWithin(t, 2*every+time.Minute, "all are probed by both", func() bool {
		return probedBy(t, s.url(), n) && probedBy(t, base, n)
	})
	processes := []*spending{{name: "narthex", pid: s.Process().Pid}, {name: "exporter", pid: exporter}, {name: "prometheus", pid: prom}}
	for _, p := range processes {
		p.begin = usageOf(t, p.pid)
	}
	begun := time.Now()
	time.Sleep(time.Duration(rounds) * every) // the load is what is measured
	probes := float64(n) * time.Since(begun).Seconds() / every.Seconds()
	for _, p := range processes {
		p.end = usageOf(t, p.pid)
		figure(t, p.name+"_cpu_ms", 1000*p.cpu()/probes)
		figure(t, p.name+"_MiB", mebibytes(p.end.peak))
	}
	both := processes[1].cpu() + processes[2].cpu()
	cpu := processes[0].cpu() / both
	memory := float64(processes[0].end.peak) / float64(processes[1].end.peak+processes[2].end.peak)
	figure(t, "both_cpu_ms", 1000*both/probes)
	figure(t, "both_MiB", mebibytes(processes[1].end.peak+processes[2].end.peak))
	t.Logf("narthex uses %.2f of the CPU and %.2f of the memory of the exporter, which probes, and Prometheus, which stores", cpu, memory)
	if full() && (cpu > 0.6 || memory > 1.1) {
		t.Error("narthex uses about half of the CPU, and no more memory; docs/benchmarks.md has the figures")
	}
	missed := 0.0
	for _, metric := range []string{"narthex_probe_missed_total", "narthex_probe_lost_total"} {
		got := ownMetric(t, s, metric)
		if missed += got; got != 0 {
			t.Errorf("%s is %v", metric, got)
		}
	}
	late := lateness(t, s, every, rounds)
	p99 := late[len(late)*99/100]
	t.Logf("%d probes: half begin up to %v after their time, 99%% up to %v, all up to %v", len(late), late[len(late)/2], p99, late[len(late)-1])
	figure(t, "probes", float64(len(late)))
	figure(t, "missed_probes", missed)
	figure(t, "late_p50_ms", float64(late[len(late)/2].Milliseconds()))
	figure(t, "late_p99_ms", float64(p99.Milliseconds()))
	figure(t, "late_most_ms", float64(late[len(late)-1].Milliseconds()))
	if p99 >= time.Second {
		t.Errorf("of a hundred probes one begins %v after its time", p99)
	}
}

// figure says what was measured, for the page of benchmarks: make bench reads it
// from the test's output. The unit may begin with whose it is, as in
// narthex_pushes/s.
func figure(t *testing.T, unit string, value float64) {
	t.Attr(unit, strconv.FormatFloat(value, 'g', 6, 64))
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// spending is what a process uses between two moments.
type spending struct {
	name       string
	pid        int
	begin, end usage
}

func (c *spending) cpu() float64 { return c.end.cpu - c.begin.cpu }

// probedBy reports whether a server has the results of n targets that are up.
func probedBy(t *testing.T, base string, n int) bool {
	t.Helper()
	r := query(t, base, "count(probe_success == 1)", time.Time{})
	return len(r) == 1 && r[0].Value.v == strconv.Itoa(n)
}

// scheduledProbes is a configuration that probes the targets.
func scheduledProbes(targets []string, every time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scrape_interval: %v\nmodules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\nprobes:\n  every: %v\n  targets:\n", every, every)
	for i, target := range targets {
		fmt.Fprintf(&b, "    - {name: t%d, target: %q}\n", i, target)
	}
	return b.String()
}

// referenceProbes has the exporter probe the targets for a Prometheus. It returns
// the processes of both and Prometheus's address.
func referenceProbes(t *testing.T, targets []string, every time.Duration) (exporter, prom int, base string) {
	t.Helper()
	probing, storing, dir := freePort(t), freePort(t), t.TempDir()
	modules := filepath.Join(dir, "blackbox.yml")
	if err := os.WriteFile(modules, []byte("modules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	job, code := command(t, "", append([]string{"probe", "--write-scrape-config", "--at", "http://" + probing}, targets...)...)
	if code != 0 {
		t.Fatal(job)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "global: {scrape_interval: %v, scrape_timeout: %v}\n%s", every, min(every, 10*time.Second), job), 0o600); err != nil {
		t.Fatal(err)
	}
	exporter = background(t, "prometheus-blackbox-exporter", "--config.file", modules, "--web.listen-address", probing).Pid
	prom = background(t, "prometheus", prometheusArgs(dir, file, storing)...).Pid
	ready(t, "prometheus", "http://"+storing+"/-/ready")
	return exporter, prom, "http://" + storing
}

// lateness returns how long after its time each probe began, sorted. A probe's
// samples have the time at which it began, and a target's times are a whole number of
// intervals apart: what is beyond the earliest of them is lateness.
func lateness(t *testing.T, s *server, every time.Duration, least int) []time.Duration {
	t.Helper()
	var late []time.Duration
	for _, r := range query(t, s.url(), "probe_success[1h]", time.Time{}) {
		if len(r.Values) < least {
			t.Errorf("%s was probed %d times, want %d", r.Metric["name"], len(r.Values), least)
			continue
		}
		step := every.Milliseconds()
		times := make([]int64, len(r.Values))
		for i, v := range r.Values {
			times[i] = int64(math.Round(v.t * 1000))
		}
		first := times[0]
		earliest := int64(0)
		offset := func(at int64) int64 { return (at-first+step/2)%step - step/2 }
		for _, at := range times {
			earliest = min(earliest, offset(at))
		}
		for i, at := range times {
			late = append(late, time.Duration(offset(at)-earliest)*time.Millisecond)
			if i > 0 && at-times[i-1] > 2*step-step/4 {
				t.Errorf("%s was not probed for %d ms", r.Metric["name"], at-times[i-1])
			}
		}
	}
	if len(late) == 0 {
		t.Fatal("nothing was probed")
	}
	slices.Sort(late)
	return late
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
