package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"narthex/auth"
	"narthex/auth/signin"
)

// TestSessionsOfAnother: a session is of one provider and one client. What another
// narthex with the same key has sealed, or this one when it had another provider,
// is none, whatever the rules are now.
func TestSessionsOfAnother(t *testing.T) {
	s := newSite(t, nil)
	jane := s.signedIn()
	u, err := url.Parse(s.o.ExternalURL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range jane.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	for what, change := range map[string]func(*signin.Options){
		"the same":         func(*signin.Options) {},
		"another client":   func(o *signin.Options) { o.ClientID = "other" },
		"another provider": func(o *signin.Options) { o.Issuer = "https://other.example" },
	} {
		o := s.o
		change(&o)
		a, err := auth.New(auth.Options{Issuers: []auth.Issuer{{Issuer: o.Issuer, Audience: []string{o.ClientID},
			Rule: auth.Rule{Claims: map[string][]string{"groups": {"*"}}, NameClaim: "email", Scopes: auth.All}}}})
		if err != nil {
			t.Fatal(err)
		}
		o.Auth = a
		if _, _, ok, _ := s.open(o).Identify(r); ok != (what == "the same") {
			t.Errorf("%s: known %v", what, ok)
		}
	}
}
