package function

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"narthex/config"
	"narthex/push"
)

// newUpstream returns the client of the narthex that pushes are handed to.
func newUpstream(c config.Relay) (*push.Client, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		return nil, errors.New("lambda.relay.url is not a URL: want one such as https://narthex.example")
	}
	return &push.Client{URL: c.URL, HTTP: &http.Client{
		Timeout:   tryTimeout,
		Transport: &upstream{authorization: string(c.Authorization), next: http.DefaultTransport},
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
			return "that is not narthex; check lambda.relay.url"
		}
		return ""
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return "check lambda.relay.authorization"
	}
	return "check lambda.relay.url"
}
