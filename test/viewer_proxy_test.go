package test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// bearer shows a token with each request, as Grafana's data source does.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// With query, the page, Prometheus's own client and promtool read another
// Prometheus through narthex, which alone has its credentials; the embedded store
// is beside it, and pushes go there.
func TestQueryThroughTheProxy(t *testing.T) {
	t.Parallel()
	upstream := startPrometheus(t, "scrape_configs: []\n", "--web.enable-admin-api", "--web.enable-lifecycle").base
	token, element := makeToken(t, "--name", "grafana", "--scope", "query")
	pusher, pushes := makeToken(t, "--name", "shop")
	s := newServer(t, fmt.Sprintf("scrape_interval: 1s\nquery: {url: %q, name: prom}\nremote_write: [{url: %q}]\nauth:\n  tokens:\n%s%s", upstream, upstream+"/api/v1/write", element, pushes))
	if code, answer := s.push(`{"counters":[{"name":"orders_total","labels":{"le<script>":"x"},"add":3}]}`, "Authorization", "Bearer "+pusher); code != 400 {
		t.Errorf("a bad label: %d %v", code, answer)
	}
	if code, answer := s.push(`{"counters":[{"name":"orders_total","labels":{"shop":"zug"},"add":3}]}`, "Authorization", "Bearer "+pusher); code != 200 {
		t.Fatalf("%d %v", code, answer)
	}
	client, err := api.NewClient(api.Config{Address: s.url(), RoundTripper: bearer(token)})
	if err != nil {
		t.Fatal(err)
	}
	prom := v1.NewAPI(client)
	ctx := t.Context()
	eventually(t, "the pushed counter is read back from the other Prometheus", func() bool {
		got, _, err := prom.Query(ctx, `orders_total{shop="zug"}`, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v, ok := got.(model.Vector)
		return ok && len(v) == 1 && v[0].Value == 3
	})
	checkClient(ctx, t, prom)

	// promtool shows the token as a password.
	u, _ := url.Parse(s.url())
	u.User = url.UserPassword("any", token)
	for _, args := range [][]string{{"instant", u.String(), "orders_total"}, {"labels", u.String(), "shop"}, {"series", "--match=orders_total", u.String()}} {
		out, err := exec.CommandContext(ctx, "promtool", append([]string{"query"}, args...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "zug") {
			t.Errorf("promtool query %s: %v\n%s", args[0], err, out)
		}
	}
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		// Grafana's health check, and what it asks of a data source.
		{"POST", "/api/v1/query?query=1%2B1&time=4", 200, `"scalar"`},
		{"GET", "/api/v1/status/buildinfo", 200, `"version":"2.`},
		{"GET", "/api/v1/query_exemplars?query=up&start=1&end=2", 200, `"data":[]`},
		{"GET", "/api/v1/metadata", 200, `"success"`},
		{"GET", "/api/v1/rules", 200, `"groups":[]`},
		{"GET", "/api/v1/parse_query?query=up", 200, `"vectorSelector"`},
		{"GET", "/api/v1/format_query?query=sum(up)by(a)", 200, `sum by (a) (up)`},
		{"GET", "/api/v1/query?query=up%7B", 400, `"errorType":"bad_data"`},
		{"GET", "/api/v1/status/backend", 200, `"kind":"prometheus"`},
		{"GET", "/backends/prom/api/v1/query?query=orders_total", 200, `"zug"`},
		{"GET", "/backends/prom/", 200, "<!doctype html>"},
		{"GET", "/backends/embedded/api/v1/query?query=orders_total", 200, `"zug"`},
		{"GET", "/backends/embedded/api/v1/status/backend", 200, `"kind":"narthex"`},
		// What writes or administers is not reached, whoever asks.
		{"POST", "/api/v1/admin/tsdb/delete_series?match[]=up", 403, "admin"},
		{"PUT", "/-/quit", 403, "admin"},
		{"POST", "/backends/prom/api/v1/write", 403, "admin"},
		{"POST", "/backends/prom/-/reload", 403, "admin"},
		{"GET", "/backends/prom/api/v1/status/config", 404, "not_found"},
		{"GET", "/backends/other/api/v1/query?query=up", 404, "not_found"},
		{"POST", "/api/v1/write", 403, "push"},
	} {
		req, err := http.NewRequestWithContext(ctx, c.method, s.url()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := bearer(token).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.code || !strings.Contains(string(body), c.want) {
			t.Errorf("%s %s: %d %.300s, want %d with %s", c.method, c.path, resp.StatusCode, body, c.code, c.want)
		}
	}
	if resp, err := bearer(pusher).RoundTrip(mustRequest(t, s.url()+"/api/v1/query?query=up")); err != nil || resp.StatusCode != 403 {
		t.Errorf("a token that only pushes reads: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

func mustRequest(t testing.TB, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkClient asks what Prometheus's own client can ask.
func checkClient(ctx context.Context, t *testing.T, prom v1.API) {
	t.Helper()
	now := time.Now()
	got, _, err := prom.QueryRange(ctx, "orders_total", v1.Range{Start: now.Add(-time.Minute), End: now, Step: time.Second})
	if m, ok := got.(model.Matrix); err != nil || !ok || len(m) != 1 || len(m[0].Values) == 0 {
		t.Errorf("query_range: %v %v", got, err)
	}
	names, _, err := prom.LabelNames(ctx, []string{"orders_total"}, now.Add(-time.Minute), now)
	if err != nil || fmt.Sprint(names) != "__name__, shop" {
		t.Errorf("labels: %v %v", names, err)
	}
	values, _, err := prom.LabelValues(ctx, "shop", nil, now.Add(-time.Minute), now)
	if err != nil || len(values) != 1 || values[0] != "zug" {
		t.Errorf("label values: %v %v", values, err)
	}
	series, _, err := prom.Series(ctx, []string{"orders_total"}, now.Add(-time.Minute), now)
	if err != nil || len(series) != 1 {
		t.Errorf("series: %v %v", series, err)
	}
	if _, err := prom.Metadata(ctx, "", "10"); err != nil {
		t.Errorf("metadata: %v", err)
	}
}

// Without a store of its own, narthex shows another's.
func TestPageWithoutAStore(t *testing.T) {
	t.Parallel()
	upstream := startPrometheus(t, "scrape_configs: []\n").base
	s := newServer(t, fmt.Sprintf("scrape_interval: 1s\nstorage: none\nquery: {url: %q}\nremote_write: [{url: %q}]\n", upstream, upstream+"/api/v1/write"))
	s.push(`{"counters":[{"name":"orders_total","add":3}]}`)
	eventually(t, "the counter is there", func() bool { return s.value("orders_total") == "3" })
	resp, err := http.Get(s.url() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.Contains(string(body), "<!doctype html>") {
		t.Errorf("the page: %s", resp.Status)
	}
}

// What VictoriaMetrics can do is found out, and its lists can be read.
func TestProxyToVictoriaMetrics(t *testing.T) {
	t.Parallel()
	s := newServer(t, fmt.Sprintf("query: {url: %q, name: vm}\n", victoria(t).base))
	for path, want := range map[string]string{
		"/api/v1/status/backend":           `"kind":"victoriametrics"`,
		"/api/v1/label/__name__/values":    `"data":[`,
		"/api/v1/query?query=vector(7)":    `"7"`,
		"/api/v1/series?match[]={a!=\"\"}": `"success"`,
	} {
		resp, err := http.Get(s.url() + strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(path))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %s, want %s", path, resp.Status, body, want)
		}
	}
}
