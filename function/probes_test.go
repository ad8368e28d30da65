package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex"
	"narthex/function"
	"narthex/remotewrite"
)

// receiver takes remote write and keeps the last sample of each series.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	last     map[string]narthex.Sample
	requests int
	refuse   bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{last: make(map[string]narthex.Sample)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		packed, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		body, err := s2.Decode(nil, packed)
		if err != nil {
			t.Error(err)
		}
		got, err := remotewrite.Decode(remotewrite.V1, string(body), remotewrite.Limits{})
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.requests++; got == nil {
			return
		}
		for _, s := range got.Series {
			if len(s.Samples) > 0 {
				r.last[strings.Clone(s.Labels.String())] = s.Samples[len(s.Samples)-1]
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// value returns the value of the series whose text begins with the prefix.
func (r *receiver) value(prefix string) (float64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, s := range r.last {
		if strings.HasPrefix(name, prefix) {
			return s.Value, true
		}
	}
	return 0, false
}

// instance is one of the function with the configuration.
type instance struct {
	t   *testing.T
	f   *function.Function
	log *bytes.Buffer
}

func newInstance(t *testing.T, config string) *instance {
	t.Helper()
	env := map[string]string{"AWS_REGION": "eu-central-1", "NARTHEX_CONFIG": config}
	log := new(bytes.Buffer)
	return &instance{t, function.New(function.Options{
		Getenv: func(name string) string { return env[name] }, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), log}
}

func (i *instance) invoke(event string, out any) error {
	i.t.Helper()
	answer, err := i.f.Invoke(i.t.Context(), []byte(event))
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return err
}

// get is a request through the function's URL.
func (i *instance) get(path string) (int, string) {
	i.t.Helper()
	p, query, _ := strings.Cut(path, "?")
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": p, "rawQueryString": query, "headers": map[string]string{"x-prometheus-scrape-timeout-seconds": "5"},
		"requestContext": map[string]any{"http": map[string]string{"method": "GET", "path": p}, "authorizer": map[string]any{"iam": map[string]string{"userArn": "arn:aws:iam::123456789012:user/me", "accountId": "123456789012"}}},
	})
	if err != nil {
		i.t.Fatal(err)
	}
	var out struct {
		StatusCode int
		Body       string
	}
	if err := i.invoke(string(event), &out); err != nil {
		i.t.Fatal(err)
	}
	return out.StatusCode, out.Body
}

func page(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestProbeRounds: the command probe makes the round for the time that it names,
// writes it out, and counts it once; the next tick writes the counts.
func TestProbeRounds(t *testing.T) {
	site, prom := page(t), newReceiver(t)
	i := newInstance(t, fmt.Sprintf(`
scrape_interval: 1m
ledger: {state: "file:%s"}
remote_write: [{url: %q, protobuf_message: prometheus.WriteRequest}]
probes:
  guard: {loopback: true}
  targets:
    - {name: up, target: %q}
    - {name: down, target: %q}
`, filepath.Join(t.TempDir(), "state"), prom.URL, site.URL, site.URL+"/down"))
	at := time.Now().Truncate(time.Minute).Format(time.RFC3339)
	for range 2 { // Lambda tries again
		var report struct{ Due, Probed, Failed int }
		if err := i.invoke(`{"narthex": "probe", "at": "`+at+`"}`, &report); err != nil || report.Due != 2 || report.Probed != 2 || report.Failed != 1 {
			t.Fatalf("got %+v, %v\n%s", report, err, i.log)
		}
	}
	for prefix, want := range map[string]float64{
		`probe_success{instance="` + site.URL + `",job="probe",module="http_2xx",name="up",region="eu-central-1"}`: 1,
		`probe_success{instance="` + site.URL + `/down"`:                                                           0,
		`probe_failure_info{instance="` + site.URL + `/down"`:                                                      1,
		`narthex_runner_round_due{job="probe",region="eu-central-1"}`:                                              2,
	} {
		if got, ok := prom.value(prefix); !ok || got != want {
			t.Errorf("%s is %v, %v, want %v", prefix, got, ok, want)
		}
	}
	// The counts are written from the ledger: a zero first, then what they are.
	var ticked struct{ Probes struct{ Due int } }
	if err := i.invoke(fmt.Sprintf(`{"narthex": "tick", "at": %d}`, time.Now().Truncate(time.Minute).UnixMilli()), &ticked); err != nil || ticked.Probes.Due != 2 {
		t.Fatalf("got %+v, %v\n%s", ticked, err, i.log)
	}
	if _, ok := prom.value("probe_scheduled_total"); !ok {
		t.Error("the counts were not written")
	}
	prom.mu.Lock()
	prom.refuse = true
	prom.mu.Unlock()
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	if _, err := i.f.Invoke(ctx, []byte(`{"narthex": "probe", "at": "`+at+`"}`)); err == nil || ctx.Err() != nil {
		t.Error("a round whose results are lost is no success: nobody tries again")
	}
}

// TestProbeDoorOnLambda: what AWS has let in may have the configured and the
// allowed probed; the function's own machine is not among what may be dialled.
func TestProbeDoorOnLambda(t *testing.T) {
	site := page(t)
	const roles = "lambda: {roles: [probe]}\nprobes:\n  allowed_targets: [\"http://127.0.0.1:*\"]\n"
	ask := "/probe?target=" + url.QueryEscape(site.URL)
	closed := newInstance(t, roles)
	code, body := closed.get(ask)
	if code != 200 || !strings.Contains(body, "probe_success 0") || !strings.Contains(body, `probe_failure_info{phase="policy",reason="denied"} 1`) {
		t.Errorf("got %d %s", code, body)
	}
	open := newInstance(t, roles+"  guard: {loopback: true}\n")
	if code, body := open.get(ask); code != 200 || !strings.Contains(body, "probe_success 1") || !strings.Contains(body, "narthex_runner_cold_start 1") {
		t.Errorf("got %d %s\n%s", code, body, open.log)
	}
	if code, body := open.get("/probe?target=" + url.QueryEscape("http://example.org/")); code != 403 {
		t.Errorf("got %d %s", code, body)
	}
	if code, body := open.get("/api/v1/push"); code != 404 || !strings.Contains(body, "GET /probe") {
		t.Errorf("got %d %s", code, body)
	}
}

// TestUnsupportedOnLambda: what the function can't do is told when the configuration
// is read, with what to use instead.
func TestUnsupportedOnLambda(t *testing.T) {
	for module, want := range map[string]string{
		"{prober: icmp}": "prober: tcp", "{prober: unix}": "prober: tcp",
		"{prober: http, http: {fail_if_body_json_matches_cel: body.a}}":   "fail_if_body_matches_regexp",
		"{prober: http, http: {enable_http3: true, enable_http2: false}}": "enable_http2",
		"{prober: htp}": "narthex.yml", // any other error of a module
	} {
		f := newInstance(t, "lambda: {roles: [probe]}\nmodules:\n  m: "+module+"\n")
		err := f.f.Prepare(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) && want != "narthex.yml" {
			t.Errorf("%s: got %v", module, err)
		}
	}
}

// TestTargetsOfOtherRegions are not this function's.
func TestTargetsOfOtherRegions(t *testing.T) {
	site, prom := page(t), newReceiver(t)
	i := newInstance(t, fmt.Sprintf(`
lambda: {roles: [probe]}
remote_write: [{url: %q, protobuf_message: prometheus.WriteRequest}]
probes:
  guard: {loopback: true}
  targets:
    - {name: here, target: %q, regions: [eu-central-1]}
    - {name: there, target: %q, regions: [us-west-2]}
`, prom.URL, site.URL, site.URL))
	var report struct{ Due, Probed int }
	if err := i.invoke(`{"narthex": "tick"}`, &report); err != nil || report.Due != 1 || report.Probed != 1 {
		t.Fatalf("got %+v, %v\n%s", report, err, i.log)
	}
	if _, ok := prom.value(`probe_success{instance="` + site.URL + `",job="probe",module="http_2xx",name="here"`); !ok {
		t.Error("the target of this region was not probed")
	}
}
