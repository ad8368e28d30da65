package test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/lambda/emulator"
)

// The viewer as a function, run from its zip as Lambda runs it.
func TestViewerFunction(t *testing.T) {
	t.Parallel()
	zip := zipFile(t, "bootstrap-view")
	t.Run("people", func(t *testing.T) { viewerFunctionPeople(t, zip) })
	t.Run("browser", func(t *testing.T) { viewerFunctionBrowser(t, zip) })
	t.Run("settings", func(t *testing.T) { viewerFunctionSettings(t, zip) })
}

// startView runs the function over another Prometheus, which it calls prom, behind
// a sign-in at a provider.
func startView(t *testing.T, zip, upstream string, p *provider, tokens string) *emulator.Function {
	t.Helper()
	config := fmt.Sprintf(`
query: {url: %q, name: prom}
auth:
%s  oidc: [{issuer: %[3]q, audience: %[4]q, claims: {groups: engineering}, name_claim: email, scopes: [query]}]
viewer:
  sign_in: {issuer: %[3]q, client_id: %[4]q, client_secret: "${SECRET}", scopes: [email, groups], keys: ["${SESSION_KEY}"]}
`, upstream, tokens, p.Issuer(), p.ClientID)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	f, err := emulator.Start(emulator.Options{
		Code: zip, Name: "narthex-view",
		Memory: 512, Timeout: 20 * time.Second, Log: log,
		Env: []string{"NARTHEX_CONFIG=" + config, "SECRET=" + p.ClientSecret, "SESSION_KEY=" + strings.Repeat("k", 40)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the function said:\n%s", text)
		}
	})
	return f
}

// A browser sees through the function what is stored in another Prometheus: it
// signs in, reads, and signs out.
func viewerFunctionBrowser(t *testing.T, zip string) {
	upstream := startPrometheus(t, "scrape_configs: []\n").base
	pushes := newServer(t, "scrape_interval: 1s\nremote_write: [{url: "+upstream+"/api/v1/write}]\n")
	f := startView(t, zip, upstream, newProvider(t), "")
	site := httptest.NewTLSServer(f.Front(emulator.Front{Kind: emulator.FunctionURL}))
	defer site.Close()
	browser(t, "e2e/function.mjs", site.URL+"/", pushes.url()+"/", screenshots(t))
}

// People sign in and read another Prometheus, and any instance knows them.
func viewerFunctionPeople(t *testing.T, zip string) {
	upstream := startPrometheus(t, "scrape_configs: []\n").base
	p := newProvider(t)
	token, element := makeToken(t, "--name", "grafana", "--scope", "query")
	f := startView(t, zip, upstream, p, "  tokens:\n"+element+"\n")
	for name, kind := range map[string]emulator.FrontKind{"a function URL": emulator.FunctionURL, "an HTTP API": emulator.HTTPAPI} {
		t.Run(name, func(t *testing.T) {
			site := httptest.NewTLSServer(f.Front(emulator.Front{Kind: kind}))
			defer site.Close()
			jane := newSurfer(t, site.URL)
			if resp, body := jane.do("GET", "/api/v1/query?query=1"); resp.StatusCode != 401 {
				t.Errorf("a stranger: %s %s", resp.Status, body)
			}
			resp, body := jane.page("/")
			if resp.StatusCode != 200 || !strings.Contains(body, "<!doctype html>") || resp.Request.URL.String() != site.URL+"/" {
				t.Fatalf("signed in: %s at %s: %s", resp.Status, resp.Request.URL, body)
			}
			if !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("headers: %v", resp.Header)
			}
			f.Recycle() // another instance has nothing but the cookie
			for path, want := range map[string]string{
				"/api/v1/query?query=vector(7)":               `"7"`,
				"/backends/prom/api/v1/query?query=vector(7)": `"7"`,
				"/api/v1/parse_query?query=up":                `"vectorSelector"`,
				"/api/v1/status/backend":                      `"kind":"prometheus"`,
				"/api/v1/status/viewer":                       `#jane.doe@example.com`,
			} {
				if resp, body := jane.do("GET", path); resp.StatusCode != 200 || !strings.Contains(body, want) {
					t.Errorf("%s: %s %s, want %s", path, resp.Status, body, want)
				}
			}
			for path, code := range map[string]int{"/api/v1/push": 403, "/backends/prom/api/v1/write": 403, "/api/v1/admin/tsdb/snapshot": 403} {
				if resp, body := jane.do("POST", path, "Sec-Fetch-Site", "same-origin"); resp.StatusCode != code {
					t.Errorf("POST %s: %s %s, want %d", path, resp.Status, body, code)
				}
			}
			if resp, body := jane.do("POST", "/-/signout", "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 {
				t.Errorf("sign out: %s %s", resp.Status, body)
			}
			if resp, _ := jane.do("GET", "/api/v1/query?query=1"); resp.StatusCode != 401 {
				t.Errorf("signed out: %s", resp.Status)
			}
			// Grafana, with a token.
			if resp, body := newSurfer(t, site.URL).do("GET", "/api/v1/query?query=vector(8)", "Authorization", "Bearer "+token); resp.StatusCode != 200 || !strings.Contains(body, `"8"`) {
				t.Errorf("by a token: %s %s", resp.Status, body)
			}
		})
	}
}

// A function whose settings are wrong, or that would show all to everybody, says
// so in its log and shows nothing.
func viewerFunctionSettings(t *testing.T, zip string) {
	for name, c := range map[string]struct {
		env  []string
		code int
		log  string
	}{
		"none":              {nil, 503, "query is missing"},
		"no query":          {[]string{"NARTHEX_CONFIG=listen: 127.0.0.1:1"}, 503, "query is missing"},
		"no authentication": {[]string{"NARTHEX_CONFIG=query: {url: http://127.0.0.1:1}"}, 503, "there is no authentication"},
		"on purpose":        {[]string{"NARTHEX_CONFIG=query: {url: http://127.0.0.1:1}", "NARTHEX_INSECURE_NO_AUTH=1"}, 200, "cold_start"},
		"no key":            {[]string{"NARTHEX_CONFIG=query: {url: http://127.0.0.1:1}\nauth: {oidc: [{issuer: https://i, audience: a, claims: {sub: x}}]}\nviewer: {sign_in: {issuer: https://i, client_id: a}}"}, 503, "keys is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			r, w := io.Pipe()
			done := make(chan struct{})
			go func() { _, _ = io.Copy(&log, r); close(done) }()
			f, err := emulator.Start(emulator.Options{Code: zip, Env: c.env, Log: w, Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			site := httptest.NewTLSServer(f.Front(emulator.Front{Kind: emulator.FunctionURL}))
			resp, body := newSurfer(t, site.URL).do("GET", "/")
			site.Close()
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			w.Close()
			<-done
			if resp.StatusCode != c.code || !strings.Contains(log.String(), c.log) {
				t.Errorf("%s %.200s, want %d; the log, which is to have %q:\n%s", resp.Status, body, c.code, c.log, log.String())
			}
		})
	}
}
