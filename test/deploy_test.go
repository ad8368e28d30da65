package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRules has promtool read the rules that narthex ships and run their tests.
func TestRules(t *testing.T) {
	rules, err := filepath.Glob(filepath.Join("..", "deploy", "rules", "*.yml"))
	if err != nil || len(rules) < 3 {
		t.Fatalf("rules: %v, %v", rules, err)
	}
	for _, file := range rules {
		kind := "check"
		if strings.HasSuffix(file, "_test.yml") {
			kind = "test"
		}
		if out, err := exec.Command("promtool", kind, "rules", file).CombinedOutput(); err != nil {
			t.Errorf("promtool %s rules %s: %v\n%s", kind, file, err, out)
		}
	}
}

// dashboard is what of a Grafana dashboard asks for data.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
}

// TestFilledStore fills a store through all doors, and holds what is shipped and
// documented against it.
func TestFilledStore(t *testing.T) {
	s := filledServer(t)
	t.Run("dashboards", func(t *testing.T) { dashboards(t, s) })
	t.Run("metrics reference", func(t *testing.T) { metricsReference(t, s) })
}

// dashboards asks the store what the dashboards ask. A query without an answer has
// a name in it that narthex does not have.
func dashboards(t *testing.T, s *server) {
	files, err := filepath.Glob(filepath.Join("..", "deploy", "grafana", "dashboards", "*.json"))
	if err != nil || len(files) != 4 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		asked := 0
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				asked++
				expr := filled(target.Expr)
				eventually(t, fmt.Sprintf("%s: %q has data: %s", filepath.Base(file), p.Title, expr), func() bool {
					return len(query(t, s.url(), expr, time.Time{})) > 0
				})
			}
		}
		for _, v := range d.Templating.List {
			if ask, ok := v.Query.(string); ok && v.Type == "query" {
				asked++
				inner := strings.TrimSuffix(strings.TrimPrefix(ask, "label_values("), ")")
				selector, label := inner[:strings.LastIndex(inner, ",")], strings.TrimSpace(inner[strings.LastIndex(inner, ",")+1:])
				expr := filled(fmt.Sprintf("count by (%s) (%s)", label, selector))
				if r := query(t, s.url(), expr, time.Time{}); len(r) == 0 || r[0].Metric[label] == "" {
					t.Errorf("%s: the variable %s has no values: %s", filepath.Base(file), v.Name, expr)
				}
			}
		}
		if asked < 3 {
			t.Errorf("%s asks %d queries: they were not found", file, asked)
		}
	}
}

// filled is a query with Grafana's variables replaced, as it does.
func filled(expr string) string {
	return strings.NewReplacer("$__rate_interval", "30s", "$__range", "5m", "$metric", "orders_total",
		"$host", ".*", "$route", ".*", "$target", ".*", "$region", ".*").Replace(expr)
}

const edgeLog = `#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken
`

// filledServer returns a narthex that has been pushed to, reads a log that grows,
// probes itself, scrapes itself and writes to another one.
func filledServer(t *testing.T) *server {
	t.Helper()
	far := newServer(t, "scrape_interval: 1s\n")
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") }))
	t.Cleanup(page.Close)
	log := filepath.Join(t.TempDir(), "edge.log")
	line := func(i int) string {
		result := []string{"Hit", "Miss"}[i%2]
		return fmt.Sprintf("2026-01-02\t03:04:%02d\tZRH50-C1\t512\t192.0.2.1\tGET\td1.example\t/v1/users/%d\t%d\t-\tcurl\t-\t-\t%s\tid%d\tshop.example\thttps\t64\t0.0%d\n", i%60, i, []int{200, 200, 502}[i%3], result, i, i%9+1)
	}
	write := func(text string) {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write(edgeLog + line(0) + "not a line\n")
	s := newServer(t, "")
	config := fmt.Sprintf(`scrape_interval: 1s
remote_write: [{url: "%s/api/v1/write"}]
scrape_configs: [{job_name: narthex, scrape_interval: 1s, static_configs: [{targets: ["%s"]}]}]
logs: [{source: cdn, from: %q}]
modules:
  page: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}
  strict: {prober: http}
probes: {every: 1s, region: here, targets: [{name: fine, target: %q, module: page}, {name: untrusted, target: %q, module: strict}]}
`, far.url(), s.Address, log, page.URL, page.URL)
	s.stop()
	if err := os.WriteFile(filepath.Join(s.dir, "narthex.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	for i := range 3 {
		if code, answer := s.push(fmt.Sprintf(`{"counters":[{"name":"orders_total","labels":{"shop":"zug"},"add":%d}]}`, i+1)); code != http.StatusOK {
			t.Fatalf("push: %d %v", code, answer)
		}
	}
	eventually(t, "the first line is counted", func() bool { return s.value("sum(http_requests_total)") == "1" })
	for i := 1; i < 40; i++ {
		write(line(i))
	}
	eventually(t, "all lines are counted", func() bool { return s.value("sum(http_requests_total)") == "40" })
	return s
}
