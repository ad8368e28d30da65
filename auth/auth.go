// Package auth says who sent a request and what they may do.
//
// [Auth.Identify] looks for one of these, in this order, and answers with an
// [Identity]: a name, scopes, and labels that are forced on what is pushed.
//
//   - what a trusted front has found out ([Options.Caller]): API Gateway or a
//     Lambda function URL, never a header;
//   - Authorization: Bearer with a token that [NewToken] made, of which only the
//     hash is known here;
//   - Authorization: Bearer with a JSON Web Token of a configured issuer, whose
//     keys are fetched by OpenID Connect discovery;
//   - Authorization: Basic with a user and a password, of which the bcrypt hash
//     is known, or with a token as the password;
//   - the verified certificate of a TLS client, if [Options.Certificates].
//
// Identities of two sources never meet: their names begin with token:, user:,
// jwt:, iam: and so on.
//
//	a, err := auth.New(auth.Options{Tokens: []auth.Token{{Name: "ci", Hash: hash, Scopes: auth.Push}}})
//	…
//	id, err := a.Identify(r) // errors are *Error
//	if err == nil && id.Scopes.Has(auth.Push) { … }
//
// The package decides nothing about paths: whoever has the doors does. Secrets
// never stand in its errors.
package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"narthex"
)

// Identity is who sent a request.
type Identity struct {
	// Name tells identities apart; ids of pushes belong to it.
	Name   string
	Scopes Scopes
	// Labels are forced on whatever the identity pushes.
	Labels narthex.Labels
}

// Grant is what an identity may do.
type Grant struct {
	Scopes Scopes
	Labels narthex.Labels
}

// Options say who is known. The zero value knows nobody.
type Options struct {
	Tokens []Token
	// Passwords returns the bcrypt hashes of the users' passwords as they are
	// now; nil has none. The map is not changed.
	Passwords func() map[string]string
	// Users narrow what users may do; a user who is not here may do all.
	Users map[string]Grant
	// Issuers are those whose JSON Web Tokens are taken. Several may be of the
	// same issuer; the first one whose rule fits decides.
	Issuers []Issuer
	// Caller returns what a trusted front found out about the request with the
	// context; nil or false is nothing. It must not be made of headers.
	Caller func(context.Context) (Caller, bool)
	// Callers say what those may do. The first one that fits decides.
	Callers []CallerRule
	// Certificates takes a TLS client whose certificate was verified and who
	// says nothing else about itself, with all scopes.
	Certificates bool
	// Logger gets what is wrong with issuers, nil is slog.Default().
	Logger *slog.Logger
	// Now is the clock, nil is time.Now.
	Now func() time.Time
}

// Auth identifies senders. It may be used from several goroutines.
type Auth struct {
	o       Options
	tokens  []tokenHash
	issuers []*issuer
	words   *passwords
	closed  atomic.Bool // somebody was known once
}

// New returns an Auth. The error says which option is wrong.
func New(o Options) (*Auth, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Passwords == nil {
		o.Passwords = func() map[string]string { return nil }
	}
	a := &Auth{o: o, words: newPasswords()}
	for _, t := range o.Tokens {
		h, err := t.parse()
		if err != nil {
			return nil, fmt.Errorf("token %q: %w", t.Name, err)
		}
		a.tokens = append(a.tokens, h)
	}
	known := make(map[keysOf]*keys)
	for _, i := range o.Issuers {
		x, err := newIssuer(i, known, o.Logger, o.Now)
		if err != nil {
			return nil, fmt.Errorf("issuer %q: %w", i.Issuer, err)
		}
		a.issuers = append(a.issuers, x)
	}
	a.Required() // from the beginning on
	return a, nil
}

// Required reports whether anybody is known, so that others are to be refused.
// It stays true when the last user is taken out.
func (a *Auth) Required() bool {
	if !a.closed.Load() && (len(a.tokens) > 0 || len(a.issuers) > 0 || len(a.o.Callers) > 0 || a.o.Certificates || len(a.o.Passwords()) > 0) {
		a.closed.Store(true)
	}
	return a.closed.Load()
}

// Challenges returns the values for WWW-Authenticate that say how to identify
// oneself here.
func (a *Auth) Challenges() []string {
	var out []string
	if len(a.tokens) > 0 || len(a.issuers) > 0 {
		out = append(out, `Bearer realm="narthex"`)
	}
	if len(a.tokens) > 0 || len(a.o.Passwords()) > 0 || len(out) == 0 {
		out = append(out, `Basic realm="narthex", charset="UTF-8"`)
	}
	return out
}

// maxCredentials is how many bytes of Authorization are looked at.
const maxCredentials = 16 << 10

// Identify returns who sent the request. The error is an *[Error]; its text is
// for the sender.
func (a *Auth) Identify(r *http.Request) (Identity, error) {
	if id, known, err := a.caller(r.Context()); known {
		return id, err
	}
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) == 0 && a.o.Certificates:
		return a.certificate(r)
	case len(headers) == 0:
		return Identity{}, refuse(None, "this needs authentication: send a header Authorization; docs/auth.md says which")
	case len(headers) > 1:
		return Identity{}, refuse(Malformed, "there is more than one header Authorization: send one")
	case len(headers[0]) > maxCredentials:
		return Identity{}, refuse(Malformed, "the header Authorization has %d bytes, the limit is %d", len(headers[0]), maxCredentials)
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		return a.bearer(r.Context(), strings.TrimSpace(rest))
	case "basic":
		return a.basic(r)
	}
	return Identity{}, refuse(Malformed, "the header Authorization is neither Bearer nor Basic")
}

// bearer identifies by a bearer token of either kind.
func (a *Auth) bearer(ctx context.Context, token string) (Identity, error) {
	switch {
	case token == "":
		return Identity{}, refuse(Malformed, "the bearer token is empty")
	case strings.HasPrefix(token, TokenPrefix) || strings.Count(token, ".") != 2:
		return a.token(token)
	}
	return a.jwt(ctx, token)
}

// basic identifies by user and password, or by a token as the password: clients
// of a Pushgateway often know nothing else.
func (a *Auth) basic(r *http.Request) (Identity, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return Identity{}, refuse(Malformed, "the header Authorization says Basic but has no user and password in base64")
	}
	if strings.HasPrefix(password, TokenPrefix) {
		return a.token(password)
	}
	if err := a.words.check(r.Context(), a.o.Passwords(), user, password); err != nil {
		return Identity{}, err
	}
	g, narrowed := a.o.Users[user]
	if !narrowed {
		g.Scopes = All
	}
	return Identity{Name: "user:" + user, Scopes: g.Scopes, Labels: g.Labels}, nil
}

// certificate identifies by the name in a verified client certificate.
func (a *Auth) certificate(r *http.Request) (Identity, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Identity{}, refuse(None, "this needs a TLS client certificate")
	}
	c := r.TLS.VerifiedChains[0][0]
	name := c.Subject.CommonName
	if len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	return Identity{Name: "cert:" + cmp.Or(name, c.Subject.String()), Scopes: All}, nil
}
