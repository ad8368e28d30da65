package function

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"narthex/push"
)

// newUpstream returns the client of the narthex at the address, which it gives
// the header Authorization if that is not empty. The address may be logged; that
// is why it must not hold a password.
func newUpstream(address, authorization string) (*push.Client, error) {
	if address == "" {
		return nil, errors.New("set the environment variable NARTHEX_URL to the address of the narthex that keeps them, such as https://narthex.example")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil: // its text has the address
		return nil, errors.New("the environment variable NARTHEX_URL is not a URL: want one such as https://narthex.example")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("the environment variable NARTHEX_URL must be http:// or https://, a host, and at most a path")
	case u.User != nil:
		return nil, errors.New("the environment variable NARTHEX_URL has a user in it: put the credentials into NARTHEX_UPSTREAM_AUTHORIZATION")
	}
	return &push.Client{URL: address, HTTP: &http.Client{
		Timeout:   tryTimeout,
		Transport: &upstream{authorization: authorization, next: http.DefaultTransport},
	}}, nil
}

// tryTimeout is how long the other narthex has for one try.
const tryTimeout = 5 * time.Second

// upstream makes requests to the other narthex. It sees to it that a mistake in
// this function's settings is never told to the sender as a mistake in the push,
// which the sender would then drop.
type upstream struct {
	authorization string
	next          http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. An answer that does not judge the
// push is an error, after which the push is tried again. So is a redirect, which
// would take the credentials elsewhere.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if u.authorization != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", u.authorization)
	}
	resp, err := u.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if why := misplaced(resp); why != "" {
		_ = resp.Body.Close() // nothing of it is wanted
		return nil, fmt.Errorf("it answered %s: %s", resp.Status, why)
	}
	return resp, nil
}

// misplaced says why an answer is not a verdict on the push, "" if it is one or
// says of itself that it is temporary.
func misplaced(resp *http.Response) string {
	switch code := resp.StatusCode; {
	case code == http.StatusRequestEntityTooLarge, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return ""
	case code == http.StatusOK, code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return "that is not narthex; check NARTHEX_URL"
		}
		return ""
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return "check NARTHEX_UPSTREAM_AUTHORIZATION"
	}
	return "check NARTHEX_URL"
}
