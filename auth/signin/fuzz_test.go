package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"narthex/auth"
	"narthex/auth/signin"
)

// No cookie that was not sealed here is a session, and none ends the process.
func FuzzCookie(f *testing.F) {
	a, err := auth.New(auth.Options{})
	if err != nil {
		f.Fatal(err)
	}
	s, err := signin.New(signin.Options{Auth: a, Issuer: "https://issuer.example", ClientID: "narthex", ExternalURL: "https://metrics.example", Keys: [][]byte{key(0)}})
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range []string{"", ".", "1.", "1.AQ", "2.x", "-1.x", "1.AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw", "9.x"} {
		f.Add(v, v)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", session+"="+first+"; "+session+".1="+second)
		if _, _, ok, _ := s.Identify(r); ok {
			t.Fatalf("%q and %q are a session", first, second)
		}
	})
}

// Where one is sent after a sign-in is below the site's own address, however a
// browser reads it.
func FuzzReturnTo(f *testing.F) {
	a, err := auth.New(auth.Options{})
	if err != nil {
		f.Fatal(err)
	}
	s, err := signin.New(signin.Options{Auth: a, Issuer: "https://issuer.example", ClientID: "narthex", ExternalURL: "https://metrics.example" + base, Keys: [][]byte{key(0)}})
	if err != nil {
		f.Fatal(err)
	}
	for _, to := range []string{"/metrics/", "//evil", "/metrics//evil", `/metrics/\evil`, "/metrics/\tx", "https://evil/metrics/", "/metrics/%2f%2fevil", "/metrics/..//evil"} {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := signin.Local(s, httptest.NewRequest(http.MethodGet, "/", nil), to)
		site, _ := url.Parse("https://metrics.example/metrics/-/signin/callback")
		u, err := site.Parse(got)
		if err != nil || u.Host != "metrics.example" || u.Scheme != "https" || !strings.HasPrefix(got, "/metrics/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Fatalf("%q leads to %q (%v)", to, got, err)
		}
	})
}
