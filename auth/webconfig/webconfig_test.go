package webconfig_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/auth/webconfig"
)

const hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

// write writes server.pem, which is its own authority, server.key and web.yml
// to a new directory, and returns the path of the last.
func write(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	cert, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"server.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"server.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"web.yml":    []byte(text),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "web.yml")
}

const pair = "  cert_file: server.pem\n  key_file: server.key\n"

func TestGood(t *testing.T) {
	f := func(name, text string, want func(*webconfig.Config, *tls.Config) bool) {
		t.Helper()
		file, err := webconfig.Open(write(t, text), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if !want(file.Current(), file.TLS()) {
			t.Errorf("%s: got %+v, %+v", name, file.Current(), file.TLS())
		}
	}
	f("empty", "", func(c *webconfig.Config, x *tls.Config) bool {
		return x == nil && len(c.Users) == 0 && c.Limiter == nil
	})
	f("a user", "basic_auth_users:\n  alice: "+hash, func(c *webconfig.Config, x *tls.Config) bool {
		return x == nil && cmp.Equal(c.Users, map[string]string{"alice": hash})
	})
	f("defaults", "tls_server_config:\n"+pair, func(c *webconfig.Config, x *tls.Config) bool {
		return x.MinVersion == tls.VersionTLS12 && x.MaxVersion == tls.VersionTLS13 && x.ClientAuth == tls.NoClientCert && cmp.Equal(x.NextProtos, []string{"h2", "http/1.1"}) && !c.RequiresCertificate
	})
	f("all of it", "tls_server_config:\n"+pair+`
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: server.pem
  client_allowed_sans: [x]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519, CurveP256, CurveP384, CurveP521]
http_server_config:
  http2: false
  headers: {X-Frame-Options: deny, X-XSS-Protection: "", Strict-Transport-Security: max-age=1}
rate_limit: {interval: 1s, burst: 2}
`, func(c *webconfig.Config, x *tls.Config) bool {
		return x.MaxVersion == tls.VersionTLS12 && x.ClientAuth == tls.RequireAndVerifyClientCert && x.ClientCAs != nil && x.VerifyConnection != nil &&
			cmp.Equal(x.CipherSuites, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}) && len(x.CurvePreferences) == 4 && cmp.Equal(x.NextProtos, []string{"http/1.1"}) &&
			cmp.Equal(c.Headers, map[string]string{"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=1"}) && c.RequiresCertificate && c.Limiter != nil
	})
	for _, kind := range []string{"NoClientCert", "RequestClientCert", "RequireAnyClientCert", "RequireClientCert"} {
		f(kind, "tls_server_config:\n"+pair+"  client_auth_type: "+kind, func(c *webconfig.Config, x *tls.Config) bool { return x != nil && !c.RequiresCertificate })
	}
	f("a verified one if given", "tls_server_config:\n"+pair+"  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: server.pem", func(c *webconfig.Config, x *tls.Config) bool { return !c.RequiresCertificate })
	for _, s := range tls.CipherSuites() {
		f(s.Name, "tls_server_config:\n"+pair+"  cipher_suites: ["+s.Name+"]", func(*webconfig.Config, *tls.Config) bool { return true })
	}
}

func TestInline(t *testing.T) {
	path := write(t, "")
	text := "tls_server_config:\n"
	for _, k := range [][2]string{{"cert", "server.pem"}, {"key", "server.key"}, {"client_ca", "server.pem"}} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), k[1]))
		if err != nil {
			t.Fatal(err)
		}
		text += "  " + k[0] + ": |\n    " + strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n    ") + "\n"
	}
	if err := os.WriteFile(path, []byte(text+"  client_auth_type: RequireAndVerifyClientCert\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := webconfig.Open(path, nil)
	if err != nil || f.TLS() == nil || !f.Current().RequiresCertificate {
		t.Errorf("%v", err)
	}
}

func TestBad(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		_, err := webconfig.Open(write(t, text), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	f("no YAML", "a: [", "not YAML")
	f("an unknown key", "tls_config: {}", "line 1: unknown key tls_config")
	f("an unknown key inside", "tls_server_config: {cert-file: hunter2}", "cert-file")
	f("a list for users", "basic_auth_users: [hunter2]", "line 1")
	f("a scalar for users", "basic_auth_users: hunter2", "line 1")
	f("a plain password", "basic_auth_users: {alice: hunter2}", `"alice"`)
	f("a costly hash", "basic_auth_users: {alice: $2y$31$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}", "cost 31")
	f("a header that can't be set", "http_server_config: {headers: {Server: x}}", `"Server"`)
	f("a header's value", "http_server_config: {headers: {X-Frame-Options: allow}}", "deny or sameorigin")
	f("a rate without burst", "rate_limit: {interval: 1s}", "burst")
	f("a rate beyond time", "rate_limit: {interval: 1000h, burst: 9000000000}", "burst")
	f("no key", "tls_server_config: {cert_file: server.pem}", "key_file")
	f("no certificate", "tls_server_config: {key_file: server.key}", "cert_file")
	f("no file", "tls_server_config: {cert_file: none.pem, key_file: server.key}", "none.pem")
	f("the wrong file", "tls_server_config: {cert_file: server.key, key_file: server.key}", "certificate")
	f("both", "tls_server_config: {cert: hunter2, cert_file: server.pem, key_file: server.key}", "both")
	f("a CA that nobody asks for", "tls_server_config:\n"+pair+"  client_ca_file: server.pem", "RequireAndVerifyClientCert")
	f("no CA", "tls_server_config:\n"+pair+"  client_auth_type: RequireAndVerifyClientCert", "client_ca_file")
	f("no CA in the file", "tls_server_config:\n"+pair+"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: server.key", "client CA")
	f("names that nobody checks", "tls_server_config:\n"+pair+"  client_allowed_sans: [x]", "client_allowed_sans")
	f("an unknown way", "tls_server_config:\n"+pair+"  client_auth_type: Maybe", `"Maybe"`)
	f("an unknown version", "tls_server_config:\n"+pair+"  min_version: SSL3", `"SSL3"`)
	f("versions the wrong way round", "tls_server_config:\n"+pair+"  min_version: TLS13\n  max_version: TLS12", "above")
	f("an insecure cipher", "tls_server_config:\n"+pair+"  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "RC4")
	f("an unknown curve", "tls_server_config:\n"+pair+"  curve_preferences: [CurveP224]", "P224")
	f("too large", strings.Repeat("#\n", 1<<20), "bytes")
}

func TestChanges(t *testing.T) {
	path := write(t, "basic_auth_users: {alice: "+hash+"}")
	var log strings.Builder
	f, err := webconfig.Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	change := func(text string) int {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return len(f.Current().Users)
	}
	if n := change("basic_auth_users: {alice: " + hash + ", bob: " + hash + "}"); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
	if n := change("basic_auth_users: {alice: x}"); n != 2 {
		t.Errorf("with a wrong file: %d users, want 2 as before", n)
	}
	for range 3 {
		f.Current()
	}
	if n := strings.Count(log.String(), "ERROR"); n != 1 {
		t.Errorf("%d errors are logged, want one: %s", n, log.String())
	}
	if n := change("tls_server_config:\n" + pair); n != 2 {
		t.Errorf("with TLS switched on: %d users, want 2 as before", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n := len(f.Current().Users); n != 2 {
		t.Errorf("without a file: %d users, want 2 as before", n)
	}
	if n := change("basic_auth_users: {carol: " + hash + "}"); n != 1 {
		t.Errorf("mended: %d users, want 1", n)
	}
}

func TestLimiter(t *testing.T) {
	f, err := webconfig.Open(write(t, "rate_limit: {interval: 1s, burst: 3}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l, now := f.Current().Limiter, time.Unix(1_800_000_000, 0)
	allowed := func(tries int) (n int) {
		for range tries {
			if l.Allow(now) {
				n++
			}
		}
		return n
	}
	for i, c := range []struct {
		after time.Duration
		want  int
	}{{0, 3}, {0, 0}, {999 * time.Millisecond, 0}, {time.Millisecond, 1}, {2 * time.Second, 2}, {time.Hour, 3}, {-time.Hour, 0}, {time.Second, 0}} {
		now = now.Add(c.after)
		if n := allowed(5); n != c.want {
			t.Errorf("%d: %d pass, want %d", i, n, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "basic_auth_users: {a: " + hash + "}", "tls_server_config: {cert_file: a, key_file: b, min_version: TLS13}", "rate_limit: {interval: 1s, burst: 1}",
		"http_server_config: {http2: yes, headers: {X-Frame-Options: deny}}", "a: &a [*a]", "<<: 1", "basic_auth_users: {a: *secretsecret}", "rate_limit: {burst: !secretsecret 1}", "tls_server_config: [", "\x00", "basic_auth_users: &u {a: secretsecret}\nrate_limit: *u"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := webconfig.Parse([]byte(s))
		if (d == nil) == (err == nil) {
			t.Fatalf("got %v, %v", d, err)
		}
		// A key may be told, a value must not.
		if err != nil && strings.Contains(err.Error(), "secretsecret") && !strings.Contains(err.Error(), " key ") && !strings.Contains(err.Error(), "of \"") && !strings.Contains(err.Error(), "header") {
			t.Fatalf("the error has a secret: %v", err)
		}
	})
}
