package probe_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/openmetrics"
	"narthex/probe"
)

const doorModules = `modules:
  http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}
  vhost: {prober: http, http: {headers: {Host: vhost.example}}}
  slow: {prober: http, timeout: 100ms}
  secret: {prober: http, http: {basic_auth: {username: me, password: hunter2}, headers: {X-Key: hunter3}}}
  bound: {prober: http, allowed_targets: ["http://127.0.0.1:*/ok"], http: {bearer_token: hunter4}}
`

// house is a server with the doors, and a page to probe.
type house struct {
	t           *testing.T
	doors, page *httptest.Server
	seen        chan *http.Request
}

func newHouse(t *testing.T, change func(page string, o *probe.Doors)) *house {
	t.Helper()
	h := &house{t: t, seen: make(chan *http.Request, 100)}
	h.page = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.seen <- r
		if r.URL.Path == "/down" {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(h.page.Close)
	modules, err := probe.ParseModules("modules.yml", []byte(doorModules), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.New(probe.Options{Modules: modules, Guard: probe.Guard{Loopback: true, Private: true}})
	if err != nil {
		t.Fatal(err)
	}
	o := probe.Doors{
		Modules: modules, Runner: probe.NewRunner(probe.RunnerOptions{Prober: p}), Region: "here",
		Free: func(*http.Request) bool { return true },
	}
	if change != nil {
		change(h.page.URL, &o)
	}
	mux := http.NewServeMux()
	probe.Mount(mux, o)
	h.doors = httptest.NewServer(mux)
	t.Cleanup(h.doors.Close)
	return h
}

// get asks a door and returns the status, the content type and the body.
func (h *house) get(path string, header ...string) (int, string, string) {
	h.t.Helper()
	r, err := http.NewRequest(http.MethodGet, h.doors.URL+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.do(r, header...)
}

func (h *house) do(r *http.Request, header ...string) (int, string, string) {
	h.t.Helper()
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
}

// value returns the value of a metric in an exposition.
func value(t *testing.T, contentType, body, name string) float64 {
	t.Helper()
	families, err := openmetrics.Parse(contentType, []byte(body), openmetrics.Limits{})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, body)
	}
	for _, f := range families {
		if f.Name == name {
			return f.Metrics[0].Value
		}
	}
	t.Fatalf("there is no %s in:\n%s", name, body)
	return 0
}

func TestProbeDoor(t *testing.T) {
	h := newHouse(t, nil)
	for path, want := range map[string]float64{"/ok": 1, "/down": 0} {
		code, kind, body := h.get("/probe?target=" + url.QueryEscape(h.page.URL+path))
		if code != http.StatusOK || kind != "text/plain; version=0.0.4; charset=utf-8" {
			t.Fatalf("got %d, %s: %s", code, kind, body)
		}
		if got := value(t, kind, body, "probe_success"); got != want {
			t.Errorf("%s: probe_success is %v\n%s", path, got, body)
		}
		if got := value(t, kind, body, "probe_timeout_seconds"); got != 119.5 {
			t.Errorf("the timeout is %v", got)
		}
	}
	prometheus := "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	_, kind, body := h.get("/probe?target="+url.QueryEscape(h.page.URL), "Accept", prometheus)
	if kind != "application/openmetrics-text; version=1.0.0; charset=utf-8" || value(t, kind, body, "probe_success") != 1 || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("got %s\n%s", kind, body)
	}
}

// TestBadRequests holds the answers against the exporter's words.
func TestBadRequests(t *testing.T) {
	h := newHouse(t, nil)
	page := url.QueryEscape(h.page.URL)
	for _, tt := range []struct {
		path, timeout string
		code          int
		body          string
	}{
		{"/probe", "", 400, "Target parameter is missing\n"},
		{"/probe?module=none&target=x", "", 400, "Unknown module \"none\"\n"},
		{"/probe?module=none", "", 400, "Unknown module \"none\"\n"},
		{"/probe?target=" + page, "soon", 500, "Failed to parse timeout from Prometheus header: strconv.ParseFloat: parsing \"soon\": invalid syntax\n"},
		{"/probe?target=" + page, "NaN", 500, "Failed to parse timeout from Prometheus header: \"NaN\" is no number of seconds\n"},
		{"/probe?module=vhost&hostname=other.example&target=" + page, "", 400, "host header defined both in module configuration (vhost.example) and with URL-parameter 'hostname' (other.example)\n"},
	} {
		var header []string
		if tt.timeout != "" {
			header = []string{"X-Prometheus-Scrape-Timeout-Seconds", tt.timeout}
		}
		code, _, body := h.get(tt.path, header...)
		if code != tt.code || body != tt.body {
			t.Errorf("%s: got %d %q, want %d %q", tt.path, code, body, tt.code, tt.body)
		}
	}
	if len(h.seen) > 0 {
		t.Error("something was probed")
	}
}

func TestScrapeTimeout(t *testing.T) {
	h := newHouse(t, nil)
	for _, tt := range []struct {
		module, header string
		want           float64
	}{
		{"http_2xx", "15", 14.5}, {"http_2xx", "", 119.5}, {"http_2xx", "0.7", 0.2}, {"slow", "15", 0.1}, {"slow", "", 0.1}, {"slow", "0.4", 0.1}, {"slow", "-3", 0.1},
	} {
		_, kind, body := h.get("/probe?module="+tt.module+"&target="+url.QueryEscape(h.page.URL), "X-Prometheus-Scrape-Timeout-Seconds", tt.header)
		if got := value(t, kind, body, "probe_timeout_seconds"); got < tt.want-1e-6 || got > tt.want+1e-6 {
			t.Errorf("%s, header %q: got %v, want %v", tt.module, tt.header, got, tt.want)
		}
	}
}

// TestTargetIsDecodedOnce: a + and a %2B arrive as they were meant.
func TestTargetIsDecodedOnce(t *testing.T) {
	h := newHouse(t, nil)
	h.get("/probe?target=" + url.QueryEscape(h.page.URL+"/ok?q=1%2B1&r=a+b"))
	r := <-h.seen
	if got := r.URL.RawQuery; got != "q=1%2B1&r=a+b" {
		t.Errorf("the target was asked for %q", got)
	}
}

func TestHostname(t *testing.T) {
	h := newHouse(t, nil)
	h.get("/probe?hostname=shop.example&target=" + url.QueryEscape(h.page.URL))
	if r := <-h.seen; r.Host != "shop.example" {
		t.Errorf("the Host was %s", r.Host)
	}
}

func TestDebugHasNoSecrets(t *testing.T) {
	h := newHouse(t, func(page string, o *probe.Doors) {
		o.Targets = []probe.Target{{Name: "a", Target: page + "/ok", Module: "secret"}}
	})
	code, kind, body := h.get("/probe?debug=true&module=secret&target=" + url.QueryEscape(h.page.URL+"/ok"))
	if code != 200 || !strings.HasPrefix(kind, "text/plain") {
		t.Fatalf("got %d %s", code, kind)
	}
	for _, want := range []string{"Logs for the probe:\n", "\n\n\nMetrics that would have been returned:\n", "probe_success 1", "\n\n\nModule configuration:\nsecret:", "password: <secret>", "X-Key: <secret>", "username: me"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in\n%s", want, body)
		}
	}
	if strings.Contains(body, "hunter") {
		t.Errorf("a secret is shown:\n%s", body)
	}
	if r := <-h.seen; r.Header.Get("X-Key") != "hunter3" {
		t.Error("the secret was not sent")
	}
}

// TestWhoMayProbeWhat tries what callers may do who may not do all.
func TestWhoMayProbeWhat(t *testing.T) {
	h := newHouse(t, func(page string, o *probe.Doors) {
		o.Free = func(r *http.Request) bool { return r.Header.Get("X-Free") != "" }
		o.Targets = []probe.Target{{Name: "shop", Target: page + "/ok", Module: "http_2xx"}, {Name: "login", Target: page + "/login", Module: "secret"}}
		o.Allowed = []string{page + "/public/*"}
	})
	for _, tt := range []struct {
		module, path, free string
		code               int
	}{
		{"http_2xx", "/ok", "", 200},
		{"http_2xx", "/public/a", "", 200},
		{"http_2xx", "/other", "", 403},
		{"http_2xx", "/other", "yes", 200},
		{"slow", "/ok", "", 403},
		{"secret", "/login", "", 200},
		{"secret", "/public/a", "", 403},
		{"secret", "/other", "yes", 403}, // it could be a host of the caller's own
		{"bound", "/ok", "", 200},
	} {
		code, _, body := h.get("/probe?module="+tt.module+"&target="+url.QueryEscape(h.page.URL+tt.path), "X-Free", tt.free)
		if code != tt.code {
			t.Errorf("%s %s free %q: got %d, want %d: %s", tt.module, tt.path, tt.free, code, tt.code, body)
		}
	}
	if code, _, _ := h.get("/probe?target="+url.QueryEscape(h.page.URL+"/ok"), "Sec-Fetch-Site", "cross-site"); code != 403 {
		t.Errorf("a page of another origin got %d", code)
	}
	code, kind, body := h.get("/probe?module=bound&target="+url.QueryEscape("http://127.0.0.2/ok"), "X-Free", "yes")
	if code != 200 || value(t, kind, body, "probe_success") != 0 {
		t.Errorf("a module's allowed_targets do not hold: %d %s", code, body)
	}
}

func TestRunDoor(t *testing.T) {
	h := newHouse(t, nil)
	run := func(body, kind string) (int, map[string]any) {
		r, err := http.NewRequest(http.MethodPost, h.doors.URL+"/api/v1/probe/run", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		code, _, text := h.do(r, "Content-Type", kind)
		var out map[string]any
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return code, out
	}
	code, out := run(`{"target": "`+h.page.URL+`/down", "timeout": "5s"}`, "application/json; charset=utf-8")
	data, _ := out["data"].(map[string]any)
	if code != 200 || out["status"] != "success" || data["success"] != false {
		t.Fatalf("got %d %v", code, out)
	}
	failure, _ := data["failure"].(map[string]any)
	if failure["reason"] != "status" || failure["remedy"] == "" || data["log"] == "" || data["region"] != "here" || data["timeout_seconds"] != 5.0 {
		t.Errorf("got %v", data)
	}
	if phases, _ := data["phases"].([]any); len(phases) != 5 {
		t.Errorf("the phases are %v", data["phases"])
	}
	for _, tt := range []struct {
		body, kind string
		code       int
	}{
		{`{"target": "x"}`, "text/plain", 415}, {`{`, "application/json", 400}, {``, "application/json", 400}, {`{"target": "x", "modul": "y"}`, "application/json", 400},
		{`{"module": "http_2xx"}`, "application/json", 400}, {`{"target": "x", "module": "none"}`, "application/json", 400}, {`{"target": "x", "timeout": "1h"}`, "application/json", 400},
		{`{"target": "http://x", "module": "secret"}`, "application/json", 403}, {`{"target": "x"} {}`, "application/json", 400},
	} {
		if code, out := run(tt.body, tt.kind); code != tt.code || out["status"] != "error" || out["error"] == "" {
			t.Errorf("%s: got %d %v, want %d", tt.body, code, out, tt.code)
		}
	}
}

func TestResultsDoor(t *testing.T) {
	h := newHouse(t, func(page string, o *probe.Doors) {
		o.Targets = []probe.Target{{Name: "shop", Target: page + "/ok", Module: "http_2xx", Every: time.Minute, Timeout: time.Second}}
	})
	for _, path := range []string{"/ok", "/down", "/ok"} {
		h.get("/probe?target=" + url.QueryEscape(h.page.URL+path))
	}
	var out struct {
		Data []struct {
			Last     probe.Report
			Failures []probe.Report
			Recent   []struct {
				ID      int64
				Success bool
				Reason  string
			}
		}
	}
	_, _, body := h.get("/api/v1/probe/results")
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Data) != 2 {
		t.Fatalf("%v: %s", err, body)
	}
	down, shop := out.Data[0], out.Data[1]
	if shop.Last.Name != "shop" || !shop.Last.Success || len(shop.Recent) != 2 || shop.Last.Every != 60 || len(shop.Failures) != 0 {
		t.Errorf("shop: %s", body)
	}
	if down.Last.Success || len(down.Failures) != 1 || down.Recent[0].Reason != "status" {
		t.Errorf("down: %s", body)
	}
	_, _, body = h.get("/api/v1/probe/results?name=shop")
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Data) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	code, _, body := h.get("/api/v1/probe/results/2")
	if code != 200 || !strings.Contains(body, `"log":"`) || !strings.Contains(body, `"probe_http_status_code"`) {
		t.Errorf("got %d %s", code, body)
	}
	for _, id := range []string{"1", "99", "x"} { // 1 was superseded
		if code, _, body := h.get("/api/v1/probe/results/" + id); code != 404 {
			t.Errorf("result %s: got %d %s", id, code, body)
		}
	}
}

func TestTargetsDoor(t *testing.T) {
	h := newHouse(t, func(_ string, o *probe.Doors) {
		o.Targets = []probe.Target{{Name: "shop", Target: "https://shop.example", Module: "http_2xx", Every: time.Minute, Timeout: 5 * time.Second}}
	})
	_, kind, body := h.get("/api/v1/probe/targets")
	var got []map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || kind != "application/json" {
		t.Fatalf("%v: %s: %s", err, kind, body)
	}
	want := []map[string]any{{
		"targets": []any{strings.TrimPrefix(h.doors.URL, "http://")},
		"labels": map[string]any{
			"__metrics_path__": "/probe", "__param_target": "https://shop.example", "__param_module": "http_2xx", "instance": "https://shop.example",
			"module": "http_2xx", "name": "shop", "region": "here", "__scrape_interval__": "1m", "__scrape_timeout__": "5500ms",
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
