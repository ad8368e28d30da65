package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"narthex/auth"
	"narthex/auth/signin"
)

// site is a server that people sign in to, and its provider.
type site struct {
	t        *testing.T
	provider *mockoidc.MockOIDC
	auth     *auth.Auth
	signIn   *signin.SignIn
	server   *httptest.Server
	mu       sync.Mutex
	now      time.Time
	o        signin.Options
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func key(n byte) []byte { return []byte(strings.Repeat(string('a'+n), 32)) }

// base is the path before the site's own.
const base = "/metrics"

func newSite(t *testing.T, change func(*signin.Options)) *site {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p, err := mockoidc.NewServer(k)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ln, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown() })
	s := &site{t: t, provider: p, now: time.Now()}
	s.auth = s.rules(map[string][]string{"groups": {"engineering"}})
	mux := http.NewServeMux()
	s.server = httptest.NewUnstartedServer(http.StripPrefix(base, mux))
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	s.o = signin.Options{
		Auth: s.auth, Issuer: p.Issuer(), ClientID: p.ClientID, ClientSecret: p.ClientSecret, Scopes: []string{"email", "groups"},
		ExternalURL: s.server.URL + base, Keys: [][]byte{key(0)}, Logger: slog.New(slog.DiscardHandler), Now: s.clock,
	}
	if change != nil {
		change(&s.o)
	}
	s.signIn = s.open(s.o)
	s.signIn.Mount(mux)
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		id, person, ok, err := s.signIn.Identify(r)
		fmt.Fprint(w, id.Name, " ", id.Scopes, " ", ok, " ", err != nil, " ", len(person.Token))
	})
	return s
}

func (s *site) rules(claims map[string][]string) *auth.Auth {
	s.t.Helper()
	a, err := auth.New(auth.Options{Now: s.clock, Logger: slog.New(slog.DiscardHandler), Issuers: []auth.Issuer{{
		Issuer: s.provider.Issuer(), Audience: []string{s.provider.ClientID}, Rule: auth.Rule{Claims: claims, NameClaim: "email", Scopes: auth.Query},
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *site) open(o signin.Options) *signin.SignIn {
	s.t.Helper()
	x, err := signin.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// browser is one person's. It follows no redirect by itself.
type browser struct {
	t *testing.T
	*http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s.t, &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) get(address string) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// atProvider begins to sign in and returns the address of the provider's page.
func (b *browser) atProvider(s *site, returnTo string) *url.URL {
	b.t.Helper()
	resp, body := b.get(s.o.ExternalURL + signin.Path + "?return_to=" + url.QueryEscape(returnTo))
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("%s: %s", resp.Status, body)
	}
	u, err := resp.Location()
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// back signs in at the provider and returns the address that it sends back to.
func (b *browser) back(page string) string {
	b.t.Helper()
	resp, body := b.get(page)
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("the provider: %s %s", resp.Status, body)
	}
	return resp.Header.Get("Location")
}

// signedIn is a browser that has signed in.
func (s *site) signedIn() *browser {
	s.t.Helper()
	b := s.browser()
	resp, body := b.get(b.back(b.atProvider(s, base+"/").String()))
	if resp.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("%s: %s", resp.Status, body)
	}
	return b
}

func (b *browser) who(s *site) string {
	b.t.Helper()
	_, text := b.get(s.o.ExternalURL + "/who")
	return text
}

func (b *browser) cookies(s *site) map[string]string {
	u, _ := url.Parse(s.server.URL)
	out := make(map[string]string)
	for _, c := range b.Jar.Cookies(u) {
		out[c.Name] = c.Value
	}
	return out
}

const session, pending = "__Host-narthex", "__Host-narthex-signin"

func TestSignIn(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	if got := b.who(s); got != " none false false 0" {
		t.Errorf("before: %q", got)
	}
	resp, _ := b.get(s.o.ExternalURL + signin.Path + "?return_to=" + url.QueryEscape(base+"/backends/amp/?x=1#/metric/up"))
	asked, _ := resp.Location()
	q := asked.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 ||
		q.Get("redirect_uri") != s.o.ExternalURL+signin.CallbackPath || q.Get("scope") != "openid email groups" || q.Get("state") == q.Get("nonce") {
		t.Errorf("the provider was asked %v", q)
	}
	checkCookies(t, resp, pending, 600)
	resp, _ = b.get(b.back(asked.String()))
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != base+"/backends/amp/?x=1#/metric/up" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	checkCookies(t, resp, session, 12*3600)
	if got := b.who(s); got != "jwt:"+s.provider.Issuer()+"#jane.doe@example.com query true false 0" {
		t.Errorf("after: %q", got)
	}
	if c := b.cookies(s); c[pending] != "" || strings.Contains(c[session], "jane") {
		t.Errorf("cookies: %v", c)
	}
}

// checkCookies looks at how the cookies of an answer are kept.
func checkCookies(t *testing.T, resp *http.Response, name string, age int) {
	t.Helper()
	found := false
	for _, c := range resp.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: %s", c.Name, c.Raw)
		}
		found = found || c.Name == name && c.MaxAge == age
	}
	if !found {
		t.Errorf("no cookie %s for %d s: %v", name, age, resp.Header["Set-Cookie"])
	}
}

// What is not as it was begun is refused, and nobody is let in.
func TestAnswersThatAreNotOurs(t *testing.T) {
	s := newSite(t, nil)
	change := func(address, name, value string) string {
		u, _ := url.Parse(address)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for name, c := range map[string]struct {
		code int
		text string
		do   func(b *browser) string // the address that the browser goes to last
	}{
		"no sign-in under way": {400, "no sign-in under way", func(b *browser) string { return s.browser().back(s.browser().atProvider(s, "/").String()) }},
		"another state":        {400, "another sign-in", func(b *browser) string { return change(b.back(b.atProvider(s, "/").String()), "state", "x") }},
		"no state":             {400, "another sign-in", func(b *browser) string { return change(b.back(b.atProvider(s, "/").String()), "state", "") }},
		// Login CSRF: a victim is sent to the answer of the attacker's own sign-in.
		"somebody else's answer": {400, "another sign-in", func(b *browser) string {
			b.atProvider(s, "/")
			return s.browser().back(s.browser().atProvider(s, "/").String())
		}},
		// A stolen code: it is bound to another verifier.
		"a stolen code": {502, "did not confirm", func(b *browser) string {
			theirs, _ := url.Parse(s.browser().back(s.browser().atProvider(s, "/").String()))
			return change(b.back(b.atProvider(s, "/").String()), "code", theirs.Query().Get("code"))
		}},
		"another challenge": {502, "did not confirm", func(b *browser) string {
			return b.back(change(b.atProvider(s, "/").String(), "code_challenge", strings.Repeat("A", 43)))
		}},
		// Token replay: the ID token is one of another sign-in.
		"another nonce": {403, "nonce", func(b *browser) string { return b.back(change(b.atProvider(s, "/").String(), "nonce", "x")) }},
		"no code":       {400, "no code", func(b *browser) string { return change(b.back(b.atProvider(s, "/").String()), "code", "") }},
		"another issuer (RFC 9207)": {400, "another identity provider", func(b *browser) string {
			return change(b.back(b.atProvider(s, "/").String()), "iss", "https://evil.example")
		}},
		"an error with markup": {403, "says: &lt;script&gt;alert(1)&lt;/script&gt;", func(b *browser) string {
			return change(b.back(b.atProvider(s, "/").String()), "error", "<script>alert(1)</script>")
		}},
		"too late": {400, "ten minutes", func(b *browser) string {
			back := b.back(b.atProvider(s, "/").String())
			s.pass(10 * time.Minute)
			return back
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			resp, body := b.get(c.do(b))
			if resp.StatusCode != c.code || !strings.Contains(body, c.text) || strings.Contains(body, "<script") {
				t.Errorf("%s %s, want %d with %q", resp.Status, body, c.code, c.text)
			}
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("policy %q", csp)
			}
			if got := b.who(s); !strings.HasPrefix(got, " none false") {
				t.Errorf("it is let in: %s", got)
			}
			if b.cookies(s)[pending] != "" && name != "no sign-in under way" {
				t.Error("the sign-in is still under way")
			}
		})
	}
}

// An answer is good once, also for the browser that it is for and that has kept
// its cookie.
func TestAnswerIsGoodOnce(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	page := b.atProvider(s, "/")
	kept := b.cookies(s)[pending]
	back := b.back(page.String())
	if resp, body := b.get(back); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s %s", resp.Status, body)
	}
	thief := s.browser()
	u, _ := url.Parse(s.server.URL)
	thief.Jar.SetCookies(u, []*http.Cookie{{Name: pending, Value: kept, Path: "/", Secure: true}})
	if resp, body := thief.get(back); resp.StatusCode != 400 || !strings.Contains(body, "finished already") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// Where one goes after a sign-in is always here.
func TestNoOpenRedirect(t *testing.T) {
	s := newSite(t, nil)
	for to, want := range map[string]string{
		"":                                     base + "/",
		base + "/":                             base + "/",
		base + "/?q=up#/metric/up":             base + "/?q=up#/metric/up",
		base + "/backends/amp/":                base + "/backends/amp/",
		"/other":                               base + "/",
		"https://evil.example/":                base + "/",
		"//evil.example/metrics/":              base + "/",
		"/\\evil.example":                      base + "/",
		base + "/\\evil.example":               base + "/",
		base + "//evil.example":                base + "//evil.example", // a path of ours
		base + "/../../evil":                   base + "/",
		base + "/a\r\nSet-Cookie: x":           base + "/",
		base + "/ x":                           base + "/",
		"javascript:alert(1)":                  base + "/",
		base + "/-/signout":                    base + "/",
		base + "/" + strings.Repeat("a", 2000): base + "/",
	} {
		b := s.browser()
		resp, _ := b.get(b.back(b.atProvider(s, to).String()))
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%q: %s to %q, want %q", to, resp.Status, got, want)
		}
	}
}

// A session that somebody has put into a browser does not become that of who signs
// in there.
func TestSessionsAreNotFixed(t *testing.T) {
	s := newSite(t, nil)
	attacker := s.signedIn()
	fixed := attacker.cookies(s)[session]
	u, _ := url.Parse(s.server.URL)
	victim := s.browser()
	victim.Jar.SetCookies(u, []*http.Cookie{{Name: session, Value: fixed, Path: "/", Secure: true}})
	s.provider.QueueUser(&mockoidc.MockUser{Subject: "2", Email: "bob@example.com", Groups: []string{"engineering"}})
	victim.get(victim.back(victim.atProvider(s, "/").String()))
	if got := victim.who(s); !strings.Contains(got, "bob@example.com") || victim.cookies(s)[session] == fixed {
		t.Errorf("the victim is %s", got)
	}
	if got := attacker.who(s); !strings.Contains(got, "jane.doe@example.com") {
		t.Errorf("the attacker is %s", got)
	}
}

// A cookie is what we made it to be, for what we made it, and for so long.
func TestCookies(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn()
	good := b.cookies(s)[session]
	other := s.browser()
	other.atProvider(s, "/")
	attempt := other.cookies(s)[pending]
	who := func(x *signin.SignIn, cookies ...string) bool {
		r := httptest.NewRequest("GET", "https://x/", nil)
		for i := 0; i < len(cookies); i += 2 {
			r.AddCookie(&http.Cookie{Name: cookies[i], Value: cookies[i+1]})
		}
		_, _, ok, err := x.Identify(r)
		return ok && err == nil
	}
	if !who(s.signIn, session, good) {
		t.Fatal("the good one is refused")
	}
	flipped := []byte(good)
	for i := 2; i < len(flipped); i++ {
		flipped[i] ^= 1
		if who(s.signIn, session, string(flipped)) {
			t.Fatalf("byte %d may be changed", i)
		}
		flipped[i] ^= 1
	}
	for name, cookies := range map[string][]string{
		"that of a sign-in":  {session, attempt},
		"twice":              {session, good, session, good},
		"without its prefix": {"narthex", good},
		"cut off":            {session, good[:len(good)-1]},
		"of more parts":      {session, "2." + good[2:]},
		"of nine parts":      {session, "9." + good[2:]},
		"of no parts":        {session, good[2:]},
		"empty":              {session, ""},
		"one dot":            {session, "."},
	} {
		if who(s.signIn, cookies...) {
			t.Errorf("%s: it is taken", name)
		}
	}
	with := func(change func(*signin.Options)) *signin.SignIn {
		o := s.o
		change(&o)
		return s.open(o)
	}
	for name, c := range map[string]struct {
		keys [][]byte
		want bool
	}{
		"the same key": {[][]byte{key(0)}, true}, "a new key before it": {[][]byte{key(1), key(0)}, true}, "another key": {[][]byte{key(1)}, false},
	} {
		if got := who(with(func(o *signin.Options) { o.Keys = c.keys }), session, good); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if who(with(func(o *signin.Options) { o.Auth = s.rules(map[string][]string{"groups": {"sales"}}) }), session, good) {
		t.Error("rules that take nobody of her groups any more let her in")
	}
	s.pass(12*time.Hour - time.Second)
	if !who(s.signIn, session, good) {
		t.Error("it ended too early")
	}
	s.pass(time.Second)
	if who(s.signIn, session, good) {
		t.Error("it does not end")
	}
}

// Who has signed out is out, whoever has kept the cookie.
func TestSignOut(t *testing.T) {
	s := newSite(t, nil)
	b, bystander := s.signedIn(), s.signedIn()
	kept := b.cookies(s)[session]
	resp, body := b.get(s.o.ExternalURL + signin.OutPath) // as an image on a page could
	if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(b.who(s), "jane") {
		t.Errorf("GET: %s %s", resp.Status, body)
	}
	out, err := b.Post(s.o.ExternalURL+signin.OutPath, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	out.Body.Close()
	if out.StatusCode != 200 || len(b.cookies(s)) != 0 {
		t.Errorf("%s, cookies %v", out.Status, b.cookies(s))
	}
	u, _ := url.Parse(s.server.URL)
	b.Jar.SetCookies(u, []*http.Cookie{{Name: session, Value: kept, Path: "/", Secure: true}})
	if got := b.who(s); !strings.HasPrefix(got, " none false") {
		t.Errorf("the old cookie: %s", got)
	}
	if got := bystander.who(s); !strings.Contains(got, "jane") {
		t.Errorf("another session of hers: %s", got)
	}
}

// Who has no rule is told so, and gets no session.
func TestNobodyWithoutARule(t *testing.T) {
	s := newSite(t, nil)
	s.provider.QueueUser(&mockoidc.MockUser{Subject: "3", Email: "eve@example.com", Groups: []string{"<b>sales</b>"}})
	b := s.browser()
	resp, body := b.get(b.back(b.atProvider(s, "/").String()))
	if resp.StatusCode != 403 || !strings.Contains(body, "may not come in here") || strings.Contains(body, "<b>") || b.cookies(s)[session] != "" {
		t.Errorf("%s %s %v", resp.Status, body, b.cookies(s))
	}
}

// The ID token is kept only where it is wanted, in as many cookies as it takes.
func TestKeptToken(t *testing.T) {
	s := newSite(t, func(o *signin.Options) { o.KeepToken = true })
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint("engineering-", i))
	}
	s.provider.QueueUser(&mockoidc.MockUser{Subject: "4", Email: "ann@example.com", Groups: append(many[:100:100], "engineering")})
	b := s.signedIn()
	if got := b.who(s); !strings.Contains(got, "ann@example.com query true false ") || strings.HasSuffix(got, " 0") {
		t.Errorf("%q", got)
	}
	names := slices.Sorted(maps.Keys(b.cookies(s)))
	if len(names) < 2 {
		t.Errorf("cookies %v", names)
	}
	for name, value := range b.cookies(s) {
		if len(name)+len(value) > 4000 {
			t.Errorf("%s has %d bytes", name, len(value))
		}
	}
	s.provider.QueueUser(&mockoidc.MockUser{Subject: "4", Email: "ann@example.com", Groups: append(many, "engineering", strings.Repeat("x", 9000))})
	b = s.browser()
	if resp, body := b.get(b.back(b.atProvider(s, "/").String())); resp.StatusCode != 403 || b.cookies(s)[session] != "" {
		t.Errorf("one too large: %s %s", resp.Status, body)
	}
}

func TestOptions(t *testing.T) {
	s := newSite(t, nil)
	for name, change := range map[string]func(*signin.Options){
		"no key":        func(o *signin.Options) { o.Keys = nil },
		"a short key":   func(o *signin.Options) { o.Keys = [][]byte{[]byte("short")} },
		"no issuer":     func(o *signin.Options) { o.Issuer = "" },
		"no client":     func(o *signin.Options) { o.ClientID = "" },
		"no URL":        func(o *signin.Options) { o.ExternalURL = "metrics.example" },
		"URL and query": func(o *signin.Options) { o.ExternalURL = "https://metrics.example?x" },
	} {
		o := s.o
		change(&o)
		if _, err := signin.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An ID token has to be for us, of our issuer, and of this sign-in.
func TestIDToken(t *testing.T) {
	s := newSite(t, nil)
	now := time.Now()
	for name, c := range map[string]struct {
		change map[string]any
		want   string // "" is taken
	}{
		"good":                   {nil, ""},
		"another nonce":          {map[string]any{"nonce": "y"}, "nonce"},
		"no nonce":               {map[string]any{"nonce": nil}, "nonce"},
		"a list of nonces":       {map[string]any{"nonce": []string{"x"}}, "nonce"},
		"another audience":       {map[string]any{"aud": "other"}, "not for"},
		"two audiences":          {map[string]any{"aud": []string{s.provider.ClientID, "other"}}, "another client"},
		"two audiences, ours":    {map[string]any{"aud": []string{s.provider.ClientID, "other"}, "azp": s.provider.ClientID}, ""},
		"given to another":       {map[string]any{"azp": "other"}, "another client"},
		"another issuer":         {map[string]any{"iss": "https://evil.example"}, "issuer"},
		"expired":                {map[string]any{"exp": now.Add(-time.Hour).Unix()}, "expired"},
		"of the future":          {map[string]any{"iat": now.Add(time.Hour).Unix()}, "begins"},
		"without an end":         {map[string]any{"exp": nil}, "exp"},
		"of another group":       {map[string]any{"groups": []string{"sales"}}, "no rule"},
		"without a name for her": {map[string]any{"email": nil}, "email"},
	} {
		claims := jwt.MapClaims{"iss": s.provider.Issuer(), "aud": s.provider.ClientID, "sub": "1", "email": "a@b", "groups": []string{"engineering"},
			"nonce": "x", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		for k, v := range c.change {
			if claims[k] = v; v == nil {
				delete(claims, k)
			}
		}
		token, err := s.provider.Keypair.SignJWT(claims)
		if err != nil {
			t.Fatal(err)
		}
		_, person, err := s.auth.IDToken(t.Context(), s.provider.Issuer(), s.provider.ClientID, "x", token)
		switch {
		case c.want == "" && (err != nil || person.Token != token):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := s.auth.IDToken(t.Context(), s.provider.Issuer(), s.provider.ClientID, "", "a.b.c"); err == nil {
		t.Error("an empty nonce is taken")
	}
}
