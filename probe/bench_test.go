package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"narthex/probe"
)

const benchModules = "modules:\n  http_2xx: {prober: http, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: %s}}}\n"

// BenchmarkProbe is one probe in this process, with its allocations.
func BenchmarkProbe(b *testing.B) {
	ca := newAuthority(b)
	p := benchProber(b, ca)
	for name, target := range benchTargets(b, ca) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := p.Run(context.Background(), probe.Request{Target: target, Module: "http_2xx"})
				if err != nil || !r.Success {
					b.Fatal(err, r.Failure)
				}
			}
		})
	}
}

// BenchmarkBesideTheExporter has the same /probe answered by the exporter and by a
// process of narthex's, in turn, and reports what each takes: CPU time of the whole
// process for a probe, and the most memory it had.
func BenchmarkBesideTheExporter(b *testing.B) {
	ca := newAuthority(b)
	targets := benchTargets(b, ca)
	file := b.TempDir() + "/blackbox.yml"
	if err := os.WriteFile(file, fmt.Appendf(nil, benchModules, ca.file), 0o600); err != nil {
		b.Fatal(err)
	}
	sides := []side{{"narthex", helper}, {"exporter", exporter("prometheus-blackbox-exporter")}}
	if newer := os.Getenv("NARTHEX_BLACKBOX"); newer != "" {
		sides = append(sides, side{"newer", exporter(newer)})
	}
	for _, protocol := range []string{"http", "https"} {
		for _, s := range sides {
			b.Run(protocol+"/"+s.name, func(b *testing.B) {
				base, pid := s.start(b, file)
				ask := base + "/probe?module=http_2xx&target=" + url.QueryEscape(targets[protocol])
				for range 20 {
					get(b, ask)
				}
				before := cpu(b, pid)
				for b.Loop() {
					get(b, ask)
				}
				b.ReportMetric(float64((cpu(b, pid)-before).Microseconds())/float64(b.N), "cpu_µs")
				b.ReportMetric(memory(b, pid), "MiB")
			})
		}
	}
}

// A side is a process that answers /probe.
type side struct {
	name  string
	start func(b *testing.B, modules string) (base string, pid int)
}

func benchTargets(b *testing.B, ca *authority) map[string]string {
	b.Helper()
	secure := httptest.NewUnstartedServer(text("hello"))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{ca.leaf(b, nil, "127.0.0.1")}}
	secure.StartTLS()
	b.Cleanup(secure.Close)
	return map[string]string{"http": serve(b, text("hello")), "https": secure.URL}
}

func benchProber(t testing.TB, ca *authority) *probe.Prober {
	t.Helper()
	modules, err := probe.ParseModules("blackbox.yml", fmt.Appendf(nil, benchModules, ca.file), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: onLoopback, Features: everything()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// helper runs this test's binary as a process that answers /probe.
func helper(b *testing.B, modules string) (base string, pid int) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperProcess$")
	cmd.Env = append(os.Environ(), "NARTHEX_PROBE_MODULES="+modules)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// TestHelperProcess is no test, but the process of helper.
func TestHelperProcess(t *testing.T) {
	file := os.Getenv("NARTHEX_PROBE_MODULES")
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := probe.ParseModules(file, text, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: onLoopback, Features: everything()})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	probe.Mount(mux, probe.Doors{Modules: modules, Runner: probe.NewRunner(probe.RunnerOptions{Prober: p}), Free: func(*http.Request) bool { return true }})
	s := httptest.NewServer(mux)
	fmt.Println(s.URL)
	time.Sleep(10 * time.Minute) // until it is killed
}

// exporter starts a blackbox exporter.
func exporter(path string) func(*testing.B, string) (string, int) {
	return func(b *testing.B, modules string) (string, int) { return startExporter(b, path, modules) }
}

func startExporter(b *testing.B, path, modules string) (base string, pid int) {
	b.Helper()
	address := nobody(b)
	cmd := exec.Command(path, "--config.file="+modules, "--web.listen-address="+address, "--log.level=error")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/-/healthy")
		if err == nil {
			resp.Body.Close()
			return "http://" + address, cmd.Process.Pid
		}
		if time.Now().After(end) {
			b.Fatal(err)
		}
	}
}

func get(b *testing.B, address string) {
	b.Helper()
	resp, err := http.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "\nprobe_success 1") {
		b.Fatalf("%v\n%s", err, body)
	}
}

// cpu returns the processor time of a process, where the system tells.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		b.Skip("there is no /proc here")
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory returns the most memory that a process had, in MiB.
func memory(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kib / 1024
}
