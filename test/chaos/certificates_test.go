//go:build linux

package chaos

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// certificates is a program that speaks TLS and asks for passwords, by a web
// configuration file that changes while it serves.
type certificates struct {
	*program
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

const (
	chaosUser     = "sender"
	chaosPassword = "a password for senders"
)

func newCertificates(r *run) world {
	c := &certificates{program: prepareProgram(r)}
	c.ca, c.key = c.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "chaos"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
	roots := x509.NewCertPool()
	roots.AddCert(c.ca)
	c.client = &http.Client{Timeout: 2 * time.Second, Transport: basic{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 4, IdleConnTimeout: 100 * time.Millisecond}}}
	c.renew(time.Hour)
	c.configure(chaosUser)
	c.write("narthex.yml", r.Config+"web_config_file: "+c.dir+"/web.yml\n")
	c.TLS = true
	c.pushTo = c.URL()
	c.mustStart()
	return c
}

// basic adds user and password.
type basic struct{ next http.RoundTripper }

func (b basic) RoundTrip(r *http.Request) (*http.Response, error) {
	r.SetBasicAuth(chaosUser, chaosPassword)
	return b.next.RoundTrip(r)
}

// sign returns a certificate that is valid for so long; the first is its own
// authority.
func (c *certificates) sign(what *x509.Certificate, valid time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.r.Fatal(err)
	}
	c.serial++
	what.SerialNumber, what.NotBefore, what.NotAfter = big.NewInt(c.serial), time.Now().Add(-time.Hour), time.Now().Add(valid)
	parent, signer := c.ca, c.key
	if parent == nil {
		parent, signer = what, key
	}
	der, err := x509.CreateCertificate(rand.Reader, what, parent, &key.PublicKey, signer)
	if err != nil {
		c.r.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		c.r.Fatal(err)
	}
	return out, key
}

// renew writes a certificate and then its key, as a renewal does: between the two
// they do not belong together.
func (c *certificates) renew(valid time.Duration) {
	cert, key := c.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, valid)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.r.Fatal(err)
	}
	c.write("server.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
	c.write("server.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// configure writes the web configuration file with new hashes for its users.
func (c *certificates) configure(users ...string) {
	var text strings.Builder
	text.WriteString("tls_server_config: {cert_file: server.pem, key_file: server.key}\nbasic_auth_users:\n")
	for _, user := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(chaosPassword), bcrypt.MinCost)
		if err != nil {
			c.r.Fatal(err)
		}
		text.WriteString("  " + user + ": " + string(hash) + "\n")
	}
	c.write("web.yml", text.String())
}

func (c *certificates) actions() map[string]func(r *run) {
	all := c.program.actions()
	all["expire"] = func(r *run) { // in a second or two, or long ago
		c.renew(time.Duration(r.r.IntN(3)-1) * time.Second)
	}
	all["renew"] = func(*run) { c.renew(time.Hour) }
	all["break_certificate"] = func(*run) { c.write("server.pem", "-----BEGIN CERT") }
	all["reload"] = func(r *run) {
		users := []string{"early", chaosUser, "late"}
		c.configure(users[r.r.IntN(2):]...)
	}
	all["break_reload"] = func(r *run) {
		c.write("web.yml", []string{"basic_auth_users: {sender: no-hash}\n", "basic_auth_users", "unknown: 1\n"}[r.r.IntN(3)])
	}
	all["kill"] = func(*run) { c.mend(); c.kill(); c.mustStart() } // a start with broken files is refused, rightly
	return all
}

func (c *certificates) mend() {
	c.renew(time.Hour)
	c.configure(chaosUser)
}

func (c *certificates) heal(r *run) {
	c.mend()
	c.resume()
	c.client.CloseIdleConnections()
	c.awaitReady()
}
