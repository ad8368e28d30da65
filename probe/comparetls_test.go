package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// tlsAt starts a server of HTTP over TLS for each run of a comparison.
func tlsAt(config func(t *testing.T, ca *authority) *tls.Config, h http.HandlerFunc) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string { return serveTLS(t, config(t, ca), h) }
}

// with returns the configuration of a server with a certificate for names.
func with(names ...string) func(*testing.T, *authority) *tls.Config {
	return func(t *testing.T, ca *authority) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, names...)}}
	}
}

// changed returns that of one with a certificate that is changed.
func changed(change func(*x509.Certificate), names ...string) func(*testing.T, *authority) *tls.Config {
	return func(t *testing.T, ca *authority) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, change, names...)}}
	}
}

// speaking returns that of one of some versions of TLS.
func speaking(lowest, highest uint16, protocols ...string) func(*testing.T, *authority) *tls.Config {
	return func(t *testing.T, ca *authority) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}, MinVersion: lowest, MaxVersion: highest, NextProtos: protocols}
	}
}

func tlsComparisons() []comparison {
	const trusting = "prober: http\nhttp: {tls_config: {ca_file: CA}}"
	hello := text("hello")
	settings := func(tlsConfig string) string { return "prober: http\nhttp: {tls_config: {" + tlsConfig + "}}" }
	refused := []string{"tls-facts-when-refused"}
	return []comparison{
		{name: "certificate that is good", module: trusting, target: tlsAt(with("127.0.0.1"), hello)},
		{name: "certificate for several names", module: trusting, target: tlsAt(with("127.0.0.1", "a.example", "b.example"), hello)},
		{name: "certificate of nobody known", module: "prober: http", target: tlsAt(with("127.0.0.1"), hello), differs: refused},
		{name: "certificate that has expired", module: trusting, target: tlsAt(changed(expired, "127.0.0.1"), hello), differs: refused},
		{name: "certificate that is not valid yet", module: trusting, target: tlsAt(changed(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, "127.0.0.1"), hello), differs: refused},
		{name: "certificate for another name", module: trusting, target: tlsAt(with("shop.example"), hello), differs: refused},
		{name: "certificate without names", module: trusting, target: tlsAt(with(), hello), differs: refused},
		{name: "certificate for clients only", module: trusting, target: tlsAt(changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "127.0.0.1"), hello), differs: refused},
		{name: "nothing is verified", module: settings("insecure_skip_verify: true"), target: tlsAt(changed(expired, "shop.example"), hello)},
		{name: "server_name", module: settings("ca_file: CA, server_name: shop.example"), target: tlsAt(with("shop.example"), hello)},
		{name: "server_name that is wrong", module: settings("ca_file: CA, server_name: shop.example"), target: tlsAt(with("127.0.0.1"), hello), differs: refused},
		{name: "Host header is the name of the certificate", module: "prober: http\nhttp: {headers: {Host: shop.example}, tls_config: {ca_file: CA}}", target: tlsAt(with("shop.example"), hello)},
		{name: "hostname is the name of the certificate", module: trusting, hostname: "shop.example", target: tlsAt(with("shop.example"), hello)},
		{name: "server_name before the Host header", module: "prober: http\nhttp: {headers: {Host: other.example}, tls_config: {ca_file: CA, server_name: shop.example}}", target: tlsAt(with("shop.example"), hello)},
		{name: "chain of two", module: trusting, target: tlsAt(func(t *testing.T, ca *authority) *tls.Config {
			c := ca.leaf(t, nil, "127.0.0.1")
			c.Certificate = append(c.Certificate, ca.cert.Raw)
			return &tls.Config{Certificates: []tls.Certificate{c}}
		}, hello)},
		{name: "fail_if_ssl over TLS", module: "prober: http\nhttp: {fail_if_ssl: true, tls_config: {ca_file: CA}}", target: tlsAt(with("127.0.0.1"), hello)},
		{name: "fail_if_not_ssl over TLS", module: "prober: http\nhttp: {fail_if_not_ssl: true, tls_config: {ca_file: CA}}", target: tlsAt(with("127.0.0.1"), hello)},
		{name: "TLS 1.2", module: trusting, target: tlsAt(speaking(tls.VersionTLS12, tls.VersionTLS12), hello)},
		{name: "TLS 1.3", module: trusting, target: tlsAt(speaking(tls.VersionTLS13, tls.VersionTLS13), hello)},
		{name: "TLS 1.1 is too old", module: trusting, target: tlsAt(speaking(tls.VersionTLS10, tls.VersionTLS11), hello)},
		{name: "TLS 1.1 is asked for", module: settings("ca_file: CA, min_version: TLS10, max_version: TLS11"), target: tlsAt(speaking(tls.VersionTLS10, tls.VersionTLS13), hello), since: 24},
		{name: "TLS 1.3 is asked for", module: settings("ca_file: CA, min_version: TLS13"), target: tlsAt(speaking(tls.VersionTLS12, tls.VersionTLS12), hello)},
		{name: "TLS 1.2 at most", module: settings("ca_file: CA, max_version: TLS12"), target: tlsAt(speaking(tls.VersionTLS12, tls.VersionTLS13), hello), since: 24},
		{name: "HTTP/2", module: trusting, target: tlsAt(speaking(0, 0, "h2", "http/1.1"), hello)},
		{name: "HTTP/2 is not wanted", module: "prober: http\nhttp: {enable_http2: false, tls_config: {ca_file: CA}}", target: tlsAt(speaking(0, 0, "h2", "http/1.1"), hello)},
		{name: "HTTP/2 is valid", module: "prober: http\nhttp: {valid_http_versions: [HTTP/2.0], tls_config: {ca_file: CA}}", target: tlsAt(speaking(0, 0, "h2", "http/1.1"), hello)},
		{name: "HTTP/2 with a large body", module: trusting, target: tlsAt(speaking(0, 0, "h2", "http/1.1"), text(strings.Repeat("0123456789", 30_000)))},
		{name: "HTTP/2 with a redirect", module: trusting, target: tlsAt(speaking(0, 0, "h2", "http/1.1"), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/next" {
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		})},
		{name: "HTTP/2 that is reset", module: trusting, target: tlsAt(speaking(0, 0, "h2", "http/1.1"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		{name: "the client's certificate is missing", module: trusting, target: tlsAt(func(t *testing.T, ca *authority) *tls.Config {
			c := with("127.0.0.1")(t, ca)
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
			return c
		}, hello)},
		{name: "the authority's file is not there", module: settings("ca_file: /nonexistent/ca.pem"), target: tlsAt(with("127.0.0.1"), hello)},
		{name: "the connection ends in the handshake", module: trusting, target: func(t *testing.T, _ *authority) string {
			return "https://" + listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 16)) })
		}},
		{name: "the handshake never ends", module: "prober: http\ntimeout: 300ms", target: func(t *testing.T, _ *authority) string {
			return "https://" + listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<20)); _, _ = c.Read(make([]byte, 1<<20)) })
		}},
	}
}
