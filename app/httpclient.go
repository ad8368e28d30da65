package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"narthex/config"
)

// transport makes what carries the requests that narthex sends of the
// configuration's words: TLS, proxy, authentication and headers. Certificates and
// files with secrets are read again as they are used, so that they can be
// renewed; the authorities of ca_file are read once.
func transport(c config.HTTPClient) (http.RoundTripper, error) {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        1000,
		MaxIdleConnsPerHost: 100,
		IdleConnTimeout:     5 * time.Minute,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
	}
	var err error
	if t.TLSClientConfig, err = clientTLS(c.TLS); err != nil {
		return nil, err
	}
	switch {
	case c.ProxyURL != "":
		u, err := url.Parse(c.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("proxy_url can't be read") // the cause may show a password
		}
		t.Proxy = http.ProxyURL(u)
	case c.ProxyFromEnvironment:
		t.Proxy = http.ProxyFromEnvironment
	}
	a := &authorized{next: t, config: c}
	if _, err := a.authorization(); err != nil {
		return nil, err
	}
	return a, nil
}

// clientTLS is a tls_config.
func clientTLS(c config.TLSClient) (*tls.Config, error) {
	versions := map[string]uint16{"": tls.VersionTLS12, "TLS10": tls.VersionTLS10, "TLS11": tls.VersionTLS11, "TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13}
	out := &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: versions[c.MinVersion]}
	if c.CAFile != "" {
		pem, err := readBounded(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_config.ca_file: %s has no certificate in it", c.CAFile)
		}
	}
	if c.CertFile != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			return &pair, err
		}
		if _, err := load(); err != nil {
			return nil, fmt.Errorf("tls_config.cert_file: %w", err)
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return out, nil
}

// authorized adds what says who narthex is, but not to what a redirect sends
// elsewhere.
type authorized struct {
	next   http.RoundTripper
	config config.HTTPClient
}

// stayed reports whether a request goes where the first one of its redirects went,
// and so did all between them, or to TLS on the same host. What somebody else is
// shown of credentials is theirs.
func stayed(r *http.Request) bool {
	for r.Response != nil && r.Response.Request != nil {
		before := r.Response.Request
		from, to := before.URL, r.URL
		upgraded := from.Scheme == "http" && to.Scheme == "https"
		if !strings.EqualFold(from.Hostname(), to.Hostname()) || !upgraded && (from.Scheme != to.Scheme || from.Port() != to.Port()) {
			return false
		}
		r = before
	}
	return true
}

// RoundTrip implements [http.RoundTripper].
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if !stayed(r) {
		return a.next.RoundTrip(r)
	}
	value, err := a.authorization()
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	if value != "" || len(a.config.Headers) > 0 {
		r = r.Clone(r.Context())
		for name, secret := range a.config.Headers {
			r.Header.Set(name, string(secret))
		}
		if value != "" {
			r.Header.Set("Authorization", value)
		}
	}
	return a.next.RoundTrip(r)
}

// authorization returns the header's value, "" for none.
func (a *authorized) authorization() (string, error) {
	c := &a.config
	switch {
	case c.Username != "":
		password, err := secretOf(c.Password, c.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("basic_auth.password_file: %w", err)
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+password)), nil
	case c.AuthType != "":
		credentials, err := secretOf(c.Credentials, c.CredentialsFile)
		if err != nil {
			return "", fmt.Errorf("authorization.credentials_file: %w", err)
		}
		return c.AuthType + " " + credentials, nil
	}
	return "", nil
}

// secretOf returns the secret, or the content of its file.
func secretOf(s config.Secret, file string) (string, error) {
	if file == "" {
		return string(s), nil
	}
	text, err := readBounded(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("%s is empty, or has more than one line", file)
	}
	return secret, nil
}

// readBounded reads a file of at most 1 MiB.
func readBounded(path string) ([]byte, error) {
	const limit = 1 << 20
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return text, err
}
