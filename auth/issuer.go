package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Issuer is one whose JSON Web Tokens are taken, under a rule.
type Issuer struct {
	// Issuer is the tokens' claim iss: a URL, below which its configuration is
	// found at /.well-known/openid-configuration.
	Issuer string
	// Audience has the values of which the tokens' claim aud must have one.
	// Without it any service that is sent a token could use it here.
	Audience []string
	// KeysURL is where its keys are; empty is where its configuration says.
	KeysURL string
	// CAFile has the authorities, in PEM, that its TLS certificate may be of;
	// empty are the system's.
	CAFile string
	Rule
}

type issuer struct {
	who  Issuer
	keys *keys
}

func newIssuer(i Issuer, known map[keysOf]*keys, log *slog.Logger, now func() time.Time) (*issuer, error) {
	if len(i.Audience) == 0 {
		return nil, errors.New("the audience is missing")
	}
	for _, u := range []string{i.Issuer, i.KeysURL} {
		if err := secure(u); u != "" && err != nil {
			return nil, err
		}
	}
	if i.Issuer == "" || strings.ContainsAny(i.Issuer, "?#") {
		return nil, errors.New("it must be a URL without query and fragment")
	}
	of := keysOf{i.Issuer, i.KeysURL, i.CAFile}
	if known[of] == nil {
		client, err := newClient(i.CAFile)
		if err != nil {
			return nil, err
		}
		known[of] = newKeys(of, client, log, now)
	}
	return &issuer{i, known[of]}, nil
}

// accept returns the identity that the issuer's rule makes of verified claims.
func (i *issuer) accept(c claims) (Identity, error) {
	if !c.isFor(i.who.Audience) {
		return Identity{}, refuse(Unknown, "the token is for the audience %s, not for this server: ask the issuer for %q", c.show("aud"), i.who.Audience[0])
	}
	return i.who.apply(jwtName(i.who.Issuer), c)
}

// secure returns an error if what is fetched from the URL could be changed on
// its way.
func secure(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("it is not a URL such as https://issuer.example")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("it must be https: whoever can change what is fetched could sign tokens")
}

// asSecure is secure, and returns an error too if an address of https leads to one
// without: what listens on this machine has no part in what an issuer elsewhere
// says.
func asSecure(from, to string) error {
	if err := secure(to); err != nil {
		return err
	}
	if u, err := url.Parse(to); err != nil || u.Scheme != "https" && strings.HasPrefix(strings.ToLower(from), "https:") {
		return errors.New("it must be https, as is the address that leads to it")
	}
	return nil
}

const (
	fetchTimeout = 10 * time.Second
	maxFetched   = 1 << 20 // bytes
	maxRedirects = 3
)

// newClient returns a client that follows no redirect to where secure fails.
func newClient(caFile string) (*http.Client, error) {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   fetchTimeout,
		ResponseHeaderTimeout: fetchTimeout,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     true,
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authorities: %s has no certificate in PEM", caFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Timeout:   fetchTimeout,
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return asSecure(via[0].URL.String(), r.URL.String())
		},
	}, nil
}

// fetch returns the body of what is at the address.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "narthex")
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetched+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", address, err)
	case len(body) > maxFetched:
		return nil, fmt.Errorf("GET %s: the answer has more than %d bytes", address, maxFetched)
	}
	return body, nil
}

// Provider is what an OpenID provider says of itself.
type Provider struct {
	Issuer        string   `json:"issuer"`
	Keys          string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
	// IssInAnswer says that its answers to sign-ins name it (RFC 9207).
	IssInAnswer bool `json:"authorization_response_iss_parameter_supported"`
}

// NewClient returns a client for an OpenID provider. caFile has the authorities
// that its TLS certificate may be of, in PEM; empty are the system's.
func NewClient(caFile string) (*http.Client, error) { return newClient(caFile) }

// Discover asks an issuer what it says of itself. The addresses that it names are
// as secure as its own.
//
// Source: OpenID Connect Discovery 1.0, section 4.
func Discover(ctx context.Context, client *http.Client, issuer string) (Provider, error) {
	var p Provider
	text, err := fetch(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("its configuration is not JSON: %w", err)
	}
	if p.Issuer != issuer {
		return p, fmt.Errorf("its configuration says that it is %.200q", p.Issuer)
	}
	for name, address := range map[string]string{"keys": p.Keys, "authorization endpoint": p.Authorization, "token endpoint": p.Token, "end of session": p.EndSession} {
		if address == "" && name != "keys" {
			continue
		}
		if err := asSecure(issuer, address); err != nil {
			return p, fmt.Errorf("its configuration says that its %s is at %.200q: %w", name, address, err)
		}
	}
	return p, nil
}
