package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"narthex"
	"narthex/auth"
)

func newAuth(t testing.TB, o auth.Options) *auth.Auth {
	t.Helper()
	a, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, v := range authorization {
		r.Header.Add("Authorization", v)
	}
	return r
}

// reason returns why an error is, "" if there is none.
func reason(t testing.TB, err error) auth.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *auth.Error
	if !errors.As(err, &e) || e.Error() == "" {
		t.Fatalf("the error %v is no *auth.Error with a text", err)
	}
	return e.Reason
}

func hash(t testing.TB, token string) string {
	t.Helper()
	h, err := auth.HashToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTokens(t *testing.T) {
	one, two := auth.NewToken(), auth.NewToken()
	if one == two || len(one) != 53 || !strings.HasPrefix(one, "nxt_") || strings.Trim(one[4:], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		t.Fatalf("the tokens %s and %s", one, two)
	}
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	labels := narthex.Labels{{Name: "service", Value: "shop"}}
	a := newAuth(t, auth.Options{Now: func() time.Time { return now }, Tokens: []auth.Token{
		{Name: "one", Hash: hash(t, one), Scopes: auth.Push, Labels: labels, Expires: now.Add(time.Hour)},
		{Name: "two", Hash: hash(t, two), Scopes: auth.Query | auth.Admin},
	}})
	got, err := a.Identify(request("Bearer " + one))
	if want := (auth.Identity{Name: "token:one", Scopes: auth.Push, Labels: labels}); err != nil || !cmp.Equal(want, got) {
		t.Errorf("one: %+v, %v", got, err)
	}
	got, err = a.Identify(request("Bearer " + two))
	if err != nil || got.Scopes.String() != "query, admin" {
		t.Errorf("two: %+v, %v", got, err)
	}
	now = now.Add(time.Hour)
	if _, err := a.Identify(request("Bearer " + one)); reason(t, err) != auth.Expired {
		t.Errorf("one, an hour later: %v", err)
	}
	for _, h := range []string{"", one, "sha256:", "sha256:xx", "sha512:" + strings.Repeat("0", 64), hash(t, one) + "00"} {
		if _, err := auth.New(auth.Options{Tokens: []auth.Token{{Name: "x", Hash: h}}}); err == nil || strings.Contains(err.Error(), one) {
			t.Errorf("the hash %q: %v", h, err)
		}
	}
}

// The checksum is part of the form: what made it must make it for ever.
func TestTokenForm(t *testing.T) {
	const token = "nxt_eUpFbSs5oT8pgH8dctfk4kokO3LJzIQJg1xgGeMro540ruQDR"
	if h := hash(t, token); h != "sha256:a5dfa498a1ea0976074dc7cced0bd054194130789bd2be72e85810c1f55be90f" {
		t.Errorf("its hash is %s", h)
	}
	for i := range token { // each mistyped character is seen
		for _, c := range "aZ0_" {
			typo := token[:i] + string(c) + token[i+1:]
			if _, err := auth.HashToken(typo); (err == nil) != (typo == token) {
				t.Errorf("%s: %v", typo, err)
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	token := auth.NewToken()
	h, err := auth.HashToken(token)
	if err != nil {
		f.Fatal(err)
	}
	a := newAuth(f, auth.Options{Tokens: []auth.Token{{Name: "x", Hash: h, Scopes: auth.All}}})
	for _, s := range []string{"", "Bearer", "Bearer " + token, "bearer  " + token + " ", "Basic eDp5", "Bearer nxt_", "Bearer a.b.c", "Bearer " + token[:52], "Bearer " + token + "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := a.Identify(request(s))
		if why := reason(t, err); why == "" && !strings.Contains(s, token) {
			// A fuzzer that has found this has found 256 bits, or a hole.
			if _, password, ok := request(s).BasicAuth(); !ok || password != token {
				t.Fatalf("%q was let in", s)
			}
		}
		if err != nil && strings.Contains(err.Error(), token[4:]) {
			t.Fatalf("the error has the token: %v", err)
		}
	})
}

func TestPasswords(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"alice": string(h), "broken": "x"}
	a := newAuth(t, auth.Options{
		Passwords: func() map[string]string { return users },
		Users:     map[string]auth.Grant{"bob": {Scopes: auth.Query}},
	})
	try := func(user, password string) (auth.Identity, auth.Reason) {
		t.Helper()
		r := request()
		r.SetBasicAuth(user, password)
		id, err := a.Identify(r)
		return id, reason(t, err)
	}
	for range 2 { // the second time from memory
		if id, why := try("alice", "right"); why != "" || id.Name != "user:alice" || id.Scopes != auth.All {
			t.Errorf("alice: %+v, %s", id, why)
		}
	}
	for _, c := range [][2]string{{"alice", "wrong"}, {"alice", ""}, {"", "right"}, {"bob", "right"}, {"broken", "x"}, {"nobody", "nobody has this password"}} {
		if id, why := try(c[0], c[1]); why != auth.Unknown {
			t.Errorf("%q: %+v, %s", c, id, why)
		}
	}
	users = map[string]string{"bob": string(h)}
	if id, why := try("alice", "right"); why != auth.Unknown {
		t.Errorf("alice, taken out: %+v, %s", id, why)
	}
	if id, why := try("bob", "right"); why != "" || id.Scopes != auth.Query {
		t.Errorf("bob: %+v, %s", id, why)
	}
	users = nil
	if _, why := try("bob", "right"); why != auth.Unknown || !a.Required() {
		t.Errorf("with no users left: %s, required %v", why, a.Required())
	}
}

// However many guess, few guesses run at a time, and who was let in before does
// not wait for them.
func TestPasswordsAreBounded(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuth(t, auth.Options{Passwords: func() map[string]string { return map[string]string{"alice": string(h)} }})
	basic := func(password string) *http.Request {
		r := request()
		r.SetBasicAuth("alice", password)
		return r
	}
	if _, err := a.Identify(basic("right")); err != nil {
		t.Fatal(err)
	}
	const guesses = 300
	results := make(chan auth.Reason, guesses)
	for range guesses {
		go func() {
			var e *auth.Error
			_, err := a.Identify(basic("wrong"))
			errors.As(err, &e)
			results <- e.Reason
		}()
	}
	count := make(map[auth.Reason]int)
	for range guesses {
		count[<-results]++
		if _, err := a.Identify(basic("right")); err != nil {
			t.Fatalf("while others guess: %v", err)
		}
	}
	if count[auth.Unavailable] < guesses-200 || count[auth.Unknown] == 0 || count[auth.Unavailable]+count[auth.Unknown] != guesses {
		t.Errorf("the guesses: %v", count)
	}
}

func TestCertificates(t *testing.T) {
	a := newAuth(t, auth.Options{Certificates: true})
	verified := &x509.Certificate{Subject: pkix.Name{CommonName: "cn"}, DNSNames: []string{"shop.example"}}
	r := request()
	if _, err := a.Identify(r); reason(t, err) != auth.None {
		t.Errorf("without TLS: %v", err)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{verified}}
	if _, err := a.Identify(r); reason(t, err) != auth.None {
		t.Errorf("with a certificate that was not verified: %v", err)
	}
	r.TLS.VerifiedChains = [][]*x509.Certificate{{verified}}
	if id, err := a.Identify(r); err != nil || id.Name != "cert:shop.example" || id.Scopes != auth.All {
		t.Errorf("verified: %+v, %v", id, err)
	}
}

func TestRequired(t *testing.T) {
	if a := newAuth(t, auth.Options{}); a.Required() {
		t.Error("nobody is known, but required")
	}
	a := newAuth(t, auth.Options{Tokens: []auth.Token{{Name: "x", Hash: hash(t, auth.NewToken())}}})
	if !a.Required() || !cmp.Equal(a.Challenges(), []string{`Bearer realm="narthex"`, `Basic realm="narthex", charset="UTF-8"`}) {
		t.Errorf("with a token: %v, %q", a.Required(), a.Challenges())
	}
}

func TestScopes(t *testing.T) {
	s, err := auth.ParseScopes("query", "push")
	if err != nil || s != auth.Push|auth.Query || s.String() != "push, query" || s.Has(auth.Admin|auth.Probe) || !s.Has(auth.Admin|auth.Push) {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := auth.ParseScopes("pull"); err == nil {
		t.Error("pull is a scope")
	}
	if auth.All.String() != "push, query, probe, admin" || auth.Scopes(0).String() != "none" {
		t.Errorf("%s, %s", auth.All, auth.Scopes(0))
	}
}

// TestUnknownUser: the comparison for a user who is not known takes as long as that
// for one who is, so that the time tells nobody who exists.
func TestUnknownUser(t *testing.T) {
	hashes := make(map[string]string)
	for user, cost := range map[string]int{"a": 4, "b": 6, "c": 5} {
		h, err := bcrypt.GenerateFromPassword([]byte("secret"), cost)
		if err != nil {
			t.Fatal(err)
		}
		hashes[user] = string(h)
	}
	if got := auth.Costliest(hashes); got != hashes["b"] {
		t.Errorf("compared with %q, want that of the highest cost", got)
	}
	a, err := auth.New(auth.Options{Passwords: func() map[string]string { return hashes }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth("nobody", "secret") // which is right for the hash that it is compared with
	if id, err := a.Identify(r); err == nil {
		t.Errorf("an unknown user is %+v", id)
	}
}
