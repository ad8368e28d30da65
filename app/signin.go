package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"narthex/auth"
	"narthex/auth/signin"
	"narthex/config"
)

// newSignIn makes what lets people sign in of the configuration.
func newSignIn(c *config.Config, a *auth.Auth, o AccessOptions) (*signin.SignIn, error) {
	s := c.Viewer.SignIn
	if c.Viewer.ExternalURL == "" && !o.TrustHost {
		return nil, errors.New("viewer.external_url is missing: it is the address that people type, and that the issuer sends them back to")
	}
	u := signin.Options{
		Auth: a, Issuer: s.Issuer, ClientID: s.ClientID, ClientSecret: string(s.ClientSecret), CAFile: s.CAFile, Scopes: s.Scopes,
		ExternalURL: c.Viewer.ExternalURL, Lifetime: s.Session, Logger: o.Logger, Now: o.Now,
	}
	for _, key := range s.Keys {
		u.Keys = append(u.Keys, []byte(key))
	}
	if len(u.Keys) == 0 && o.SessionKey == nil {
		return nil, errors.New("keys is missing: sessions have to outlive this process, so give it a secret of 32 random bytes or more, such as keys: [${SESSION_KEY}]")
	}
	if len(u.Keys) == 0 {
		key, err := o.SessionKey()
		if err != nil {
			return nil, err
		}
		u.Keys = [][]byte{key}
	}
	for _, q := range c.Query {
		if q.SigV4 == nil || len(q.SigV4.Roles) == 0 {
			continue
		}
		u.KeepToken = true
		u.Claims = append(u.Claims, q.SigV4.SessionClaim)
		for _, role := range q.SigV4.Roles {
			for name := range role.Claims {
				u.Claims = append(u.Claims, name)
			}
		}
	}
	return signin.New(u)
}

// SessionKey returns the key in the data directory, which it makes if there is
// none. To sign everybody out, delete it.
func SessionKey(data string) ([]byte, error) {
	path := filepath.Join(data, "session.key")
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) >= signin.MinKey:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("%s has %d bytes, want %d: delete it, and everybody has to sign in anew", path, len(key), signin.MinKey)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read the key of sessions: %w", err)
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	key = make([]byte, signin.MinKey)
	rand.Read(key) // never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("keep the key of sessions: %w", err)
	}
	return key, nil
}

// identify returns the request with who sent it, by what it shows or by its
// session.
func (x *Access) identify(r *http.Request) (*http.Request, auth.Identity, error) {
	if x.signIn != nil && len(r.Header.Values("Authorization")) == 0 {
		id, person, ok, err := x.signIn.Identify(r)
		if ok && err == nil {
			ctx := auth.WithPerson(auth.WithIdentity(r.Context(), id), person)
			return r.WithContext(ctx), id, nil
		}
		if ok {
			return r, id, err
		}
	}
	id, err := x.auth.Identify(r)
	if err != nil {
		return r, id, err
	}
	return r.WithContext(auth.WithIdentity(r.Context(), id)), id, nil
}

// wantsSignIn reports whether a refused request is that of a browser that shows a
// page, so that it is sent to sign in.
func (x *Access) wantsSignIn(r *http.Request) bool {
	if x.signIn == nil || r.Method != http.MethodGet || len(r.Header.Values("Authorization")) > 0 || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/backends/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	return path == "/" || path == "/index.html" || strings.HasPrefix(path, "/docs/")
}

// external returns the address that browsers see, nil if it is not configured.
func external(c *config.Config) *url.URL {
	u, err := url.Parse(c.Viewer.ExternalURL)
	if c.Viewer.ExternalURL == "" || err != nil { // config has read it
		return nil
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u
}

// mountSignIn adds the doors through which people sign in and out.
func (a *App) mountSignIn(mux *http.ServeMux) {
	if a.o.Access != nil && a.o.Access.signIn != nil {
		a.o.Access.signIn.Mount(mux)
	}
}
