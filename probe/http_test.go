package probe_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/probe"
)

// TestHTTPReasons names the phase and the reason of each way to fail.
func TestHTTPReasons(t *testing.T) {
	ca := newAuthority(t)
	secure := func(names ...string) func(*testing.T, *authority) string { return tlsAt(with(names...), text("hello")) }
	trusting := func(m *probe.Module) { m.HTTP.Client.TLS.CAFile = ca.file }
	for name, c := range map[string]struct {
		change func(*probe.Module)
		target func(*testing.T, *authority) string
		want   string
	}{
		"no host":         {target: func(*testing.T, *authority) string { return "http://" }, want: "request/bad_target"},
		"bad address":     {target: func(*testing.T, *authority) string { return "http://[::1" }, want: "request/bad_target"},
		"bad port":        {target: func(*testing.T, *authority) string { return "http://127.0.0.1:nonsense/" }, want: "request/bad_target"},
		"no such host":    {target: func(*testing.T, *authority) string { return "http://no-such-host.invalid" }, want: "dns/no_such_host"},
		"no IPv6 address": {change: func(m *probe.Module) { m.HTTP.IP = probe.IP{Protocol: "ip6"} }, target: at(text("")), want: "dns/no_address"},
		"refused":         {target: func(t *testing.T, _ *authority) string { return "http://" + nobody(t) }, want: "connect/refused"},
		"closed":          {target: raw(""), want: "response/closed"},
		"no HTTP":         {target: raw("220 smtp ready\r\n"), want: "response/protocol"},
		"reset": {target: func(t *testing.T, _ *authority) string {
			return "http://" + listen(t, func(c net.Conn) { c.Read(make([]byte, 999)); c.(*net.TCPConn).SetLinger(0) })
		}, want: "response/reset"},
		"silent": {change: soon, target: func(t *testing.T, _ *authority) string {
			return "http://" + listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		}, want: "response/timeout"},
		"silent handshake": {change: soon, target: func(t *testing.T, _ *authority) string {
			return "https://" + listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		}, want: "tls/timeout"},
		"half a body": {change: soon, target: func(t *testing.T, _ *authority) string {
			return "http://" + listen(t, httpWithoutEnd["a body that is never sent"])
		}, want: "response/timeout"},
		"body cut off": {target: raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour"), want: "response/closed"},
		"not TLS": {target: func(t *testing.T, ca *authority) string {
			return "https://" + strings.TrimPrefix(serve(t, text("")), "http://")
		}, want: "tls/not_tls"},
		"not TLS at all": {target: func(t *testing.T, ca *authority) string {
			return "https://" + listen(t, func(c net.Conn) { io.WriteString(c, "220 smtp ready\r\n"); io.Copy(io.Discard, c) })
		}, want: "tls/not_tls"},
		"closed in TLS": {target: func(t *testing.T, ca *authority) string {
			return "https://" + listen(t, func(c net.Conn) { c.Read(make([]byte, 1<<12)) })
		}, want: "tls/closed"},
		"untrusted":         {target: secure("127.0.0.1"), want: "tls/cert_untrusted"},
		"other name":        {change: trusting, target: secure("shop.example"), want: "tls/cert_hostname"},
		"expired":           {change: trusting, target: tlsAt(changed(expired, "127.0.0.1"), text("")), want: "tls/cert_expired"},
		"no common version": {change: func(m *probe.Module) { trusting(m); m.HTTP.Client.TLS.MinVersion = tls.VersionTLS13 }, target: tlsAt(speaking(0, tls.VersionTLS12), text("")), want: "tls/handshake"},
		"no authority":      {change: func(m *probe.Module) { m.HTTP.Client.TLS.CAFile = "/nonexistent" }, target: secure("127.0.0.1"), want: "auth/credential"},
		"bad authority":     {change: func(m *probe.Module) { m.HTTP.Client.TLS.CA = "nonsense" }, target: secure("127.0.0.1"), want: "auth/credential"},
		"no token file":     {change: func(m *probe.Module) { m.HTTP.Client.Credentials.File = "/nonexistent" }, target: at(text("")), want: "auth/credential"},
		"status":            {target: at(onlyStatus(503)), want: "assert/status"},
		"version":           {change: func(m *probe.Module) { m.HTTP.ValidHTTPVersions = []string{"HTTP/2.0"} }, target: at(text("")), want: "assert/version"},
		"TLS is missing":    {change: func(m *probe.Module) { m.HTTP.FailIfNotSSL = true }, target: at(text("")), want: "assert/missing"},
		"TLS is unwanted":   {change: func(m *probe.Module) { trusting(m); m.HTTP.FailIfSSL = true }, target: secure("127.0.0.1"), want: "assert/unwanted"},
		"body":              {change: func(m *probe.Module) { m.HTTP.BodyMatches = []*regexp.Regexp{regexp.MustCompile("a")} }, target: at(text("a")), want: "assert/body"},
		"header": {change: func(m *probe.Module) {
			m.HTTP.HeaderNotMatches = []probe.HeaderMatch{{Header: "X-A", Regexp: regexp.MustCompile("a")}}
		}, target: at(text("a")), want: "assert/header"},
		"compression": {change: func(m *probe.Module) { m.HTTP.Compression = "gzip" }, target: at(text("this is not gzip")), want: "assert/encoding"},
		"too large":   {change: func(m *probe.Module) { m.HTTP.BodySizeLimit = 3 }, target: at(text("four")), want: "response/too_large"},
		"redirects":   {target: at(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }), want: "response/redirects"},
		"bad redirect": {target: at(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1")
			w.WriteHeader(302)
		}), want: "response/redirects"},
		"other protocol": {target: at(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}), want: "response/redirects"},
		"proxy is gone": {change: func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "http://127.0.0.1:1" }, target: at(text("")), want: "connect/refused"},
		"proxy refuses": {change: func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "http://" + ca.places["AUTHPROXY"] }, target: secure("127.0.0.1"), want: "connect/proxy"},
		"token service": {change: func(m *probe.Module) {
			m.HTTP.Client.OAuth2 = &probe.OAuth2{ClientID: "me", TokenURL: "http://127.0.0.1:1/"}
		}, target: at(text("")), want: "auth/refused"},
		"not allowed": {change: func(m *probe.Module) { m.AllowedTargets = []string{"https://shop.example/*"} }, target: at(text("")), want: "policy/not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := moduleOf("http", c.change)
			wantVerdict(t, runWithin(t, m, c.target(t, ca), 5*time.Second), c.want)
		})
	}
}

func soon(m *probe.Module) { m.Timeout = 200 * time.Millisecond }

// TestRefusedCertificateIsShown: its expiry is there just when it is wanted.
func TestRefusedCertificateIsShown(t *testing.T) {
	ca := newAuthority(t)
	r := runModule(t, moduleOf("http", func(m *probe.Module) { m.HTTP.Client.TLS.CAFile = ca.file }), serveTLS(t, changed(expired, "127.0.0.1")(t, ca), text("")))
	wantVerdict(t, r, "tls/cert_expired")
	if got := exposed(t, r, "probe_ssl_earliest_cert_expiry "); !strings.Contains(got, "e+09") {
		t.Errorf("there is no expiry: %q", got)
	}
	wantMetrics(t, r, `probe_tls_version_info{version="TLS 1.3"} 1`, "probe_success 0", `probe_failure_info{phase="tls",reason="cert_expired"} 1`)
	if got := exposed(t, r, "probe_ssl_last_chain_expiry"); got != "" {
		t.Errorf("there is a chain that was not verified: %s", got)
	}
}

// TestBodyIsReadOnce: regular expressions and CEL see the same body.
func TestBodyIsReadOnce(t *testing.T) {
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile(`"status"`)}
		m.HTTP.BodyNotMatchesCEL, m.HTTP.BodyMatchesCEL = `body.status == "up"`, `body.queue > 10`
	})
	p, _ := guarded(t, onLoopback, nil, m)
	for body, want := range map[string]string{
		`{"status":"up","queue":3}`: "ok", `{"status":"down","queue":3}`: "assert/body", `{"status":"up","queue":30}`: "assert/body", `{"queue":3}`: "assert/body", `"status"`: "assert/body",
	} {
		r, err := p.Run(t.Context(), probe.Request{Target: serve(t, text(body)), Module: "m"})
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, r, want)
	}
}

// TestLargeBodyIsSearched goes the way of a body that is searched piece by piece.
func TestLargeBodyIsSearched(t *testing.T) {
	body := strings.Repeat("0123456789", 300_000) + "needle"
	for pattern, want := range map[string]string{"needle$": "ok", "haystack": "assert/body"} {
		m := moduleOf("http", func(m *probe.Module) { m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile(pattern)} })
		wantVerdict(t, runModule(t, m, serve(t, text(body))), want)
	}
}

// TestSearchThatIsNotDoneInTime: that a body was not searched to its end says
// nothing about what is in it.
func TestSearchThatIsNotDoneInTime(t *testing.T) {
	large := text(strings.Repeat("0123456789", 300_000) + "needle")
	m := moduleOf("http", func(m *probe.Module) {
		for range 20 {
			m.HTTP.BodyMatches = append(m.HTTP.BodyMatches, regexp.MustCompile("haystack"))
		}
		m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile("needle$")}
	})
	if r := runWithin(t, m, serve(t, large), 300*time.Millisecond); r.Failure == nil || r.Failure.Reason != probe.ReasonTimeout {
		t.Errorf("the verdict is %v, want a timeout", r.Failure)
	}
}

// TestBombIsBounded: what unpacks to more than the limit is not unpacked further.
func TestBombIsBounded(t *testing.T) {
	m := moduleOf("http", func(m *probe.Module) { m.HTTP.Compression = "gzip" })
	r := runWithin(t, m, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		z := gzip.NewWriter(w)
		for zeros := make([]byte, 1<<20); ; {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
	}), 2*time.Minute)
	wantVerdict(t, r, "response/too_large")
	wantMetrics(t, r, "probe_http_uncompressed_body_length 1.048576e+07")
}

// TestBodyThatIsHeldIsBounded: without body_size_limit a body that is searched has
// 64 MiB at most.
func TestBodyThatIsHeldIsBounded(t *testing.T) {
	const most = 64 << 20
	for size, want := range map[int]string{most: "ok", most + 1: "response/too_large"} {
		m := moduleOf("http", func(m *probe.Module) {
			m.HTTP.BodySizeLimit = 0
			m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile("^first")}
		})
		r := runWithin(t, m, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "first")
			piece := make([]byte, 1<<20)
			for left := size - len("first"); left > 0; {
				n, err := w.Write(piece[:min(left, len(piece))])
				if left -= n; err != nil {
					return
				}
			}
		}), 2*time.Minute)
		wantVerdict(t, r, want)
		wantMetrics(t, r, fmt.Sprintf("probe_http_uncompressed_body_length %s", strconv.FormatFloat(float64(size), 'g', -1, 64)))
	}
}

// TestLargeBodiesTakeTurns: four bodies above 4 MiB are in memory at a time; a fifth
// waits, and no longer than it has time.
func TestLargeBodiesTakeTurns(t *testing.T) {
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.BodySizeLimit = 0
		m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile("^x")}
	})
	p, _ := guarded(t, onLoopback, nil, m)
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		piece := bytes.Repeat([]byte("x"), 1<<20)
		for range 32 { // much more than lies in buffers on the way
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
		arrived <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	run := func(timeout time.Duration) *probe.Result {
		r, err := p.Run(t.Context(), probe.Request{Target: target, Module: "m", Timeout: timeout})
		if err != nil {
			t.Error(err)
			return nil
		}
		return r
	}
	results := make(chan *probe.Result)
	for range 4 {
		go func() { results <- run(time.Minute) }()
	}
	for range 4 {
		<-arrived
	}
	if r := run(time.Second); r != nil {
		wantVerdict(t, r, "response/timeout")
	}
	if n := len(arrived); n > 0 {
		t.Error("a fifth large body was read beside four")
	}
	close(release)
	for range 4 {
		if r := <-results; r != nil {
			wantVerdict(t, r, "ok")
		}
	}
	if r := run(time.Minute); r != nil {
		wantVerdict(t, r, "ok")
	}
}

// TestSecretsAreNowhere has secrets everywhere, and a server that repeats them.
func TestSecretsAreNowhere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("hunter-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	repeat := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.Redirect(w, r, "/?said="+url.QueryEscape(fmt.Sprint(r.Header, string(body))), http.StatusFound)
	}
	for name, change := range map[string]func(*probe.Module){
		"headers": func(m *probe.Module) { m.HTTP.Headers = map[string]probe.Secret{"X-Key": "hunter-header"} },
		"body":    func(m *probe.Module) { m.HTTP.Method, m.HTTP.Body = "POST", "hunter-body" },
		"password": func(m *probe.Module) {
			m.HTTP.Client.BasicAuth = &probe.BasicAuth{Username: "me", Password: probe.SecretSource{Value: "hunter-password"}}
		},
		"credential": func(m *probe.Module) { m.HTTP.Client.Credentials.Value = "hunter-token" },
		"file":       func(m *probe.Module) { m.HTTP.Client.Credentials.File = file },
		"more headers": func(m *probe.Module) {
			m.HTTP.Client.HTTPHeaders = map[string]probe.HeaderValues{"X-A": {Secrets: []probe.Secret{"hunter-more"}, Files: []string{file}}}
		},
		"proxy": func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "http://me:hunter-proxy@127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			r := runModule(t, moduleOf("http", change), strings.Replace(serve(t, repeat), "http://", "http://u:hunter-userinfo@", 1))
			said := string(r.Log) + r.Failure.Error() + exposed(t, r, "")
			if i := strings.Index(said, "hunter"); i >= 0 {
				t.Errorf("a secret is shown: …%s…", said[max(0, i-80):min(len(said), i+40)])
			}
		})
	}
}

// tokenService gives tokens, and counts them.
func tokenService(t *testing.T, inBody bool, answer func(n int64) string) (string, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, basic := r.BasicAuth()
		if inBody {
			basic, user, password = r.FormValue("client_id") != "", r.FormValue("client_id"), r.FormValue("client_secret")
		}
		if r.Method != http.MethodPost || !basic || user != "me" || password != "hunter2" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "a b" || r.FormValue("audience") != "shop" {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_client"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer(n.Add(1)))
	}) + "/token", n
}

func TestOAuthTokenIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		inBody  bool
		answer  func(n int64) string
		refuses func(n int64) bool // the target, whether it refuses the nth request
		fetched int64              // tokens for three probes
	}{
		"while it is good":         {answer: func(int64) string { return `{"access_token":"abcd","token_type":"bearer","expires_in":3600}` }, fetched: 1},
		"credentials in the body":  {inBody: true, answer: func(int64) string { return `{"access_token":"abcd","expires_in":"3600"}` }, fetched: 1},
		"without an end":           {answer: func(int64) string { return `{"access_token":"abcd"}` }, fetched: 1},
		"not when it ends at once": {answer: func(int64) string { return `{"access_token":"abcd","expires_in":5}` }, fetched: 3},
		"not when it is refused":   {answer: func(int64) string { return `{"access_token":"abcd","expires_in":3600}` }, refuses: func(n int64) bool { return n == 2 }, fetched: 2},
	} {
		t.Run(name, func(t *testing.T) {
			service, fetched := tokenService(t, c.inBody, c.answer)
			var asked atomic.Int64
			target := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n := asked.Add(1)
				if r.Header.Get("Authorization") != "Bearer abcd" || c.refuses != nil && c.refuses(n) {
					w.WriteHeader(http.StatusUnauthorized)
				}
			})
			p, _ := guarded(t, onLoopback, nil, moduleOf("http", func(m *probe.Module) {
				m.HTTP.Client.OAuth2 = &probe.OAuth2{ClientID: "me", ClientSecret: probe.SecretSource{Value: "hunter2"}, TokenURL: service, Scopes: []string{"a", "b"}, EndpointParams: map[string]string{"audience": "shop"}}
			}))
			for i := range 3 {
				r, err := p.Run(t.Context(), probe.Request{Target: target, Module: "m"})
				if err != nil {
					t.Fatal(err)
				}
				wantVerdict(t, r, "ok")
				if kept := exposed(t, r, "probe_oauth2_token_duration_seconds 0\n") != ""; c.fetched == 1 && kept != (i > 0) {
					t.Errorf("probe %d: the token's time is %s", i, exposed(t, r, "probe_oauth2"))
				}
				if strings.Contains(string(r.Log), "hunter2") || strings.Contains(string(r.Log), "abcd") {
					t.Errorf("a secret is shown:\n%s", r.Log)
				}
			}
			if n := fetched.Load(); n != c.fetched {
				t.Errorf("%d tokens were fetched, want %d", n, c.fetched)
			}
		})
	}
}

func TestOAuthServiceRefuses(t *testing.T) {
	service, _ := tokenService(t, false, func(int64) string { return "{}" })
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.Client.OAuth2 = &probe.OAuth2{ClientID: "me", ClientSecret: probe.SecretSource{Value: "wrong"}, TokenURL: service}
	})
	r := runModule(t, m, serve(t, text("")))
	wantVerdict(t, r, "auth/credential")
	if !strings.Contains(r.Failure.Error(), "invalid_client") {
		t.Errorf("the failure is %v", r.Failure)
	}
}

// TestSigV4 verifies the signature of a probe's request by making it again.
func TestSigV4(t *testing.T) {
	secret := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hunter-key"}
	signed := func(w http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		body, _ := io.ReadAll(r.Body)
		again := r.Clone(r.Context())
		again.URL.Scheme, again.URL.Host = "http", r.Host
		again.Header = http.Header{}
		for _, name := range []string{"X-Amz-Date", "Content-Type"} {
			if v := r.Header.Values(name); len(v) > 0 {
				again.Header[name] = v
			}
		}
		if aws.Sign(again, aws.HashBody(body), secret, "eu-central-1", "execute-api", at); err != nil || got != again.Header.Get("Authorization") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://localhost:1/", http.StatusFound)
		}
	}
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.Method, m.HTTP.Body, m.HTTP.Headers = "POST", `{"a":1}`, map[string]probe.Secret{"Content-Type": "application/json"}
		m.HTTP.SigV4 = &probe.SigV4{Region: "eu-central-1", AccessKey: probe.Secret(secret.AccessKeyID), SecretKey: probe.Secret(secret.SecretAccessKey)}
	})
	r := runModule(t, m, serve(t, signed)+"/v1/a%20b?q=1&a=2")
	wantVerdict(t, r, "ok")
	if strings.Contains(string(r.Log), "hunter") {
		t.Errorf("the key is shown:\n%s", r.Log)
	}
}

// TestCredentialsStayHome redirects to another server, there and back.
func TestCredentialsStayHome(t *testing.T) {
	type sight struct{ Path, Authorization, Key, Cookie, Accept string }
	saw := make(chan sight, 9)
	note := func(r *http.Request) {
		saw <- sight{r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("Cookie"), r.Header.Get("Accept")}
	}
	var home string
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		http.Redirect(w, r, home+"/back", http.StatusFound)
	})
	home = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/stay", http.StatusFound)
		case "/stay":
			http.Redirect(w, r, other+"/away", http.StatusFound)
		}
	})
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.Client.Credentials.Value = "token"
		m.HTTP.Headers = map[string]probe.Secret{"Cookie": "session=1", "Accept": "text/html"}
		m.HTTP.Client.HTTPHeaders = map[string]probe.HeaderValues{"X-Key": {Values: []string{"key"}}}
	})
	wantVerdict(t, runModule(t, m, home+"/"), "ok")
	close(saw)
	want := []sight{{"/", "Bearer token", "key", "session=1", "text/html"}, {"/stay", "Bearer token", "key", "session=1", "text/html"}, {"/away", "", "", "", "text/html"}, {"/back", "", "", "", "text/html"}}
	for _, w := range want {
		if got := <-saw; got != w {
			t.Errorf("the server saw %+v, want %+v", got, w)
		}
	}
}

// TestClientCertificate shows one at home only.
func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.pem(t, ca.leaf(t, nil, "client"))
	var shown atomic.Int64
	asking := func(h http.HandlerFunc) string {
		c := with("127.0.0.1")(t, ca)
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, ca.pool
		return serveTLS(t, c, func(w http.ResponseWriter, r *http.Request) {
			shown.Add(int64(len(r.TLS.PeerCertificates)))
			h(w, r)
		})
	}
	other := asking(text("other"))
	home := asking(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.Client.TLS = probe.TLS{CAFile: ca.file, Cert: cert, Key: probe.SecretSource{Value: probe.Secret(key)}}
	})
	wantVerdict(t, runModule(t, m, home), "ok")
	if n := shown.Load(); n != 1 {
		t.Errorf("the certificate was shown %d times, want once", n)
	}
}

// TestPhases holds the phases against what a server takes.
func TestPhases(t *testing.T) {
	const wait = 30 * time.Millisecond
	r := runModule(t, moduleOf("http", nil), "http://"+listen(t, func(c net.Conn) {
		c.Read(make([]byte, 4096))
		time.Sleep(wait) // it is what is measured
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		time.Sleep(wait)
		io.WriteString(c, "ok")
	}))
	wantVerdict(t, r, "ok")
	got := map[string]float64{}
	for _, f := range r.Families {
		for _, m := range f.Metrics {
			if f.Name == "probe_http_duration_seconds" {
				got[m.Labels.Get("phase")] = m.Value
			}
		}
	}
	text, _ := json.Marshal(got)
	if len(got) != 5 || got["processing"] < wait.Seconds() || got["transfer"] < wait.Seconds() || got["tls"] != 0 {
		t.Errorf("the phases are %s", text)
	}
}
