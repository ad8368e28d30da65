package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t testing.TB) *authority {
	a := new(authority)
	a.cert, a.key = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign returns a certificate; the first one is of the authority itself.
func (a *authority) sign(t testing.TB, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.n++
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(a.n), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

// write writes a certificate and its key to name.pem and name.key.
func (a *authority) write(t testing.TB, dir, name string, c *x509.Certificate) {
	t.Helper()
	cert, key := a.sign(t, c)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	writeFile(t, filepath.Join(dir, name+".pem"), string(a.pem(cert)))
}

func (a *authority) pem(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func serverCertificate() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func clientCertificate(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
}

// newTLSServer starts a narthex with a web configuration, of which DIR is the
// directory, on an address that other machines reach.
func newTLSServer(t *testing.T, dir, web string) *server {
	t.Helper()
	writeFile(t, filepath.Join(dir, "web.yml"), web)
	s := prepareServer(t, "scrape_interval: 1s\nweb_config_file: "+filepath.Join(dir, "web.yml")+"\n")
	s.TLS = true
	here := s.Address
	_, port, _ := net.SplitHostPort(here)
	s.Address = "[::]:" + port
	s.start()
	s.Address = here
	return s
}

// tlsPush pushes over a connection of its own.
func tlsPush(t testing.TB, s *server, c *tls.Config, header ...string) (code int, serial string, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest("POST", s.url()+"/api/v1/push", strings.NewReader(oneIncrement))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber.String(), nil
}

// A server that demands certificates may be reached from other machines.
func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t), newAuthority(t)
	writeFile(t, filepath.Join(dir, "ca.pem"), string(ours.pem(ours.cert)))
	ours.write(t, dir, "server", serverCertificate())
	ours.write(t, dir, "shop", clientCertificate("shop.example"))
	ours.write(t, dir, "other", clientCertificate("other.example"))
	theirs.write(t, dir, "evil", clientCertificate("shop.example"))
	s := newTLSServer(t, dir, `
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [shop.example]
  min_version: TLS13
`)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	with := func(name string, change func(*tls.Config)) *tls.Config {
		c := &tls.Config{RootCAs: roots}
		if name != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		if change != nil {
			change(c)
		}
		return c
	}
	for _, c := range []struct {
		name string
		tls  *tls.Config
		ok   bool
	}{
		{"the certificate", with("shop", nil), true},
		{"no certificate", with("", nil), false},
		{"a certificate with another name", with("other", nil), false},
		{"a certificate of another authority", with("evil", nil), false},
		{"an older TLS", with("shop", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), false},
	} {
		if code, _, err := tlsPush(t, s, c.tls); (code == 200) != c.ok || (err == nil) != c.ok {
			t.Errorf("%s: %d, %v", c.name, code, err)
		}
	}
	resp, err := http.Get("http://" + s.Address + "/-/healthy")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %s", resp.Status)
	}

	// A new certificate is served without a restart; half a one is not.
	_, before, _ := tlsPush(t, s, with("shop", nil))
	ours.write(t, dir, "server", serverCertificate())
	_, after, err := tlsPush(t, s, with("shop", nil))
	if err != nil || after == before {
		t.Errorf("after a new certificate: serial %s, before %s: %v", after, before, err)
	}
	writeFile(t, filepath.Join(dir, "server.pem"), "half")
	if _, still, err := tlsPush(t, s, with("shop", nil)); err != nil || still != after {
		t.Errorf("after half a certificate: serial %s, before %s: %v", still, after, err)
	}
}

// Users are read again when the file changes, and TLS goes with passwords.
func TestWebConfigIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	ca.write(t, dir, "server", serverCertificate())
	base := "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
	s := newTLSServer(t, dir, base+webUsers(t, "alice", alicePassword))
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	push := func(want int, user, password string) {
		t.Helper()
		if code, _, err := tlsPush(t, s, &tls.Config{RootCAs: roots}, basicOf(user, password)...); err != nil || code != want {
			t.Errorf("%s: %d, %v; want %d", user, code, err, want)
		}
	}
	write := func(text string) {
		t.Helper()
		writeFile(t, filepath.Join(dir, "web.yml"), text)
	}
	push(200, "alice", alicePassword)
	push(401, "bob", bobPassword)
	write(base + webUsers(t, "alice", "another one", "bob", bobPassword) + "# longer\n")
	push(401, "alice", alicePassword)
	push(200, "alice", "another one")
	push(200, "bob", bobPassword)
	write(base + "basic_auth_users: {alice: not-a-hash}\n")
	push(200, "bob", bobPassword) // what held before holds on
	write(base + "# nobody\n")
	if code, _, err := tlsPush(t, s, &tls.Config{RootCAs: roots}); err != nil || code != 401 {
		t.Errorf("with no users left: %d, %v; want 401: nothing opens while the program runs", code, err)
	}
	s.stop()
	if n := strings.Count(s.Log.String(), "level=ERROR"); n != 1 {
		t.Errorf("%d errors are logged, want one", n)
	}
	if strings.Contains(s.Log.String(), "not-a-hash") {
		t.Errorf("the log has what stands in the place of a hash")
	}
}

func TestServeRefusesBadAccess(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	ca := newAuthority(t)
	ca.write(t, dir, "server", serverCertificate())
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"TLS alone does not authenticate", []string{"--listen", "0.0.0.0:0", "--web.config.file", file("tls.yml", "tls_server_config: {cert_file: server.pem, key_file: server.key}")}, "--insecure-no-auth"},
		{"no web configuration", []string{"--web.config.file", "none.yml"}, "none.yml"},
		{"an unknown key in it", []string{"--web.config.file", file("key.yml", "basic_auth_user: {}")}, "basic_auth_user"},
		{"a password in it", []string{"--web.config.file", file("plain.yml", "basic_auth_users: {alice: hunter2}")}, "bcrypt"},
		{"a token for a hash", []string{"--config", file("token.yml", "auth: {tokens: [{name: ci, hash: nxt_secret}]}")}, "sha256:"},
		{"no claims", []string{"--config", file("claims.yml", "auth: {oidc: [{issuer: https://a.example, audience: x}]}")}, "claims is missing"},
		{"no audience", []string{"--config", file("aud.yml", "auth: {oidc: [{issuer: https://a.example, claims: {sub: x}}]}")}, "audience is missing"},
		{"an issuer that others could speak for", []string{"--config", file("http.yml", "auth: {oidc: [{issuer: http://a.example, audience: x, claims: {sub: x}}]}")}, "https"},
		{"an unknown scope", []string{"--config", file("scope.yml", "auth: {oidc: [{issuer: https://a.example, audience: x, claims: {sub: x}, scopes: [pul]}]}")}, "push"},
		{"a user without a password", []string{"--config", file("user.yml", "auth: {users: {alice: {scopes: [push]}}}")}, "basic_auth_users"},
	} {
		out, code := command(t, "", append([]string{"serve", "--data", filepath.Join(dir, "data")}, c.args...)...)
		if code != 2 || !strings.Contains(out, c.says) || strings.Contains(out, "hunter2") || strings.Contains(out, "nxt_secret") {
			t.Errorf("%s: exit %d, %q; want exit 2 and %q", c.name, code, out, c.says)
		}
	}
}
