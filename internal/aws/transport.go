package aws

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// bodyLimit is how large a body a transport signs, in bytes: it has to be read
// for its hash.
const bodyLimit = 64 << 20

// Transport is an [http.RoundTripper] that signs requests for one service,
// such as "aps", the remote write and query of Amazon Managed Prometheus. It
// signs the host, Content-Type and X-Amz-* headers, so that proxies may
// change others. It tries nothing again but a request that was refused because
// of the clock, once.
type Transport struct {
	session *Session
	signer  *Signer
	base    http.RoundTripper
}

// Transport returns a transport for a service, as its credential scope names
// it. A nil base is the session's own.
func (s *Session) Transport(service string, base http.RoundTripper) *Transport {
	if base == nil {
		base = s.http.Transport
	}
	return &Transport{session: s, base: base, signer: &Signer{Region: s.region, Service: service, PathAsIs: service == "s3"}}
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, fmt.Errorf("read the body to sign it: %w", err)
	}
	hash := HashBody(body)
	for adjusted := false; ; adjusted = true {
		c, err := t.session.Credentials(r.Context())
		if err != nil {
			return nil, err
		}
		resp, err := t.base.RoundTrip(t.signed(r, body, hash, c))
		if err != nil || adjusted {
			return resp, err
		}
		date, _ := http.ParseTime(resp.Header.Get("Date")) // the zero time adjusts nothing
		if !t.session.adjust(resp.StatusCode, date) {
			return resp, nil
		}
		io.Copy(io.Discard, io.LimitReader(resp.Body, errorLimit)) // so that the connection can be used again
		resp.Body.Close()
	}
}

// signed returns a copy of the request with a signature.
func (t *Transport) signed(r *http.Request, body []byte, hash string, c Credentials) *http.Request {
	out := r.Clone(r.Context())
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	out.Header.Del("Authorization")
	if body != nil {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.ContentLength = int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	all := out.Header
	out.Header = make(http.Header, 8)
	for name, values := range all {
		if signable(name) {
			out.Header[name] = values
		}
	}
	length := out.ContentLength
	out.ContentLength = 0 // which leaves it out of the signature
	t.signer.Sign(out, hash, c, t.session.now())
	out.ContentLength = length
	for name, values := range all {
		if _, set := out.Header[name]; !set {
			out.Header[name] = values
		}
	}
	return out
}

// signable tells the headers that AWS wants signed.
func signable(name string) bool {
	return name == "Content-Type" || strings.HasPrefix(name, "X-Amz-")
}

// readBody reads and closes a request's body, nil if it has none.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := readAtMost(r.Body, bodyLimit)
	if cerr := r.Body.Close(); err == nil {
		err = cerr
	}
	if body == nil {
		body = []byte{}
	}
	return body, err
}
