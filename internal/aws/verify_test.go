package aws_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"narthex/internal/aws"
)

// verify says what is wrong with the signature of a request that a server has
// received, by signing it again with the SDK's signer: "" if nothing is.
func verify(r *http.Request, body []byte, c aws.Credentials, region, service string) string {
	given := r.Header.Get("Authorization")
	_, rest, ok := strings.Cut(given, "SignedHeaders=")
	list, _, ok2 := strings.Cut(rest, ",")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !ok || !ok2 || err != nil {
		return "not signed: " + given
	}
	signed := strings.Split(list, ";")
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !slices.Contains(signed, strings.ToLower(name)) {
			return name + " is not signed"
		}
	}
	again := &http.Request{Method: r.Method, URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}, Header: http.Header{}}
	for _, name := range signed {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := sdkSign(signer, again, aws.HashBody(body), c, region, service, at); err != nil {
		return err.Error()
	}
	if want := again.Header.Get("Authorization"); given != want {
		return "got " + given + ", want " + want
	}
	if token := r.Header.Get("X-Amz-Security-Token"); token != c.SessionToken {
		return "the session token is " + token
	}
	return ""
}

// service starts a server that answers as reply says, given the body.
func service(t testing.TB, reply func(w http.ResponseWriter, r *http.Request, body []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		reply(w, r, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// env is an environment.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// dial sends all requests to one address, whatever their host.
type dial string

func (d dial) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Host = r.URL.Host
	out.URL.Scheme, out.URL.Host = "http", strings.TrimPrefix(string(d), "http://")
	return http.DefaultTransport.RoundTrip(out)
}

// unreachable is a network where nobody answers.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("unreachable")
}

func timeout(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), time.Second)
}
