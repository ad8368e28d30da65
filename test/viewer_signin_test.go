package test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

// surfer is somebody with a browser, who follows no redirect by itself.
type surfer struct {
	t    testing.TB
	base string // of the site, without a slash at the end
	*http.Client
}

func newSurfer(t testing.TB, base string) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &surfer{t, base, &http.Client{
		Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends a request; headers are pairs.
func (s *surfer) do(method, address string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.base + address
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

// page goes to an address as a browser does, and follows redirects.
func (s *surfer) page(address string) (*http.Response, string) {
	s.t.Helper()
	for range 10 {
		resp, body := s.do("GET", address, "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
		next, err := resp.Location()
		if err != nil {
			return resp, body
		}
		address = next.String()
	}
	s.t.Fatalf("it never ends: %s", address)
	return nil, ""
}

// signInConfig lets engineers in who sign in at the provider.
func signInConfig(p *provider, external string) string {
	return fmt.Sprintf(`
auth:
  oidc:
    - {issuer: %[1]q, audience: %[2]q, claims: {groups: admins}, name_claim: email, scopes: [query, admin]}
    - {issuer: %[1]q, audience: %[2]q, claims: {groups: engineering}, name_claim: email, scopes: [query]}
    - {issuer: %[1]q, audience: %[2]q, claims: {groups: pushers}, name_claim: email, scopes: [push]}
viewer:
  external_url: %[4]q
  sign_in: {issuer: %[1]q, client_id: %[2]q, client_secret: %[3]q, scopes: [email, groups]}
`, p.Issuer(), p.ClientID, p.ClientSecret, external)
}

// behind starts a proxy that does the TLS, with a path before the site's own, and
// returns its address. If strip is true it takes the path off.
func behind(t *testing.T, path string, strip bool) (external string, to func(address string)) {
	t.Helper()
	var inner atomic.Pointer[http.Handler]
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*inner.Load()).ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	return s.URL + path, func(address string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		var p http.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }}
		if strip {
			p = http.StripPrefix(path, p)
		}
		inner.Store(&p)
	}
}

// People sign in at a provider and read, behind a proxy, below a path, with the
// rights that the rules give them and no more; until they sign out.
func TestPeopleSignIn(t *testing.T) {
	for name, strip := range map[string]bool{"the proxy strips the path": true, "the proxy leaves the path": false} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			external, to := behind(t, "/watch", strip)
			s := newServer(t, "scrape_interval: 1s\n"+signInConfig(p, external))
			to(s.url())
			jane := newSurfer(t, external)

			resp, body := jane.do("GET", "/", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
			want := "/watch/-/signin?return_to=%2Fwatch%2F"
			if resp.StatusCode != 303 || resp.Header.Get("Location") != want {
				t.Fatalf("at first: %s to %q, want %q: %s", resp.Status, resp.Header.Get("Location"), want, body)
			}
			resp, body = jane.do("GET", "/api/v1/query?query=up", "Sec-Fetch-Mode", "cors")
			if resp.StatusCode != 401 || !strings.Contains(body, `"signIn":"-/signin"`) || strings.Contains(strings.Join(resp.Header["Www-Authenticate"], " "), "Basic") {
				t.Errorf("the page's own request: %s %v %s", resp.Status, resp.Header["Www-Authenticate"], body)
			}
			resp, body = jane.page("/")
			if resp.StatusCode != 200 || !strings.Contains(body, "<!doctype html>") || resp.Request.URL.String() != external+"/" {
				t.Fatalf("signed in: %s at %s: %.200s", resp.Status, resp.Request.URL, body)
			}
			if resp, body = jane.do("GET", "/api/v1/status/viewer"); !strings.Contains(body, `"name":"jane.doe@example.com"`) || !strings.Contains(body, `"signIn":true`) || !strings.Contains(body, `["query"]`) {
				t.Errorf("who: %s %s", resp.Status, body)
			}
			checkRights(t, jane)
			checkSecureHeaders(t, jane)

			// The key is kept: after a restart she is known.
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			s.start()
			if resp, body := jane.do("GET", "/api/v1/query?query=1"); resp.StatusCode != 200 {
				t.Errorf("after a restart: %s %s", resp.Status, body)
			}
			if i, err := os.Stat(filepath.Join(s.dir, "data", "session.key")); err != nil || i.Mode().Perm() != 0o600 {
				t.Errorf("the key's file: %v %v", i, err)
			}
			if resp, body := jane.do("POST", "/-/signout", "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 403 {
				t.Errorf("another site signs her out: %s %s", resp.Status, body)
			}
			if resp, body := jane.do("POST", "/-/signout", "Sec-Fetch-Site", "same-origin"); resp.StatusCode != 200 {
				t.Errorf("sign out: %s %s", resp.Status, body)
			}
			if resp, _ := jane.do("GET", "/api/v1/query?query=1"); resp.StatusCode != 401 {
				t.Errorf("signed out: %s", resp.Status)
			}
		})
	}
}

// checkRights sees that a session gives what its rule says, and that no other site
// can use it.
func checkRights(t *testing.T, jane *surfer) {
	t.Helper()
	for _, c := range []struct {
		what, method, path string
		code               int
		headers            []string
	}{
		{"reading", "GET", "/api/v1/query?query=1", 200, nil},
		{"reading by a form", "POST", "/api/v1/query?query=1", 200, []string{"Sec-Fetch-Site", "same-origin"}},
		{"pushing", "POST", "/api/v1/push", 403, nil},
		{"administering", "GET", "/api/v1/ledger/export", 403, nil},
		{"a form of another site", "POST", "/api/v1/query?query=1", 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"a form of a neighbour", "POST", "/api/v1/query?query=1", 403, []string{"Sec-Fetch-Site", "same-site"}},
		{"an old browser's form of another site", "POST", "/api/v1/query?query=1", 403, []string{"Origin", "https://evil.example"}},
		{"an old browser's form of a sandbox", "POST", "/api/v1/query?query=1", 403, []string{"Origin", "null"}},
		{"a bad token beside the session", "GET", "/api/v1/query?query=1", 401, []string{"Authorization", "Bearer x"}},
	} {
		if resp, body := jane.do(c.method, c.path, c.headers...); resp.StatusCode != c.code {
			t.Errorf("%s: %s %.200s, want %d", c.what, resp.Status, body, c.code)
		}
	}
}

// checkSecureHeaders looks at the headers of all kinds of answers.
func checkSecureHeaders(t *testing.T, jane *surfer) {
	t.Helper()
	for _, path := range []string{"/", "/api/v1/query?query=1", "/api/v1/status/viewer", "/-/healthy", "/nowhere", "/metrics", "/-/signin/callback", "/-/signin", "/docs/"} {
		resp, _ := jane.do("GET", path)
		h := resp.Header
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy %q has not %s", path, csp, part)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if strings.Contains(csp, "unsafe") || !strings.Contains(h.Get("Permissions-Policy"), "camera=()") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// Whoever signs in gets what the first rule that fits says; nobody else comes in.
func TestSignInRules(t *testing.T) {
	p := newProvider(t)
	ln := listener(t)
	external := "http://" + ln.Addr().String()
	ln.Close()
	s := newServer(t, "scrape_interval: 1s\n"+signInConfig(p, external))
	for _, c := range []struct {
		groups []string
		code   int
		want   string
	}{
		{[]string{"admins"}, 200, `["query","admin"]`},
		{[]string{"engineering"}, 200, `["query"]`},
		{[]string{"pushers"}, 403, "wants the scope query"},
		{[]string{"sales"}, 403, "no rule takes"},
		{nil, 403, "no rule takes"},
	} {
		p.QueueUser(&mockoidc.MockUser{Subject: "1", Email: "x@example.com", Groups: c.groups})
		someone := newSurfer(t, s.url())
		resp, _ := someone.do("GET", "/-/signin")
		atProvider, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		back, _ := someone.do("GET", atProvider.String())
		u, err := back.Location()
		if err != nil {
			t.Fatal(err)
		}
		resp, body := someone.do("GET", u.RequestURI()) // on this port, instead of the one of the configuration
		if resp.StatusCode == 303 {
			resp, body = someone.do("GET", "/api/v1/status/viewer")
		}
		if slices.Equal(c.groups, []string{"pushers"}) { // who shows a page reads a page
			page, text := someone.do("GET", "/", "Accept", "text/html")
			if page.StatusCode != 403 || !strings.Contains(text, "You are signed in, but may not come in here") || !strings.Contains(text, "Sign in again") {
				t.Errorf("the page: %s %s", page.Status, text)
			}
		}
		if resp.StatusCode != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%v: %s %s, want %d with %s", c.groups, resp.Status, body, c.code, c.want)
		}
	}
}

// A configuration that can't be right is refused at once.
func TestSignInConfiguration(t *testing.T) {
	p := newProvider(t)
	dir := t.TempDir()
	for name, c := range map[string]struct{ change, to, want string }{
		"no external URL": {"external_url:", "# external_url:", "external_url is missing"},
		"no client":       {fmt.Sprintf("client_id: %q, ", p.ClientID), "", "client_id is missing"},
		"no rule":         {fmt.Sprintf("client_id: %q", p.ClientID), "client_id: other", "no rule of auth.oidc"},
		"a path of ours":  {"metrics.example", "metrics.example/metrics/x", "narthex's own"},
		"a short key":     {"scopes: [email", "keys: [short], scopes: [email", "at least 32"},
	} {
		text := strings.Replace(signInConfig(p, "https://metrics.example"), c.change, c.to, 1)
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yml")
		writeFile(t, file, text)
		out, code := command(t, "", "serve", "--config", file, "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
		if code != 2 || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit %d, %s", name, code, out)
		}
	}
}

// The same in a real browser: the cookies are taken and kept from scripts, the
// policy allows what the page does, another origin gets nothing, a session that
// ends leads back to where one was, and who may not come in reads why.
func TestSignInWithABrowser(t *testing.T) {
	p := newProvider(t)
	external, to := behind(t, "/watch", true)
	s := newServer(t, "scrape_interval: 1s\n"+signInConfig(p, external))
	to(s.url())
	browser(t, "e2e/signin.mjs", external+"/", screenshots(t))
	p.QueueUser(&mockoidc.MockUser{Subject: "1", Email: "ci@example.com", Groups: []string{"pushers"}})
	browser(t, "e2e/signin.mjs", external+"/", screenshots(t), "forbidden")
}
