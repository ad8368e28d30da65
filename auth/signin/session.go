package signin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"narthex/auth"
	"narthex/internal/reply"
)

// session is what the browser keeps for us of somebody who signed in.
type session struct {
	ID      string          `json:"i"`
	Claims  json.RawMessage `json:"c"`
	Ends    int64           `json:"e"` // seconds since the epoch
	Token   string          `json:"t,omitempty"`
	Expires int64           `json:"x,omitempty"` // of the token
}

// newSession returns a session of the person, with an id of its own.
func (s *SignIn) newSession(p auth.Person) ([]byte, error) {
	names := append(slices.Clone(s.o.Claims), s.o.Auth.Asked(s.o.Issuer)...)
	c, err := auth.MarshalClaims(p.Claims, names)
	if err != nil {
		return nil, err
	}
	x := session{ID: random(), Claims: c, Ends: s.o.Now().Add(s.o.Lifetime).Unix()}
	if s.o.KeepToken {
		x.Token, x.Expires = p.Token, p.Expires.Unix()
	}
	return json.Marshal(x)
}

// open returns the request's session, if it has one that holds.
func (s *SignIn) open(r *http.Request) (x session, ok bool) {
	text, ok := s.sealer.open(s.forSession(), s.session.get(r))
	if !ok || json.Unmarshal(text, &x) != nil {
		return x, false
	}
	now := s.o.Now()
	return x, now.Unix() < x.Ends && !s.spent.has("session "+x.ID, now)
}

// Has reports whether the request has a cookie of a session, good or not.
func (s *SignIn) Has(r *http.Request) bool {
	_, err := r.Cookie(s.session.name)
	return err == nil
}

// Identify returns who sent the request, by its session; false if it has none
// that holds. The error, an [*auth.Error], is that no rule takes the person any
// more.
func (s *SignIn) Identify(r *http.Request) (id auth.Identity, p auth.Person, ok bool, err error) {
	x, ok := s.open(r)
	if !ok {
		return id, p, false, nil
	}
	c, err := auth.ParseClaims(x.Claims)
	if err != nil { // we wrote it
		return id, p, false, nil
	}
	p = auth.Person{Claims: c, Token: x.Token}
	if x.Token != "" {
		p.Expires = time.Unix(x.Expires, 0)
	}
	id, err = s.o.Auth.Claimed(s.o.Issuer, s.o.ClientID, c)
	return id, p, true, err
}

// out is POST /-/signout. Its answer has where to sign out of the provider too.
func (s *SignIn) out(w http.ResponseWriter, r *http.Request) {
	if x, ok := s.open(r); ok {
		s.spent.first("session "+x.ID, time.Unix(x.Ends, 0), s.o.Now())
	}
	s.session.clear(w, r)
	s.pending.clear(w, r)
	type data struct {
		Next string `json:"next,omitempty"`
	}
	type answer struct {
		Status string `json:"status"`
		Data   data   `json:"data"`
	}
	reply.JSON(w, http.StatusOK, answer{"success", data{s.endSession(r)}})
}

// endSession returns the provider's own way out, "" if it has none.
//
// Source: OpenID Connect RP-Initiated Logout 1.0, section 2.
func (s *SignIn) endSession(r *http.Request) string {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	p, err := s.about(ctx)
	if err != nil || p.EndSession == "" {
		return ""
	}
	u, err := url.Parse(p.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", s.o.ClientID)
	back := s.base(r)
	back.Path += "/"
	q.Set("post_logout_redirect_uri", back.String())
	u.RawQuery = q.Encode()
	return u.String()
}

// spent remembers what is good no more: sign-ins that were finished, sessions
// that were signed out. It has no more than so many; beyond, those that end first
// are forgotten first.
type spent struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

const maxSpent = 10_000

func newSpent() *spent { return &spent{ends: make(map[string]time.Time)} }

// first spends what has the name, until it ends anyway, and reports whether it had
// not been before.
func (s *spent) first(name string, ends, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end, there := s.ends[name]; there && now.Before(end) {
		return false
	}
	if len(s.ends) >= maxSpent {
		s.sweep(now)
	}
	s.ends[name] = ends
	return true
}

func (s *spent) has(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, there := s.ends[name]
	return there && now.Before(end)
}

// sweep forgets what has ended, or else the half that ends first.
func (s *spent) sweep(now time.Time) {
	var all []time.Time
	for name, end := range s.ends {
		if !now.Before(end) {
			delete(s.ends, name)
			continue
		}
		all = append(all, end)
	}
	if len(all) < maxSpent {
		return
	}
	slices.SortFunc(all, time.Time.Compare)
	middle := all[len(all)/2]
	for name, end := range s.ends {
		if end.Before(middle) {
			delete(s.ends, name)
		}
	}
}
