package test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex/lambda/emulator"
)

// seedRival is one of the functions that are measured beside each other.
type seedRival struct {
	name string
	zip  int // bytes
	f    *emulator.Function

	cold, warm, idle []time.Duration // until the answer
	over             []time.Duration // of it, beyond what the probe says it took
	coldCPU, cpu     []time.Duration
	memory           int64
}

// zipOfDir packs the files of a directory and returns the size.
func zipOfDir(b *testing.B, dir string) int {
	b.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	files, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		w, err := z.Create(file.Name())
		if err != nil {
			b.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			b.Fatal(err)
		}
		w.Write(data)
	}
	z.Close()
	return out.Len()
}

// seedDir is the bash, curl and exporter function, with Debian's exporter.
func seedDir(b *testing.B) string {
	b.Helper()
	exporter, err := exec.LookPath("prometheus-blackbox-exporter")
	if err != nil {
		b.Fatal("this benchmark needs Debian's exporter: apt-get install prometheus-blackbox-exporter curl")
	}
	dir := b.TempDir()
	for from, name := range map[string]string{exporter: "blackbox_exporter", "testdata/seed/bootstrap": "bootstrap", "testdata/seed/blackbox.yml": "blackbox.yml"} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o755)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// builtDir has a Go program as bootstrap, as make dist builds one.
func builtDir(b *testing.B, pkg string) string {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags=-s -w -buildid=", "-o", filepath.Join(dir, "bootstrap"), pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return dir
}

var probeDuration = regexp.MustCompile(`probe_duration_seconds ([0-9.e+-]+)`)

// invoke probes once, and returns how long the answer took, and how much of it was
// not the probe's.
func (p *seedRival) invoke(b *testing.B, event []byte) (took, over time.Duration, report emulator.Report) {
	b.Helper()
	begin := time.Now()
	r, err := p.f.Invoke(b.Context(), event)
	took = time.Since(begin)
	text := strings.ReplaceAll(string(r.Payload), `\n`, "\n")
	m := probeDuration.FindStringSubmatch(text)
	if err != nil || r.FunctionError != "" || m == nil || !strings.Contains(text, "probe_success 1") {
		b.Fatalf("%s: %v %.600s", p.name, err, text)
	}
	seconds, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return took, took - time.Duration(seconds*float64(time.Second)), r.Report()
}

// deploy starts the function in a directory.
func (p *seedRival) deploy(b *testing.B, dir string, memory int, cpu emulator.CPU, env ...string) {
	b.Helper()
	f, err := emulator.Start(emulator.Options{Code: dir, Memory: memory, CPU: cpu, Timeout: time.Minute, Concurrency: 1, Env: env})
	if err != nil {
		b.Fatalf("%v; without control groups the processes that bash starts can't be counted, and nothing can be throttled", err)
	}
	p.f = f
	b.Cleanup(func() { f.Close() })
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return list[min(len(list)-1, int(q*float64(len(list))))]
}

// BenchmarkBesideTheSeed probes one target with three functions in turn: an empty
// one, bootstrap, and bash with curl around the blackbox exporter. Each is
// measured with a whole processor and with the share that 128 MB get.
func BenchmarkBesideTheSeed(b *testing.B) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	b.Cleanup(target.Close)
	dirs := map[string]string{"empty": builtDir(b, "narthex/test/testdata/emptyfunction"), "narthex": builtDir(b, "narthex/cmd/bootstrap"), "seed": seedDir(b)}
	e := known(httpEvent("GET", "/probe", ""))
	e["rawQueryString"] = url.Values{"target": {target.URL}, "module": {"http_2xx"}}.Encode()
	text, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	event := bytes.ReplaceAll(text, []byte(`\u0026`), []byte("&")) // as AWS writes it, and as the seed reads it
	for _, x := range []struct {
		name string
		cpu  emulator.CPU
		warm bool
	}{{"whole", emulator.CPUCounted, true}, {"128MB-throttled", emulator.CPUShare, true}, {"128MB-boosted", emulator.CPUBoost, false}} {
		b.Run(x.name, func(b *testing.B) {
			var all []*seedRival
			for _, name := range []string{"empty", "narthex", "seed"} {
				p := &seedRival{name: name, zip: zipOfDir(b, dirs[name])}
				p.deploy(b, dirs[name], 128, x.cpu, `NARTHEX_CONFIG={lambda: {roles: [probe]}, probes: {allowed_targets: ["http://127.0.0.1:*"], guard: {loopback: true}}}`)
				all = append(all, p)
			}
			b.ResetTimer()
			for b.Loop() {
				probeInTurn(b, all, event, x.warm)
			}
			reportSeed(b, all, x.warm)
		})
	}
}

// probeInTurn takes cold starts in turn, then warm invocations back to back, in
// blocks, and with idle time between them.
func probeInTurn(b *testing.B, all []*seedRival, event []byte, warm bool) {
	colds, blocks, idles := 9, 2, 11
	if testing.Short() {
		colds, blocks, idles = 1, 1, 1
	}
	for range colds {
		for _, p := range all {
			p.f.Recycle()
			took, _, r := p.invoke(b, event)
			p.cold, p.coldCPU = append(p.cold, took), append(p.coldCPU, r.InitCPU+r.CPU)
		}
	}
	if !warm {
		return
	}
	for range blocks {
		for _, p := range all {
			for range 15 {
				took, over, r := p.invoke(b, event)
				p.warm, p.over, p.cpu = append(p.warm, took), append(p.over, over), append(p.cpu, r.CPU)
				p.memory = max(p.memory, r.MaxMemory)
			}
		}
	}
	for range idles {
		for _, p := range all {
			time.Sleep(250 * time.Millisecond)
			took, _, _ := p.invoke(b, event)
			p.idle = append(p.idle, took)
		}
	}
}

// reportSeed reports medians, and what of twenty invocations the slowest took.
func reportSeed(b *testing.B, all []*seedRival, warm bool) {
	ms := func(list []time.Duration, q float64) float64 { return float64(quantile(list, q)) / 1e6 }
	for _, p := range all {
		report := func(value float64, unit string) { b.ReportMetric(value, p.name+"_"+unit) }
		report(ms(p.cold, .5), "cold_ms")
		report(ms(p.cold, .95), "cold_p95_ms")
		report(ms(p.coldCPU, .5), "cold_cpu_ms")
		report(float64(p.zip)/(1<<20), "zip_MiB")
		if !warm {
			continue
		}
		report(ms(p.warm, .5), "warm_ms")
		report(ms(p.warm, .95), "warm_p95_ms")
		report(ms(p.idle, .5), "idle_ms")
		report(ms(p.idle, .95), "idle_p95_ms")
		report(ms(p.over, .5), "overhead_ms")
		report(ms(p.cpu, .5), "cpu_ms")
		report(float64(p.memory)/(1<<20), "MiB")
	}
	empty, ours := all[0], all[1]
	b.ReportMetric(ms(ours.coldCPU, .5)-ms(empty.coldCPU, .5), "above_empty_cold_cpu_ms")
	b.ReportMetric(0, "ns/op")
}
