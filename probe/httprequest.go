package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"narthex/internal/aws"
)

// agent is the User-Agent where a module has none.
const agent = "narthex"

// method returns the request's method.
func (h *httpProbe) method() string {
	if h.m.Method == "" {
		return http.MethodGet
	}
	return h.m.Method
}

// headers returns the module's headers. Host is the request's own.
func (h *httpProbe) headers() http.Header {
	out := http.Header{"User-Agent": {agent}}
	for name, value := range h.m.Headers {
		out.Set(name, string(value))
		if http.CanonicalHeaderKey(name) != "Host" && !harmless(name) {
			h.hide(string(value))
		}
	}
	out.Del("Host")
	return out
}

// body returns the body to be sent, nil for none. One in a file is read at once, so
// that it can be sent again after a redirect.
func (h *httpProbe) body() (io.Reader, error) {
	if h.m.BodyFile == "" {
		if h.m.Body == "" {
			return nil, nil
		}
		h.hide(string(h.m.Body))
		return strings.NewReader(string(h.m.Body)), nil
	}
	f, err := os.Open(h.m.BodyFile)
	if err != nil {
		return nil, failed(PhaseRequest, ReasonCredentials, "body_file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, signLimit+1))
	if err == nil && len(text) > signLimit {
		err = fmt.Errorf("it is over %d bytes", signLimit)
	}
	if err != nil {
		return nil, failed(PhaseRequest, ReasonCredentials, "body_file %s: %w", h.m.BodyFile, err)
	}
	return strings.NewReader(string(text)), nil
}

// closingTransport is a transport that ends with the probe.
type closingTransport interface {
	http.RoundTripper
	close()
}

// transport returns what sends the requests.
func (h *httpProbe) transport(ctx context.Context, o clientOptions) (closingTransport, error) {
	if s := h.m.SigV4; s != nil {
		session, err := h.prober.session(s)
		if err != nil {
			return nil, failed(PhaseAuth, ReasonCredentials, "sigv4: %w", err)
		}
		o.Sign, o.Service = session, s.Service
		if o.Service == "" {
			o.Service = "execute-api"
		}
	}
	c, err := h.httpClient(ctx, o)
	if err != nil {
		return nil, err
	}
	if h.m.EnableHTTP3 {
		return c.http3()
	}
	return c, nil
}

// session returns what requests of a module are signed with. It is opened once, so
// that temporary credentials last from probe to probe.
func (p *Prober) session(s *SigV4) (*aws.Session, error) {
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	if session := p.sessions.of[s]; session != nil {
		return session, nil
	}
	o := aws.Options{Region: s.Region, Profile: s.Profile, RoleARN: s.RoleARN, Getenv: p.o.Getenv, Now: p.o.Now}
	if s.AccessKey != "" {
		o.Credentials = aws.Credentials{AccessKeyID: string(s.AccessKey), SecretAccessKey: string(s.SecretKey)}
	}
	session, err := aws.Open(o)
	if err != nil {
		return nil, err
	}
	if p.sessions.of == nil {
		p.sessions.of = make(map[*SigV4]*aws.Session)
	}
	p.sessions.of[s] = session
	return session, nil
}

// http3 returns a transport for HTTP/3 that authenticates as c does.
func (c *client) http3() (closingTransport, error) {
	if c.proxy.http != nil || c.proxy.https != nil {
		return nil, failed(PhasePolicy, ReasonUnsupported, "HTTP/3 does not go through a proxy: take proxy_url out of the module, or enable_http3")
	}
	return &http3Client{client: c}, nil
}

// http3Client sends requests over HTTP/3.
type http3Client struct {
	*client
	open []HTTP3Transport
}

// RoundTrip implements [http.RoundTripper].
func (c *http3Client) RoundTrip(r *http.Request) (*http.Response, error) {
	to := endpointOf(r.URL)
	if !to.tls {
		return nil, failed(PhaseResponse, ReasonRedirects, "a redirect leads to %s, where HTTP/3 can't be spoken", r.URL.Redacted())
	}
	config, err := c.tls(to, c.home(to))
	if err != nil {
		return nil, err
	}
	config.NextProtos = nil // that of HTTP/3 is its library's
	tr := c.t.prober.o.Features.HTTP3(config, c.packets)
	c.open = append(c.open, tr)
	out, err := c.prepare(r.Clone(r.Context()), c.home(to), false)
	if err != nil {
		return nil, err
	}
	resp, err := tr.RoundTrip(out)
	return resp, asRequestFailure(r.Context(), PhaseConnect, err)
}

func (c *http3Client) close() {
	for _, tr := range c.open {
		tr.Close()
	}
	c.client.close()
}

// withoutURL takes the address out of an error of net/url, which may have a
// password in it.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
