package test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

// provider is an OpenID Connect provider whose keys can be changed while it
// runs.
type provider struct {
	*mockoidc.MockOIDC
	mu    sync.Mutex // protects Keypair, and all below
	asked int        // how often for the keys
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	m, err := mockoidc.NewServer(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{MockOIDC: m}
	m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if r.URL.Path == mockoidc.JWKSEndpoint {
				p.asked++
			}
			next.ServeHTTP(w, r)
		})
	})
	if err := m.Start(listener(t), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Shutdown() })
	return p
}

// listener returns a listener on a free port of this machine.
func listener(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rotate gives the provider another key.
func (p *provider) rotate(t *testing.T) {
	k, err := mockoidc.NewKeypair(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Keypair = k
}

func (p *provider) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// claims are those of a GitHub Actions job, changed by name and value; nil takes
// one out.
func (p *provider) claims(change ...any) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{
		"iss": p.Issuer(), "aud": "https://narthex.example", "sub": "repo:octo/shop:ref:refs/heads/main",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"repository": "octo/shop", "repository_owner": "octo", "ref": "refs/heads/main", "run_id": 7,
	}
	for i := 0; i < len(change); i += 2 {
		if c[change[i].(string)] = change[i+1]; change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

// token returns a token as the provider signs it.
func (p *provider) token(t testing.TB, change ...any) string {
	t.Helper()
	text, err := p.Keypair.SignJWT(p.claims(change...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// signed returns a token that is signed otherwise, with further header fields.
func signed(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// login gets a token in the way a browser does: the authorization code flow.
func (p *provider) login(t *testing.T) string {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(p.AuthorizationEndpoint() + "?" + url.Values{
		"scope": {"openid email"}, "state": {"s"}, "response_type": {"code"}, "client_id": {p.ClientID}, "redirect_uri": {"http://127.0.0.1/back"},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	resp, err = c.PostForm(p.TokenEndpoint(), url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {p.ClientID}, "client_secret": {p.ClientSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("%s: no token: %v", resp.Status, err)
	}
	return answer.Token
}
