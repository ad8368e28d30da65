package app_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"

	"narthex/app"
	"narthex/config"
	"narthex/remotewrite"
)

// receiver keeps what it is sent and answers as a receiver of remote write 1.0.
type receiver struct {
	mu     sync.Mutex
	header http.Header
	series []string
	status int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = req.Header.Clone()
	if r.status != 0 {
		http.Error(w, "not now", r.status)
		return
	}
	message, err := s2.Decode(nil, body)
	if err == nil {
		var got *remotewrite.Request
		if got, err = remotewrite.Decode(remotewrite.V1, string(message), remotewrite.Limits{}); err == nil {
			for _, s := range got.Series {
				r.series = append(r.series, s.Labels.String())
			}
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) last() (http.Header, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header, r.series
}

// agent is an app without a store.
func agent(t *testing.T, text string, env func(string) (string, bool)) *httptest.Server {
	t.Helper()
	c, err := config.Parse("narthex.yml", []byte("storage: none\n"+text), env)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = t.TempDir()
	a, err := app.New(context.Background(), app.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, a)
}

func do(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const oneSample = `{"series":[{"labels":{"__name__":"a","pod":"x","env":"own"},"samples":[{"value":1}]},{"labels":{"__name__":"debug_a"},"samples":[{"value":1}]}]}`

// TestCredentials: each way to say who narthex is reaches the destination, and
// nothing that it tells shows a secret.
func TestCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ yaml, header, want string }{
		"basic_auth":       {"basic_auth: {username: me, password: hunter2}", "Authorization", "Basic bWU6aHVudGVyMg=="},
		"password_file":    {"basic_auth: {username: me, password_file: " + file + "}", "Authorization", "Basic bWU6aHVudGVyMg=="},
		"authorization":    {`authorization: {type: Token, credentials: "${SECRET}"}`, "Authorization", "Token hunter2"},
		"credentials_file": {"authorization: {credentials_file: " + file + "}", "Authorization", "Bearer hunter2"},
		"bearer_token":     {"bearer_token: hunter2", "Authorization", "Bearer hunter2"},
		"headers":          {`headers: {X-Scope-OrgID: "${SECRET}"}`, "X-Scope-Orgid", "hunter2"},
		"sigv4":            {"sigv4: {region: eu-west-1, access_key: AKID, secret_key: hunter2}", "Authorization", "AWS4-HMAC-SHA256 Credential=AKID/*/eu-west-1/aps/aws4_request, SignedHeaders="},
		"user agent":       {"send_exemplars: false", "User-Agent", "narthex/test"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{}
			to := httptest.NewServer(r)
			defer to.Close()
			s := agent(t, fmt.Sprintf("remote_write: [{name: there, url: %q, protobuf_message: prometheus.WriteRequest, %s}]", to.URL+"/w?token=hunter2", c.yaml), func(string) (string, bool) { return "hunter2", true })
			if code, answer := do(t, "POST", s.URL+"/api/v1/push", oneSample); code != 200 {
				t.Fatalf("push: %d %s", code, answer)
			}
			header, series := r.last()
			before, after, _ := strings.Cut(c.want, "*")
			if got := header.Get(c.header); !strings.HasPrefix(got, before) || !strings.Contains(got, after) {
				t.Errorf("%s is %q, want %q", c.header, got, c.want)
			}
			if len(series) != 2 {
				t.Errorf("series %v", series)
			}
			_, status := do(t, "GET", s.URL+"/api/v1/status/destinations", "")
			_, metrics := do(t, "GET", s.URL+"/metrics", "")
			if !strings.Contains(status, `"name":"there"`) || !strings.Contains(status, `"health":"up"`) || strings.Contains(status+metrics, "hunter2") {
				t.Errorf("the status is %s", status)
			}
			if !strings.Contains(metrics, `narthex_remote_write_samples_total{destination="there"} 2`) {
				t.Errorf("the metrics are\n%s", metrics)
			}
		})
	}
}

func TestTLSOfDestination(t *testing.T) {
	r := &receiver{}
	to := httptest.NewTLSServer(r)
	defer to.Close()
	to.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: to.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := agent(t, fmt.Sprintf("remote_write: [{url: %q, protobuf_message: prometheus.WriteRequest, tls_config: {ca_file: %s, server_name: example.com, min_version: TLS13}}]", to.URL, ca), nil)
	if code, answer := do(t, "POST", s.URL+"/api/v1/push", oneSample); code != 200 {
		t.Fatalf("push: %d %s", code, answer)
	}
	if _, series := r.last(); len(series) != 2 {
		t.Errorf("series %v", series)
	}
	c, err := config.Parse("x.yml", []byte("remote_write: [{url: \"https://x/y\", tls_config: {ca_file: /does/not/exist}}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = t.TempDir()
	if _, err := app.New(t.Context(), app.Options{Config: c}); err == nil || !strings.Contains(err.Error(), "remote_write x: tls_config.ca_file: open /does/not/exist") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestTwoDestinations: labels and relabelling are each destination's own, and one
// that is down is seen to be, while the other has all.
func TestTwoDestinations(t *testing.T) {
	one, two, away := &receiver{}, &receiver{}, &receiver{status: 401}
	var urls []any
	for _, r := range []*receiver{one, two, away} {
		srv := httptest.NewServer(r)
		defer srv.Close()
		urls = append(urls, srv.URL)
	}
	s := agent(t, fmt.Sprintf(`
external_labels: {env: prod, region: eu}
remote_write:
  - {name: one, url: %q, protobuf_message: prometheus.WriteRequest}
  - name: two
    url: %q
    protobuf_message: prometheus.WriteRequest
    write_relabel_configs: [{source_labels: [__name__], regex: debug_.*, action: drop}, {regex: pod|region, action: labeldrop}]
  - {name: away, url: %q, protobuf_message: prometheus.WriteRequest}
`, urls...), nil)
	if code, answer := do(t, "POST", s.URL+"/api/v1/push", oneSample); code != 200 || !strings.Contains(answer, `"accepted":2`) {
		t.Fatalf("push: %d %s", code, answer)
	}
	if _, got := one.last(); strings.Join(got, " ") != `a{env="own",pod="x",region="eu"} debug_a{env="prod",region="eu"}` {
		t.Errorf("one got %v", got)
	}
	if _, got := two.last(); strings.Join(got, " ") != `a{env="own"}` {
		t.Errorf("two got %v", got)
	}
	_, status := do(t, "GET", s.URL+"/api/v1/status/destinations", "")
	if !strings.Contains(status, `"name":"away"`) || !strings.Contains(status, `"health":"down"`) || !strings.Contains(status, "401 Unauthorized") {
		t.Errorf("the status is %s", status)
	}
	if code, _ := do(t, "GET", s.URL+"/-/ready", ""); code != 200 {
		t.Errorf("ready: %d, because of a destination", code)
	}
	if code, answer := do(t, "GET", s.URL+"/api/v1/query?query=up", ""); code != 404 || !strings.Contains(answer, "storage: none") {
		t.Errorf("a query: %d %s", code, answer)
	}
}
