package test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// probedSite is a page that is up or down.
type probedSite struct {
	*httptest.Server
	down atomic.Bool
	asks atomic.Int64
}

func newProbedSite(t testing.TB) *probedSite {
	t.Helper()
	s := new(probedSite)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asks.Add(1)
		if s.down.Load() || r.URL.Path == "/down" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, "Hello. Could not connect to database.")
	}))
	t.Cleanup(s.Close)
	return s
}

// Targets are probed every second and stored with the times of their probes; a
// target that leaves while nothing runs ends with a stale marker; what is counted
// is what was stored.
func TestProbesOnASchedule(t *testing.T) {
	t.Parallel()
	site := newProbedSite(t)
	const head = "scrape_interval: 1s\nprobes:\n  every: 1s\n  region: us-west-2\n  targets:\n"
	shop := fmt.Sprintf("    - {name: shop, target: %q, labels: {team: a}}\n", site.URL)
	gone := fmt.Sprintf("    - {name: gone, target: %q}\n", site.URL+"/down")
	s := newServer(t, head+shop+gone)
	eventually(t, "five probes of each are stored", func() bool {
		return len(query(t, s.url(), `count_over_time(probe_success[1h]) >= 5`, time.Time{})) == 2
	})
	labels := query(t, s.url(), `probe_success{name="shop"}`, time.Time{})[0].Metric
	for name, want := range map[string]string{"job": "probe", "instance": site.URL, "module": "http_2xx", "region": "us-west-2", "team": "a"} {
		if labels[name] != want {
			t.Errorf("the label %s is %q, want %q", name, labels[name], want)
		}
	}
	if got := s.value(`probe_failure_info{name="gone"}`); got != "1" {
		t.Errorf("probe_failure_info is %q", got)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "narthex.yml"), []byte(head+shop), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	eventually(t, "the target that left ends", func() bool {
		return len(query(t, s.url(), `probe_success{name="gone"}`, time.Time{})) == 0 && len(query(t, s.url(), `probe_success{name="shop"}`, time.Time{})) == 1
	})
	if n := len(query(t, s.url(), `{name="gone",__name__!~"probe_(all|scheduled).*"}`, time.Time{})); n != 0 {
		t.Errorf("%d of its series go on", n)
	}
	eventually(t, "what was counted is what was stored", func() bool {
		counted, stored := s.value(`probe_all_success_count{name="shop"}`), len(samples(t, s.url(), `probe_success{name="shop"}`))
		n, err := strconv.Atoi(counted)
		return err == nil && (n == stored || n == stored-1) // the counter is written at the next tick
	})
	for _, unlike := range []string{`probe_all_success_sum{name="gone"} > 0`, `probe_all_success_sum{name="shop"} != probe_all_success_count`} {
		if r := query(t, s.url(), unlike, time.Time{}); len(r) != 0 {
			t.Errorf("%s: %v", unlike, r)
		}
	}
}

// Without a store, probes arrive at a real Prometheus by remote write.
func TestProbesByRemoteWrite(t *testing.T) {
	t.Parallel()
	site := newProbedSite(t)
	prom := startPrometheus(t, "").base
	newServer(t, fmt.Sprintf("storage: none\nscrape_interval: 1s\nremote_write: [{url: %q}]\nprobes: {every: 1s, targets: [{name: shop, target: %q}]}\n", prom+"/api/v1/write", site.URL))
	eventually(t, "three probes and their count have arrived", func() bool {
		return len(query(t, prom, `count_over_time(probe_success{name="shop"}[1h]) >= 3 and on (name) probe_all_success_count >= 3`, time.Time{})) == 1
	})
}

// A Prometheus with the job that narthex prints has the targets of narthex's
// configuration probed, with their labels.
func TestPrometheusProbesThroughNarthex(t *testing.T) {
	t.Parallel()
	site := newProbedSite(t)
	s := newServer(t, fmt.Sprintf(`
probes:
  every: 1h
  region: eu-west-1
  targets:
    - {name: shop, target: %q, labels: {team: a}}
    - {name: down, target: %q}
`, site.URL, site.URL+"/down"))
	job, code := command(t, "", "probe", "--write-scrape-config", "--at", s.url())
	if code != 0 {
		t.Fatalf("exit %d: %s", code, job)
	}
	prom := startPrometheus(t, "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"+job).base
	eventually(t, "the targets are discovered", func() bool {
		resp, err := http.Get(prom + "/api/v1/targets")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Count(string(body), `"__param_target"`) == 2
	})
	// An hour is long: with --at and targets the job's own interval counts.
	job, code = command(t, "", "probe", "--write-scrape-config", "--at", "us-west-2="+s.url(), site.URL, site.URL+"/down")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, job)
	}
	prom = startPrometheus(t, "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"+job).base
	eventually(t, "both have a verdict", func() bool { return len(query(t, prom, "probe_success", time.Time{})) == 2 })
	for instance, want := range map[string]string{site.URL: "1", site.URL + "/down": "0"} {
		r := query(t, prom, fmt.Sprintf(`probe_success{job="probe",instance=%q,module="http_2xx",region="us-west-2"}`, instance), time.Time{})
		if len(r) != 1 || r[0].Value.v != want {
			t.Errorf("%s: %v", instance, r)
		}
	}
}

// One screen says what is wrong.
func TestProbeCommand(t *testing.T) {
	site := newProbedSite(t)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	dir := t.TempDir()
	modules := filepath.Join(dir, "modules.yml")
	text := "modules:\n  content: {prober: http, http: {fail_if_body_matches_regexp: [Could not connect to database]}}\n  secret: {prober: http, http: {bearer_token: hunter2}}\n"
	if err := os.WriteFile(modules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"up":          {[]string{site.URL}, 0, []string{" is up (http_2xx, ", "phases    ", "connect ", "█", "status 200, HTTP/1.1"}},
		"status":      {[]string{site.URL + "/down"}, 1, []string{" is DOWN (http_2xx, ", "why       assert: status", "503", "do        The target answers", "answer    status 503"}},
		"name":        {[]string{"http://nowhere.invalid/"}, 1, []string{"why       dns: ", "nowhere.invalid", "do        "}},
		"body":        {[]string{site.URL, "--modules", modules, "-m", "content"}, 1, []string{"why       assert: body", "Could not connect to database"}},
		"certificate": {[]string{secure.URL}, 1, []string{"why       tls: cert_untrusted", "do        Nobody who is trusted here signed it", "cert      ", "example.com", "expires in "}},
		"not TLS":     {[]string{strings.Replace(site.URL, "http:", "https:", 1)}, 1, []string{"tls: not_tls", "This port does not speak TLS"}},
		"refused":     {[]string{"127.0.0.1:1"}, 1, []string{"(tcp_connect, ", "connect: refused"}},
		"metadata":    {[]string{"http://169.254.169.254/"}, 1, []string{"policy: denied", "never"}},
		"debug":       {[]string{site.URL, "--modules", modules, "-m", "secret", "--debug"}, 0, []string{"Log\n", "Metrics\n", "probe_success 1", "Module\n", "bearer_token: <secret>"}},
		"module":      {[]string{site.URL, "-m", "nothing"}, 2, []string{`there is no module "nothing"; there are dns`}},
		"no target":   {nil, 2, []string{"it probes one target"}},
		"modules":     {[]string{site.URL, "--modules", filepath.Join(dir, "none.yml")}, 2, []string{"none.yml"}},
		"list":        {[]string{"--list-modules", "--modules", modules}, 0, []string{"content ", "those of the configuration (it has credentials)"}},
		"rules":       {[]string{"--write-rules"}, 2, []string{"--write-rules wants --config"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := command(t, "", append([]string{"probe"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing", want)
				}
			}
			if strings.Contains(out, "hunter2") {
				t.Error("a secret is shown")
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
	out, code := command(t, "", "probe", site.URL+"/down", "--json")
	var report struct {
		Success bool
		Failure struct{ Phase, Reason, Remedy string }
		Phases  []any
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 || report.Success || report.Failure.Reason != "status" || report.Failure.Remedy == "" || len(report.Phases) == 0 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

// A target that is watched has a line for each probe, and at the end its sum; who
// scripts it is told by the exit code that it was down.
func TestProbeWatch(t *testing.T) {
	t.Parallel()
	site := newProbedSite(t)
	for _, want := range []struct {
		json     bool
		up, down string
	}{{false, "  up    ", "  DOWN  "}, {true, `"success":true`, `"success":false`}} {
		site.down.Store(false)
		cmd := exec.Command(program(t), "probe", site.URL, "--watch", "--every", "100ms", fmt.Sprintf("--json=%v", want.json))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var last string
		up, down := 0, 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			last = lines.Text()
			switch {
			case strings.Contains(last, want.up):
				up++
				site.down.Store(true)
			case strings.Contains(last, want.down):
				if down++; down == 1 {
					cmd.Process.Signal(os.Interrupt)
				}
			}
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 || up == 0 || down == 0 {
			t.Errorf("json %v: exit %d, %d times up, %d times down, the last line is %q", want.json, code, up, down, last)
		}
		if sum := fmt.Sprintf("%d probes, %d failed", up+down, down); !want.json && last != sum {
			t.Errorf("the last line is %q, want %q", last, sum)
		}
	}
}

// Who may probe what, by scope: push nothing, probe what is configured or allowed,
// admin all; and a module with credentials goes nowhere that nobody wrote down.
func TestProbeScopes(t *testing.T) {
	site := newProbedSite(t)
	var config strings.Builder
	fmt.Fprintf(&config, `
modules:
  http_2xx: {prober: http}
  secret: {prober: http, http: {bearer_token: hunter2}}
probes:
  every: 1h
  allowed_targets: [%q]
  targets: [{name: shop, target: %q}]
auth:
  tokens:
`, site.URL+"/public/*", site.URL+"/shop")
	tokens := make(map[string]string)
	for scope, scopes := range map[string]string{"push": "push", "query": "query", "probe": "probe", "admin": "probe,admin"} {
		token, element := makeToken(t, "--name", scope, "--scope", scopes)
		tokens[scope] = token
		config.WriteString(element)
	}
	s := newServer(t, config.String())
	for _, tt := range []struct {
		scope, module, path string
		code                int
	}{
		{"", "http_2xx", "/shop", 401}, {"push", "http_2xx", "/shop", 403}, {"query", "http_2xx", "/shop", 403},
		{"probe", "http_2xx", "/shop", 200}, {"probe", "http_2xx", "/public/a", 200}, {"probe", "http_2xx", "/other", 403},
		{"admin", "http_2xx", "/other", 200}, {"admin", "secret", "/other", 403}, {"probe", "secret", "/public/a", 403},
	} {
		req, err := http.NewRequest(http.MethodGet, s.url()+"/probe?"+url.Values{"module": {tt.module}, "target": {site.URL + tt.path}}.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.scope != "" {
			req.Header.Set("Authorization", "Bearer "+tokens[tt.scope])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("%q %s %s: got %d, want %d: %s", tt.scope, tt.module, tt.path, resp.StatusCode, tt.code, body)
		}
	}
}

// narthex check reads the modules too.
func TestCheckReadsModules(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "narthex.yml")
	for text, want := range map[string]string{
		"modules:\n  a: {prober: htp}\n":                                            `narthex.yml:2: modules.a.prober: "htp" is not known; did you mean "http"?`,
		"probes:\n  targets:\n    - {target: x, module: nothing}\n":                 `narthex.yml:3: probes.targets: x wants the module "nothing"`,
		"modules_file: none.yml\n":                                                  "modules_file: open none.yml",
		"modules:\n  a: {prober: http, http: {fail_if_body_json_matches_cel: x}}\n": `module "a"`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := command(t, "", "check", file); code != 2 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d: %s", text, code, out)
		}
	}
}

// eventuallyWithin is eventually with a bound of its own.
func eventuallyWithin(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-ticker.C {
		if ok() {
			return
		}
	}
	t.Fatalf("after %s still not: %s", limit, what)
}

// ownMetric returns one of narthex's own metrics, 0 if it is not there.
func ownMetric(t testing.TB, s *server, name string) float64 {
	t.Helper()
	resp, err := http.Get(s.url() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return 0
}
