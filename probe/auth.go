package probe

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"narthex/internal/aws"
)

const (
	headerLimit = 1 << 20 // of an answer's headers, in bytes
	expectWait  = time.Second
	signLimit   = 64 << 20 // of a body that is signed, in bytes
)

// authenticate adds to a request what the module authenticates with. Errors are
// *Failures.
func (c *client) authenticate(r *http.Request) error {
	for name, h := range c.o.Config.HTTPHeaders {
		values, err := c.t.headerValues(h)
		if err != nil {
			return err
		}
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if r.Header.Get("Authorization") == "" {
		if err := c.authorize(r); err != nil {
			return err
		}
	}
	if c.o.Sign != nil {
		return c.sign(r)
	}
	return nil
}

// headerValues returns the values of a header, those in files too.
func (t *trial) headerValues(h HeaderValues) ([]string, error) {
	out := slices.Clone(h.Values)
	for _, v := range h.Secrets {
		t.hide(string(v))
		out = append(out, string(v))
	}
	for _, file := range h.Files {
		v, err := t.secret(SecretSource{File: file})
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// authorize sets the header Authorization.
func (c *client) authorize(r *http.Request) error {
	config := c.o.Config
	switch {
	case config.BasicAuth != nil:
		user, err := c.t.text(config.BasicAuth.Username, config.BasicAuth.UsernameFile)
		if err != nil {
			return err
		}
		password, err := c.t.secret(config.BasicAuth.Password)
		if err != nil {
			return err
		}
		r.SetBasicAuth(user, password)
		c.t.hide(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
	case config.OAuth2 != nil:
		token, fresh, err := c.t.token(c.aside(), config.OAuth2, r.UserAgent())
		if err != nil {
			return err
		}
		c.fresh = c.fresh || fresh
		r.Header.Set("Authorization", token.header())
	case config.AuthType != "" || config.Credentials != (SecretSource{}):
		credentials, err := c.t.secret(config.Credentials)
		if err != nil {
			return err
		}
		kind := config.AuthType
		if kind == "" {
			kind = "Bearer"
		}
		r.Header.Set("Authorization", kind+" "+credentials)
	}
	return nil
}

// sign signs a request for AWS. The body is read for it.
func (c *client) sign(r *http.Request) error {
	credentials, err := c.o.Sign.Credentials(c.aside())
	if err != nil {
		return failed(PhaseAuth, ReasonCredentials, "AWS credentials: %w", err)
	}
	c.t.hide(credentials.SecretAccessKey)
	c.t.hide(credentials.SessionToken)
	var body []byte
	if r.GetBody != nil {
		from, err := r.GetBody()
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(from, signLimit))
		}
		if err != nil {
			return failed(PhaseRequest, ReasonOther, "reading the body to sign it: %w", err)
		}
	}
	aws.Sign(r, aws.HashBody(body), credentials, c.o.Sign.Region(), c.o.Service, c.t.prober.o.Now())
	return nil
}

// plain are the headers that go along to another host. All others may be
// credentials.
var plain = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Encoding", "Content-Language",
	"Content-Type", "Pragma", "Range", "User-Agent",
}

// harmless reports whether a header's value is no secret.
func harmless(name string) bool { return slices.Contains(plain, http.CanonicalHeaderKey(name)) }

// address sets the module's headers: all of them at home, elsewhere those that can
// be no credentials. The cookies of a jar stay.
func (c *client) address(r *http.Request, home bool) {
	for name, values := range c.o.Headers {
		switch {
		case name == "Host" || !home && !harmless(name):
		case name == "Cookie" && r.Header.Get(name) != "":
			r.Header[name] = []string{strings.Join(append(slices.Clone(values), r.Header[name]...), "; ")}
		default:
			r.Header[name] = values
		}
	}
}
