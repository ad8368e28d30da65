// Package signin lets people sign in with a browser at an OpenID provider, by the
// authorization code flow with PKCE, and knows them again by a sealed cookie.
//
//	s, err := signin.New(signin.Options{Auth: a, Issuer: "https://login.example", ClientID: "narthex", Keys: keys, ExternalURL: "https://metrics.example"})
//	s.Mount(mux)                 // /-/signin, /-/signin/callback, /-/signout
//	id, person, err := s.Identify(r)
//
// Nothing is kept here but which sessions were signed out: a session is a cookie
// that only the holders of the key can read or make, so that several processes,
// and a function that is started anew, know the same people. What someone may do
// is not in it: the claims are, and the rules of [auth.Options] are applied to them
// at each request.
//
// A sign-in is bound to the browser that began it. Its state, nonce and PKCE
// verifier are in a cookie of their own, sealed too, which lives for ten minutes
// and is good once; so somebody else's answer (login CSRF), a code that was stolen
// and an ID token of another sign-in are of no use. A session has a new id, however
// the browser was known before, and ends after a fixed time.
//
// Source: OpenID Connect Core 1.0, section 3.1; RFC 7636 (PKCE), RFC 9207, RFC 9700.
package signin

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"narthex/auth"
)

// Options say who signs people in, and how.
type Options struct {
	// Auth verifies ID tokens, and has the rules about who may do what: at least
	// one of the issuer, with ClientID among its audiences.
	Auth *auth.Auth
	// Issuer is the OpenID provider, ClientID and ClientSecret what narthex is
	// called there. A public client has no secret.
	Issuer, ClientID, ClientSecret string
	// CAFile has the authorities of the provider's TLS certificate; empty are the
	// system's.
	CAFile string
	// Scopes are asked for besides openid.
	Scopes []string
	// ExternalURL is the address that browsers see, with the path before which a
	// proxy stands. Empty takes the Host of each request, over https: only where
	// nobody can choose that.
	ExternalURL string
	// Keys seal sessions: the first one, and the others open what they have sealed
	// before. Each has MinKey bytes at least.
	Keys [][]byte
	// Lifetime is how long a session lasts; 0 is 12 h.
	Lifetime time.Duration
	// KeepToken keeps the ID token in the session, to be traded for credentials.
	KeepToken bool
	// Claims are kept in the session besides those that the rules look at.
	Claims []string
	// Logger gets what is wrong with the provider, nil is slog.Default().
	Logger *slog.Logger
	// Now is the clock, nil is time.Now.
	Now func() time.Time
}

// SignIn signs people in. It may be used from several goroutines.
type SignIn struct {
	o        Options
	external *url.URL // nil: the request's host
	sealer   sealer
	client   *http.Client
	session  cookie
	pending  cookie
	spent    *spent

	mu       sync.Mutex // protects all below
	provider auth.Provider
	asked    time.Time
	failed   time.Time
}

// The paths.
const (
	Path         = "/-/signin"
	CallbackPath = "/-/signin/callback"
	OutPath      = "/-/signout"
)

const (
	signInTime   = 10 * time.Minute
	providerTime = time.Hour        // what a provider says of itself is kept
	failPause    = 10 * time.Second // between questions that it does not answer
)

// New returns a SignIn. It does not touch the network.
func New(o Options) (*SignIn, error) {
	s := &SignIn{o: o, spent: newSpent()}
	if s.o.Lifetime <= 0 {
		s.o.Lifetime = 12 * time.Hour
	}
	if s.o.Logger == nil {
		s.o.Logger = slog.Default()
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	if o.Issuer == "" || o.ClientID == "" {
		return nil, errors.New("want an issuer and a client_id")
	}
	var err error
	if s.client, err = auth.NewClient(o.CAFile); err != nil {
		return nil, err
	}
	if s.sealer, err = newSealer(o.Keys); err != nil {
		return nil, err
	}
	secure := true
	if o.ExternalURL != "" {
		u, err := url.Parse(o.ExternalURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("the external URL is not one such as https://metrics.example/narthex")
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		s.external, secure = u, u.Scheme == "https"
	}
	s.session, s.pending = cookieNamed("narthex", secure), cookieNamed("narthex-signin", secure)
	return s, nil
}

// Mount registers the paths.
func (s *SignIn) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, s.begin)
	mux.HandleFunc("GET "+CallbackPath, s.finish)
	mux.HandleFunc("POST "+OutPath, s.out)
}

// base returns the address that the browser sees.
func (s *SignIn) base(r *http.Request) *url.URL {
	if s.external != nil {
		u := *s.external
		return &u
	}
	return &url.URL{Scheme: "https", Host: r.Host}
}

// Start returns where to send a browser that has to sign in and then wants to go
// to the path, which is one below the external URL's.
func (s *SignIn) Start(r *http.Request, path string) string {
	base := s.base(r).Path
	return base + Path + "?return_to=" + url.QueryEscape(base+path)
}

// about returns what the provider says of itself.
func (s *SignIn) about(ctx context.Context) (auth.Provider, error) {
	s.mu.Lock() // one asks at a time
	defer s.mu.Unlock()
	p := s.provider
	switch {
	case p.Token != "" && s.o.Now().Sub(s.asked) < providerTime:
		return p, nil
	case s.o.Now().Sub(s.failed) < failPause && p.Token == "":
		return p, errors.New("the identity provider could not be asked about itself a moment ago")
	case s.o.Now().Sub(s.failed) < failPause:
		return p, nil
	}
	found, err := auth.Discover(ctx, s.client, s.o.Issuer)
	if err == nil && (found.Authorization == "" || found.Token == "") {
		err = errors.New("its configuration names no authorization endpoint or no token endpoint")
	}
	if err != nil {
		if s.failed = s.o.Now(); p.Token != "" {
			return p, nil
		}
		return p, fmt.Errorf("ask %s about itself: %w", s.o.Issuer, err)
	}
	s.provider, s.asked = found, s.o.Now()
	return found, nil
}

// scopes are those that are asked for.
func (s *SignIn) scopes() string {
	return strings.Join(slices.Compact(append([]string{"openid"}, slices.DeleteFunc(slices.Clone(s.o.Scopes), func(x string) bool { return x == "openid" })...)), " ")
}

// random returns 256 random bits as text.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
