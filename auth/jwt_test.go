package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"narthex/auth"
)

// issuer is an issuer of tokens over HTTP.
type issuer struct {
	*httptest.Server
	keys   atomic.Pointer[[]map[string]any]
	broken atomic.Bool
	asked  atomic.Int32 // for the keys
	now    atomic.Int64 // seconds; the clock of the one who verifies
}

func newIssuer(t testing.TB) *issuer {
	i := new(issuer)
	i.now.Store(1_800_000_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		if i.broken.Load() {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": *i.keys.Load()})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) auth(t testing.TB) *auth.Auth {
	return newAuth(t, auth.Options{
		Issuers: []auth.Issuer{{Issuer: i.URL, Audience: []string{"here"}, Rule: auth.Rule{Claims: map[string][]string{"sub": {"*"}}, Scopes: auth.Push}}},
		Logger:  slog.New(slog.DiscardHandler),
		Now:     func() time.Time { return time.Unix(i.now.Load(), 0) },
	})
}

func (i *issuer) claims() jwt.MapClaims {
	return jwt.MapClaims{"iss": i.URL, "aud": "here", "sub": "me", "exp": i.now.Load() + 300}
}

func (i *issuer) publish(keys ...map[string]any) { i.keys.Store(&keys) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// public returns a key as a JSON Web Key.
func public(key crypto.Signer, kid string, more ...string) map[string]any {
	out := map[string]any{"kid": kid}
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		out["kty"], out["n"], out["e"] = "RSA", b64(k.N.Bytes()), b64(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		size := len(point) / 2
		out["kty"], out["crv"] = "EC", k.Curve.Params().Name
		out["x"], out["y"] = b64(point[1:1+size]), b64(point[1+size:])
	case ed25519.PublicKey:
		out["kty"], out["crv"], out["x"] = "OKP", "Ed25519", b64(k)
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

type keyring struct {
	rsa, small       *rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
	ed               ed25519.PrivateKey
}

func newKeyring(t testing.TB) *keyring {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	ec := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := &keyring{p256: ec(elliptic.P256()), p384: ec(elliptic.P384()), p521: ec(elliptic.P521())}
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if k.small, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		t.Fatal(err)
	}
	if _, k.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, m jwt.SigningMethod, key any, kid string, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The signer is another implementation than the one that verifies.
func TestAlgorithms(t *testing.T) {
	i, k := newIssuer(t), newKeyring(t)
	i.publish(public(k.rsa, "rsa"), public(k.small, "small"), public(k.p256, "p256"), public(k.p384, "p384"), public(k.p521, "p521"), public(k.ed, "ed"),
		public(k.rsa, "enc", "use", "enc"), public(k.rsa, "rs256", "alg", "RS256"), map[string]any{"kty": "oct", "kid": "oct", "k": b64([]byte("secret"))},
		public(k.p256, "off", "y", b64(make([]byte, 32))), map[string]any{"kty": "RSA", "kid": "empty"})
	a := i.auth(t)
	f := func(m jwt.SigningMethod, key any, kid string, want auth.Reason) {
		t.Helper()
		id, err := a.Identify(request("Bearer " + sign(t, m, key, kid, i.claims())))
		if got := reason(t, err); got != want || want == "" && id.Name != "jwt:"+i.URL+"#me" {
			t.Errorf("%s with %s: %+v, %v, want %q", m.Alg(), kid, id, err, want)
		}
	}
	for _, m := range []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512, jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512} {
		f(m, k.rsa, "rsa", "")
	}
	f(jwt.SigningMethodES256, k.p256, "p256", "")
	f(jwt.SigningMethodES384, k.p384, "p384", "")
	f(jwt.SigningMethodEdDSA, k.ed, "ed", "")
	f(jwt.SigningMethodRS256, k.rsa, "rs256", "")
	f(jwt.SigningMethodRS256, k.rsa, "", "")
	f(jwt.SigningMethodES384, k.p384, "", "")

	f(jwt.SigningMethodES512, k.p521, "p521", auth.Unknown)
	f(jwt.SigningMethodHS256, []byte("secret"), "oct", auth.Unknown)
	f(jwt.SigningMethodRS256, k.small, "small", auth.Unknown)
	f(jwt.SigningMethodRS256, k.rsa, "enc", auth.Unknown)
	f(jwt.SigningMethodRS512, k.rsa, "rs256", auth.Unknown) // the key is for RS256 only
	f(jwt.SigningMethodPS256, k.rsa, "rs256", auth.Unknown)
	f(jwt.SigningMethodES256, k.p256, "p384", auth.Unknown)
	f(jwt.SigningMethodES256, k.p256, "ed", auth.Unknown)
	f(jwt.SigningMethodEdDSA, k.ed, "rsa", auth.Unknown)
	f(jwt.SigningMethodES256, k.p256, "off", auth.Unknown)
}

func TestKeysAreKept(t *testing.T) {
	i, k := newIssuer(t), newKeyring(t)
	i.publish(public(k.rsa, "one"))
	a := i.auth(t)
	f := func(kid string, want auth.Reason, asked int32) {
		t.Helper()
		_, err := a.Identify(request("Bearer " + sign(t, jwt.SigningMethodRS256, k.rsa, kid, i.claims())))
		if got := reason(t, err); got != want || i.asked.Load() != asked {
			t.Errorf("%s: %v, asked %d times; want %q, %d", kid, err, i.asked.Load(), want, asked)
		}
	}
	later := func(d time.Duration) { i.now.Add(int64(d / time.Second)) }
	i.broken.Store(true)
	f("one", auth.Unavailable, 1)
	f("one", auth.Unavailable, 1) // not again at once
	i.broken.Store(false)
	later(10 * time.Second)
	f("one", "", 2)
	f("one", "", 2)
	f("two", auth.Unknown, 3) // a key that is not known: looked up, once a minute
	f("three", auth.Unknown, 3)
	i.publish(public(k.rsa, "two"))
	later(59 * time.Second)
	f("two", auth.Unknown, 3)
	later(time.Second)
	f("two", "", 4)
	f("one", auth.Unknown, 4) // it was taken out
	later(time.Hour)
	f("two", "", 5) // old: looked up again
	i.broken.Store(true)
	later(time.Hour)
	f("two", "", 6) // can't be: what is known will do
	f("two", "", 6)
	later(22 * time.Hour)
	f("two", "", 7)
	later(time.Hour)
	f("two", auth.Unavailable, 8) // but not for ever
	i.broken.Store(false)
	later(10 * time.Second)
	f("two", "", 9)
}

// Many who come at once have the keys fetched once.
func TestKeysAreFetchedOnce(t *testing.T) {
	i, k := newIssuer(t), newKeyring(t)
	i.publish(public(k.rsa, "one"))
	a, token := i.auth(t), sign(t, jwt.SigningMethodRS256, k.rsa, "one", i.claims())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := a.Identify(request("Bearer " + token)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestIssuersThatAreNotTrusted(t *testing.T) {
	k := newKeyring(t)
	keys, err := json.Marshal(map[string]any{"keys": []any{public(k.rsa, "one")}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, configuration func(self string) string, keysHandler http.HandlerFunc, ok bool) {
		t.Helper()
		mux := http.NewServeMux()
		s := httptest.NewServer(mux)
		defer s.Close()
		mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, configuration(s.URL)) })
		mux.HandleFunc("/keys", keysHandler)
		mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { w.Write(keys) })
		i := &issuer{Server: s}
		i.now.Store(1_800_000_000)
		_, err := i.auth(t).Identify(request("Bearer " + sign(t, jwt.SigningMethodRS256, k.rsa, "one", i.claims())))
		if got := reason(t, err); (got == "") != ok || !ok && got != auth.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	right := func(self string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, self, self+"/keys") }
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
	}
	f("a right one", right, text(string(keys)), true)
	f("one that says that it is another", func(self string) string { return fmt.Sprintf(`{"issuer":"https://other","jwks_uri":%q}`, self+"/good") }, nil404, false)
	f("keys in the clear", func(self string) string {
		return fmt.Sprintf(`{"issuer":%q,"jwks_uri":"http://keys.example/keys"}`, self)
	}, nil404, false)
	f("keys of a file", func(self string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":"file:///etc/passwd"}`, self) }, nil404, false)
	f("no JSON", func(string) string { return "<html>" }, nil404, false)
	f("no keys", right, nil404, false)
	f("an empty set", right, text(`{"keys":[]}`), false)
	f("too many keys", right, text(`{"keys":[`+strings.Repeat(`{},`, 200)+`{}]}`), false)
	f("too large", right, text(`{"keys":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`), false)
	f("a redirect to where it is safe", right, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) }, true)
	f("a redirect into the clear", right, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://keys.example/", http.StatusFound)
	}, false)
	f("a redirect without end", right, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }, false)
}

func nil404(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

func TestIssuerOptions(t *testing.T) {
	for _, i := range []auth.Issuer{
		{Issuer: "https://a.example"}, {Audience: []string{"x"}},
		{Issuer: "http://a.example", Audience: []string{"x"}}, {Issuer: "https://a.example?x", Audience: []string{"x"}}, {Issuer: "https://u:p@a.example", Audience: []string{"x"}},
		{Issuer: "https://a.example", KeysURL: "http://a.example/keys", Audience: []string{"x"}},
		{Issuer: "https://a.example", CAFile: "none.pem", Audience: []string{"x"}}, {Issuer: "https://a.example", CAFile: "jwt_test.go", Audience: []string{"x"}},
	} {
		if _, err := auth.New(auth.Options{Issuers: []auth.Issuer{i}}); err == nil {
			t.Errorf("%+v was taken", i)
		}
	}
}

// FuzzJWT lets in nothing that another implementation would not.
func FuzzJWT(f *testing.F) {
	i := newIssuer(f)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	i.publish(public(ed, "ed"))
	a := i.auth(f)
	good := sign(f, jwt.SigningMethodEdDSA, ed, "ed", i.claims())
	parts := strings.Split(good, ".")
	for _, s := range []string{good, good[:len(good)-1], "..", "a.b.c", parts[0] + ".." + parts[2], b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		b64([]byte(`{"alg":"EdDSA","kid":7}`)) + "." + parts[1] + "." + parts[2], b64([]byte(`{"ALG":"EdDSA"}`)) + "." + parts[1] + "." + parts[2],
		parts[0] + "." + b64([]byte(`{"exp":1e999,"iss":"`+i.URL+`"}`)) + "." + parts[2], parts[0] + "." + b64([]byte(`[]`)) + "." + parts[2], good + "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := a.Identify(request("Bearer " + s))
		if reason(t, err) != "" {
			return
		}
		_, err = jwt.Parse(strings.TrimSpace(s), func(*jwt.Token) (any, error) { return ed.Public(), nil },
			jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(i.URL), jwt.WithAudience("here"), jwt.WithTimeFunc(func() time.Time { return time.Unix(i.now.Load(), 0) }))
		if err != nil {
			t.Fatalf("%q was let in, but %v", s, err)
		}
	})
}

// An issuer of https leads to no program on this machine, neither by its
// configuration nor by a redirect: whoever runs that could sign tokens.
func TestIssuerStaysSecure(t *testing.T) {
	var asked atomic.Int32
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1) }))
	defer local.Close()
	for _, redirects := range []bool{false, true} {
		var said atomic.Int32
		var self string
		mux := http.NewServeMux()
		mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			said.Add(1)
			keys := local.URL
			if redirects {
				keys = self + "/keys"
			}
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, self, keys)
		})
		mux.Handle("/keys", http.RedirectHandler(local.URL, http.StatusFound))
		server := httptest.NewTLSServer(mux)
		defer server.Close()
		self = server.URL
		ca := filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(ca, block, 0o600); err != nil {
			t.Fatal(err)
		}
		a := newAuth(t, auth.Options{
			Issuers: []auth.Issuer{{Issuer: self, Audience: []string{"here"}, CAFile: ca, Rule: auth.Rule{Claims: map[string][]string{"sub": {"*"}}}}},
			Logger:  slog.New(slog.DiscardHandler),
		})
		claims := jwt.MapClaims{"iss": self, "aud": "here", "sub": "me", "exp": time.Now().Unix() + 300}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err = a.Identify(r)
		var e *auth.Error
		if !errors.As(err, &e) || e.Reason != auth.Unavailable || said.Load() == 0 || asked.Load() != 0 {
			t.Errorf("redirects %v: %v; the issuer was asked %d times, the other %d", redirects, err, said.Load(), asked.Load())
		}
	}
}
