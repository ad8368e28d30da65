package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"narthex/auth"
	"narthex/auth/signin"
	"narthex/auth/webconfig"
	"narthex/config"
)

// Access is who may come in, and by which TLS: what a configuration and the web
// configuration file that it names say about that. A nil Access lets everybody
// in.
type Access struct {
	auth *auth.Auth
	web  *webconfig.File // nil without a file
	// signIn lets people sign in with a browser; nil if nobody does.
	signIn *signin.SignIn
}

// AccessOptions are what an Access has besides the configuration. All may be
// left zero.
type AccessOptions struct {
	// Caller returns what a trusted front found out about the sender, for the
	// rules of auth.gateway.
	Caller func(context.Context) (auth.Caller, bool)
	Logger *slog.Logger
	Now    func() time.Time
	// SessionKey returns the key that seals sessions if the configuration has none;
	// nil is that it has to.
	SessionKey func() ([]byte, error)
	// TrustHost takes the Host of a request for the address that browsers see, where
	// nobody else can choose it.
	TrustHost bool
}

// NewAccess reads what the configuration says about access. It starts nothing;
// the keys of issuers are fetched when the first token comes.
func NewAccess(c *config.Config, o AccessOptions) (*Access, error) {
	x := new(Access)
	a := authOptions(c.Auth)
	a.Caller, a.Logger, a.Now = o.Caller, o.Logger, o.Now
	if c.WebConfigFile != "" {
		var err error
		if x.web, err = webconfig.Open(c.WebConfigFile, o.Logger); err != nil {
			return nil, err
		}
		a.Passwords = func() map[string]string { return x.web.Current().Users }
		a.Certificates = x.web.Current().RequiresCertificate && len(a.Tokens) == 0 && len(a.Issuers) == 0 && len(x.web.Current().Users) == 0
	}
	for user := range a.Users {
		if x.web == nil || x.web.Current().Users[user] == "" {
			return nil, fmt.Errorf("auth.users: %q is not among basic_auth_users of the web configuration file", user)
		}
	}
	var err error
	if x.auth, err = auth.New(a); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if c.Viewer.SignIn.Issuer != "" {
		if x.signIn, err = newSignIn(c, x.auth, o); err != nil {
			return nil, fmt.Errorf("viewer.sign_in: %w", err)
		}
	}
	return x, nil
}

// authOptions are the configuration's words in those of auth.
func authOptions(c config.Auth) auth.Options {
	o := auth.Options{Users: make(map[string]auth.Grant)}
	for _, t := range c.Tokens {
		o.Tokens = append(o.Tokens, auth.Token{Name: t.Name, Hash: t.Hash, Scopes: scopes(t.Scopes), Labels: t.Labels, Expires: t.Expires})
	}
	for _, u := range c.Users {
		o.Users[u.Name] = auth.Grant{Scopes: scopes(u.Scopes), Labels: u.Labels}
	}
	for _, i := range c.OIDC {
		o.Issuers = append(o.Issuers, auth.Issuer{Issuer: i.Issuer, Audience: i.Audience, KeysURL: i.KeysURL, CAFile: i.CAFile, Rule: rule(i.ClaimRule)})
	}
	for _, g := range c.Gateway {
		o.Callers = append(o.Callers, auth.CallerRule{Kind: g.Type, Rule: rule(g.ClaimRule)})
	}
	return o
}

func rule(r config.ClaimRule) auth.Rule {
	return auth.Rule{Claims: r.Claims, NameClaim: r.NameClaim, Labels: r.Labels, Scopes: scopes(r.Scopes)}
}

// scopes returns the scopes with the names, which config has checked: an unknown
// one gives nothing.
func scopes(names []string) auth.Scopes {
	s, err := auth.ParseScopes(names...)
	if err != nil {
		return 0
	}
	return s
}

// Required reports whether one has to say who one is.
func (x *Access) Required() bool { return x != nil && x.auth.Required() }

// TLS returns the server's TLS, nil if it has none.
func (x *Access) TLS() *tls.Config {
	if x == nil || x.web == nil {
		return nil
	}
	return x.web.TLS()
}
