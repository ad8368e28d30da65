package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

// makeToken runs narthex token and returns the token and its element of tokens.
func makeToken(t testing.TB, args ...string) (token, element string) {
	t.Helper()
	out, code := command(t, "", append([]string{"token"}, args...)...)
	token, rest, _ := strings.Cut(out, "\n")
	_, element, ok := strings.Cut(rest, "  tokens:\n")
	if code != 0 || !ok || !strings.HasPrefix(token, "nxt_") {
		t.Fatalf("narthex token %q: exit %d, %q", args, code, out)
	}
	return token, element
}

// guarded is a narthex with all ways to identify oneself.
type guarded struct {
	*server
	*provider
	web    string // the web configuration file
	tokens map[string]string
}

const alicePassword, bobPassword = "correct horse", "battery staple"

func webUsers(t testing.TB, users ...string) string {
	t.Helper()
	out := "basic_auth_users:\n"
	for i := 0; i < len(users); i += 2 {
		h, err := bcrypt.GenerateFromPassword([]byte(users[i+1]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("  %s: %s\n", users[i], h)
	}
	return out
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newGuarded(t *testing.T) *guarded {
	g := &guarded{provider: newProvider(t), web: filepath.Join(t.TempDir(), "web.yml"), tokens: make(map[string]string)}
	writeFile(t, g.web, webUsers(t, "alice", alicePassword, "bob", bobPassword)+"http_server_config: {headers: {X-Frame-Options: deny}}\n")
	config := "scrape_interval: 1s\nweb_config_file: " + g.web + "\nauth:\n  users: {bob: {scopes: [query]}}\n  tokens:\n"
	for name, flags := range map[string][]string{
		"ci": {}, "grafana": {"--scope", "query"}, "prober": {"--scope", "probe"}, "root": {"--scope", "admin"}, "all": {"--scope", "push,query,probe,admin", "--expires", "90d"},
		"shop": {"--label", "service=shop"}, "crm": {"--label", "service=crm"},
	} {
		token, element := makeToken(t, append(flags, "--name", name)...)
		g.tokens[name] = token
		config += element
	}
	token, element := makeToken(t, "--name", "old")
	g.tokens["old"] = token
	config += element + "      expires: 2026-01-01\n"
	config += fmt.Sprintf(`
  oidc:
    - {issuer: %[1]q, audience: https://narthex.example, claims: {repository: "octo/*", ref: [refs/heads/main, "refs/tags/*"]}, name_claim: repository, labels: {service: repository}}
    - {issuer: %[1]q, audience: [%[2]q], claims: {sub: "12*", email: "*@example.com"}, scopes: [query]}
`, g.Issuer(), g.ClientID)
	g.server = newServer(t, config)
	return g
}

// ask makes a request and returns the answer with its body. header is names and
// values; a name may be there twice.
func (g *guarded) ask(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	resp, text := fetch(t, method, g.url()+path, []byte(body), header...)
	return resp, string(text)
}

const oneIncrement = `{"counters":[{"name":"auth_total","add":1}]}`

func bearerOf(token string) []string { return []string{"Authorization", "Bearer " + token} }

func basicOf(user, password string) []string {
	r := &http.Request{Header: make(http.Header)}
	r.SetBasicAuth(user, password)
	return []string{"Authorization", r.Header.Get("Authorization")}
}

// credential is a case of who is let in at a door.
type credential struct {
	name   string
	header []string
	code   int
	says   string
}

// credentials are the cases of the push door.
func (g *guarded) credentials(t *testing.T) []credential {
	ci := g.tokens["ci"]
	other, _ := makeToken(t)
	typo := []byte(ci)
	if typo[20]++; typo[20] == 'z'+1 || typo[20] == 'Z'+1 || typo[20] == '9'+1 {
		typo[20] = '0'
	}
	return append(g.jwtCases(t), []credential{
		{"nothing", nil, 401, "needs authentication"},
		{"an empty header", []string{"Authorization", ""}, 401, ""},
		{"no token", []string{"Authorization", "Bearer"}, 401, "empty"},
		{"blanks for a token", []string{"Authorization", "Bearer   "}, 401, "empty"},
		{"another scheme", []string{"Authorization", "Digest " + ci}, 401, "neither Bearer nor Basic"},
		{"no scheme", []string{"Authorization", ci}, 401, "neither"},
		{"a token in another header", []string{"X-Api-Key", ci}, 401, "needs authentication"},
		{"a token", bearerOf(ci), 200, ""},
		{"a token that will expire", bearerOf(g.tokens["all"]), 200, ""},
		{"the scheme in lower case", []string{"Authorization", "bearer " + ci}, 200, ""},
		{"two headers", append(bearerOf(ci), bearerOf(ci)...), 401, "more than one"},
		{"a token that has expired", bearerOf(g.tokens["old"]), 401, "expired"},
		{"a token that was cut off", bearerOf(ci[:len(ci)-1]), 401, "cut off"},
		{"a token with something added", bearerOf(ci + "x"), 401, "something added"},
		{"a token that is mistyped", bearerOf(string(typo)), 401, "mistyped"},
		{"a token of another server", bearerOf(other), 401, "not known"},
		{"a token in upper case", bearerOf(strings.ToUpper(ci)), 401, "nxt_"},
		{"a word for a token", bearerOf("secret"), 401, "nxt_"},
		{"a very long token", bearerOf(strings.Repeat("x", 20000)), 401, "limit"},
		{"a token as the password", basicOf("pushgateway", ci), 200, ""},
		{"a token as the password of nobody", basicOf("", ci), 200, ""},
		{"an expired token as the password", basicOf("x", g.tokens["old"]), 401, "expired"},
		{"a token as the user", basicOf(ci, ""), 401, "wrong"},
		{"a user", basicOf("alice", alicePassword), 200, ""},
		{"the user again, from memory", basicOf("alice", alicePassword), 200, ""},
		{"a wrong password", basicOf("alice", alicePassword+"!"), 401, "wrong"},
		{"another's password", basicOf("alice", bobPassword), 401, "wrong"},
		{"an empty password", basicOf("alice", ""), 401, "wrong"},
		{"an unknown user", basicOf("mallory", alicePassword), 401, "wrong"},
		{"a user in another case", basicOf("Alice", alicePassword), 401, "wrong"},
		{"a password beyond what bcrypt sees", basicOf("alice", strings.Repeat("x", 73)), 401, "wrong"},
		{"a user who may only read", basicOf("bob", bobPassword), 403, "scope push"},
		{"no base64", []string{"Authorization", "Basic ???"}, 401, "base64"},
		{"base64 without a colon", []string{"Authorization", "Basic YWxpY2U="}, 401, "base64"},
	}...)
}

// jwtCases are those of JSON Web Tokens.
func (g *guarded) jwtCases(t *testing.T) []credential {
	p, now := g.provider, time.Now()
	kid, err := p.Keypair.KeyID()
	if err != nil {
		t.Fatal(err)
	}
	good, mine, theirs := p.token(t), newKey(t), p.Keypair.PrivateKey
	parts := strings.Split(good, ".")
	forged := strings.Split(p.token(t, "repository", "octo/crm"), ".")
	jwks, err := p.Keypair.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	none := func(alg string) string {
		text := signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, p.claims(), "alg", alg, "kid", kid)
		return text
	}
	rs := jwt.SigningMethodRS256
	return []credential{
		{"a JWT", bearerOf(good), 200, ""},
		{"a JWT without kid", bearerOf(signed(t, rs, theirs, p.claims())), 200, ""},
		{"a JWT with PS256", bearerOf(signed(t, jwt.SigningMethodPS256, theirs, p.claims(), "kid", kid)), 401, "wrong"}, // the key is said to be for RS256
		{"expired lately, within the leeway", bearerOf(p.token(t, "exp", now.Add(-30*time.Second).Unix())), 200, ""},
		{"expired", bearerOf(p.token(t, "exp", now.Add(-2*time.Minute).Unix())), 401, "expired"},
		{"without an end", bearerOf(p.token(t, "exp", nil)), 401, "exp"},
		{"with text for an end", bearerOf(p.token(t, "exp", "never")), 401, "exp"},
		{"before its time", bearerOf(p.token(t, "nbf", now.Add(time.Hour).Unix())), 401, "begins"},
		{"issued in the future", bearerOf(p.token(t, "iat", now.Add(time.Hour).Unix())), 401, "begins"},
		{"for another audience", bearerOf(p.token(t, "aud", "https://other.example")), 401, "audience"},
		{"for no audience", bearerOf(p.token(t, "aud", nil)), 401, "audience"},
		{"for two audiences", bearerOf(p.token(t, "aud", []string{"x", "https://narthex.example"})), 200, ""},
		{"of another issuer", bearerOf(p.token(t, "iss", "https://token.actions.githubusercontent.com")), 401, "issuer"},
		{"of no issuer", bearerOf(p.token(t, "iss", nil)), 401, "issuer"},
		{"of the issuer with a slash", bearerOf(p.token(t, "iss", p.Issuer()+"/")), 401, "issuer"},
		{"alg none", bearerOf(none("none")), 401, ""},
		{"alg None", bearerOf(none("None")), 401, ""},
		{"alg none with a signature", bearerOf(none("none") + parts[2]), 401, "algorithm"},
		{"HS256 with the public key set", bearerOf(signed(t, jwt.SigningMethodHS256, jwks, p.claims(), "kid", kid)), 401, "algorithm"},
		{"HS256 with the modulus", bearerOf(signed(t, jwt.SigningMethodHS256, theirs.N.Bytes(), p.claims(), "kid", kid)), 401, "algorithm"},
		{"another key under the kid", bearerOf(signed(t, rs, mine, p.claims(), "kid", kid)), 401, "signature"},
		{"another key without kid", bearerOf(signed(t, rs, mine, p.claims())), 401, "signature"},
		{"an unknown kid", bearerOf(signed(t, rs, mine, p.claims(), "kid", "mine")), 401, "none of its issuer's"},
		{"a key in the header", bearerOf(signed(t, rs, mine, p.claims(), "kid", kid, "jwk", map[string]string{"kty": "RSA", "n": "AQAB", "e": "AQAB"})), 401, "signature"},
		{"a key address in the header", bearerOf(signed(t, rs, mine, p.claims(), "jku", "http://127.0.0.1:1/keys")), 401, "signature"},
		{"crit", bearerOf(signed(t, rs, theirs, p.claims(), "kid", kid, "crit", []string{"exp"})), 401, "crit"},
		{"the claims of another token", bearerOf(parts[0] + "." + forged[1] + "." + parts[2]), 401, "signature"},
		{"the header of another algorithm", bearerOf(strings.Split(signed(t, jwt.SigningMethodRS512, theirs, p.claims(), "kid", kid), ".")[0] + "." + parts[1] + "." + parts[2]), 401, "signature"},
		{"a signature cut off", bearerOf(good[:len(good)-8]), 401, ""},
		{"no signature", bearerOf(parts[0] + "." + parts[1] + "."), 401, "signature"},
		{"no claims", bearerOf(parts[0] + ".." + parts[2]), 401, "claims"},
		{"three dots", bearerOf(good + ".x"), 401, ""},
		{"a claim that no rule takes", bearerOf(p.token(t, "repository", "evil/shop")), 403, `evil/shop`},
		{"a claim that looks like one that is taken", bearerOf(p.token(t, "repository", "notocto/octo/shop")), 403, "repository"},
		{"a claim not in the list", bearerOf(p.token(t, "ref", "refs/heads/evil")), 403, "ref"},
		{"a claim of the list", bearerOf(p.token(t, "ref", "refs/tags/v1")), 200, ""},
		{"a claim missing", bearerOf(p.token(t, "ref", nil)), 403, "missing"},
		{"a claim of another type", bearerOf(p.token(t, "repository", map[string]string{"octo/": "x"})), 403, "repository"},
		{"a token of a login, which may only read", bearerOf(p.login(t)), 403, "scope push"},
	}
}

// TestAuthentication asks one running program as many senders.
func TestAuthentication(t *testing.T) {
	g := newGuarded(t)

	// The first rotation is seen at once. Then there is no second look within
	// the minute, whatever keys are invented.
	before := g.token(t)
	if resp, text := g.ask(t, http.MethodPost, "/api/v1/push", oneIncrement, bearerOf(before)...); resp.StatusCode != 200 {
		t.Fatalf("before the rotation: %s %s", resp.Status, text)
	}
	g.rotate(t)
	if resp, text := g.ask(t, http.MethodPost, "/api/v1/push", oneIncrement, bearerOf(g.token(t))...); resp.StatusCode != 200 {
		t.Errorf("after the rotation: %s %s", resp.Status, text)
	}
	if resp, text := g.ask(t, http.MethodPost, "/api/v1/push", oneIncrement, bearerOf(before)...); resp.StatusCode != 401 {
		t.Errorf("the key of before: %s %s", resp.Status, text)
	}

	cases := g.credentials(t)
	counted := 2
	for _, c := range cases {
		resp, text := g.ask(t, http.MethodPost, "/api/v1/push", oneIncrement, c.header...)
		if resp.StatusCode != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s %q; want %d and %q", c.name, resp.Status, text, c.code, c.says)
		}
		if c.code == 200 {
			counted++
			continue
		}
		var answer struct{ Status, ErrorType, Error string }
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Status != "error" || answer.Error == "" {
			t.Errorf("%s: the answer %q: %v", c.name, text, err)
		}
		challenges := strings.Join(resp.Header.Values("WWW-Authenticate"), "; ")
		if has := strings.Contains(challenges, "Bearer realm") && strings.Contains(challenges, "Basic realm"); has != (c.code == 401) {
			t.Errorf("%s: WWW-Authenticate %q", c.name, challenges)
		}
		if resp.Header.Get("X-Frame-Options") != "deny" {
			t.Errorf("%s: the header of the web configuration is not there", c.name)
		}
	}
	if n := g.fetches(); n != 2 {
		t.Errorf("the keys were fetched %d times, want 2", n)
	}
	eventually(t, "those who were let in are counted, no others", func() bool {
		r := query(t, g.as("grafana"), "sum(auth_total)", time.Time{})
		return len(r) == 1 && r[0].Value.v == fmt.Sprint(counted)
	})
	t.Logf("%d cases", len(cases)+3)
	g.stop()
	for name, secret := range g.tokens {
		if strings.Contains(g.Log.String(), secret[4:20]) {
			t.Errorf("the log has the token %s", name)
		}
	}
	for _, secret := range []string{alicePassword, bobPassword, before[:40], before[len(before)-40:]} {
		if strings.Contains(g.Log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// as returns the URL for those who only know basic authentication.
func (g *guarded) as(token string) string { return "http://x:" + g.tokens[token] + "@" + g.Address }

// TestScopes asks at each door as each scope.
func TestScopes(t *testing.T) {
	g := newGuarded(t)
	const exposition = "auth_gauge 1\n"
	doors := []struct {
		method, path, body string
		open               string // the tokens that are let in
		code               int    // for them; 0 is whatever the door says
	}{
		{"POST", "/api/v1/push", oneIncrement, "ci", 200},
		{"PUT", "/metrics/job/a", exposition, "ci", 200},
		{"POST", "/metrics/job@base64/YQ", exposition, "ci", 200},
		{"DELETE", "/metrics/job/a", "", "ci", 202},
		{"POST", "/aggregate/metrics/job/a", exposition, "ci", 200},
		{"POST", "/v1/metrics", "", "ci", 0},
		{"POST", "/api/v1/write", "", "ci", 0},
		{"POST", "/api/v1/emf", "", "ci", 0},
		{"GET", "/api/v1/receipts", "", "ci grafana", 200},
		{"GET", "/api/v1/receipts/none", "", "ci grafana", 404},
		{"DELETE", "/api/v1/receipts", "", "root", 0},
		{"GET", "/api/v1/query?query=1", "", "grafana", 200},
		{"POST", "/api/v1/query?query=1", "", "grafana", 200},
		{"GET", "/api/v1/query_range?query=1&start=0&end=1&step=1", "", "grafana", 200},
		{"GET", "/api/v1/labels", "", "grafana", 200},
		{"GET", "/api/v1/label/job/values", "", "grafana", 200},
		{"GET", "/api/v1/metadata", "", "grafana", 200},
		{"GET", "/api/v1/status/tsdb", "", "grafana", 200},
		{"GET", "/api/v1/metrics", "", "grafana", 200},
		{"GET", "/api/v1/status", "", "grafana", 200},
		{"GET", "/metrics", "", "grafana", 200},
		{"GET", "/", "", "grafana", 200},
		{"HEAD", "/", "", "grafana", 200},
		{"GET", "/assets/none.js", "", "grafana", 404},
		{"GET", "/probe?target=x&module=none", "", "prober", 400},
		{"GET", "/api/v1/probe/x", "", "prober", 0},
		{"POST", "/-/reload", "", "root", 0},
		{"DELETE", "/api/v1/series", "", "root", 0},
		{"PUT", "/api/v1/admin/wipe", "", "root", 0},
		{"GET", "/unknown", "", "root", 0},
		{"POST", "/", "", "root", 0},
		{"POST", "/metrics", "", "root", 0},
		{"POST", "/-/healthy", "", "root", 0},
		{"GET", "/-/healthy", "", "nobody ci grafana prober root", 200},
		{"GET", "/-/ready", "", "nobody ci grafana prober root", 200},
		// Paths that mean another door than they look like.
		{"GET", "/api%2Fv1%2Fquery", "", "grafana", 404},
		{"PUT", "/metrics/job/a%2F..%2F..", exposition, "ci", 200},
		{"GET", "/metrics/job/../../api/v1/query?query=1", "", "ci", 307}, // to a path that is checked again
		{"GET", "/-/healthy/../../api/v1/query?query=1", "", "root", 307},
		{"GET", "//api/v1/query?query=1", "", "root", 307},
	}
	n := 0
	for _, d := range doors {
		for _, who := range []string{"nobody", "ci", "grafana", "prober", "root"} {
			header := []string{"X-Nobody", "1"}
			if who != "nobody" {
				header = bearerOf(g.tokens[who])
			}
			n++
			resp, text := g.ask(t, d.method, d.path, d.body, header...)
			want := []int{d.code}
			switch open := slices.Contains(strings.Fields(d.open), who); {
			case open && d.code == 0:
				want = nil
				if resp.StatusCode == 401 || resp.StatusCode == 403 {
					want = []int{-1}
				}
			case !open && who == "nobody":
				want = []int{401}
			case !open:
				want = []int{403}
			}
			if want != nil && !slices.Contains(want, resp.StatusCode) {
				t.Errorf("%s %s as %s: %s %.200s; want %v", d.method, d.path, who, resp.Status, text, want)
			}
		}
	}
	t.Logf("%d cases", n)
	if resp, _ := g.ask(t, "GET", "/api/v1/query?query=1", "", bearerOf(g.login(t))...); resp.StatusCode != 200 {
		t.Errorf("a token of a login: %s", resp.Status)
	}
	if resp, _ := g.ask(t, "GET", "/", "", basicOf("bob", bobPassword)...); resp.StatusCode != 200 {
		t.Errorf("the page for a user: %s", resp.Status)
	}
}

// Labels that the identity forces are there whatever a sender calls itself.
func TestForgedLabels(t *testing.T) {
	g := newGuarded(t)
	shop, crm, job := bearerOf(g.tokens["shop"]), bearerOf(g.tokens["crm"]), bearerOf(g.token(t))
	cases := []struct {
		what, method, path, body string
		who                      []string
		selector, want           string
	}{
		{"a label", "POST", "/api/v1/push", `{"counters":[{"name":"f_label_total","labels":{"service":"crm"},"add":1}]}`, shop, "f_label_total", "shop"},
		{"the service", "POST", "/api/v1/push", `{"service":"crm","counters":[{"name":"f_service_total","add":1}]}`, shop, "f_service_total", "shop"},
		{"a gauge's", "POST", "/api/v1/push", `{"service":"crm","gauges":[{"name":"f_gauge","set":1}]}`, shop, "f_gauge", "shop"},
		{"a histogram's", "POST", "/api/v1/push", `{"service":"crm","histograms":[{"name":"f_seconds","observe":[1]}]}`, shop, "f_seconds_count", "shop"},
		{"a sample's", "POST", "/api/v1/push", `{"series":{"labels":{"__name__":"f_sample","service":"crm"},"samples":[{"value":1}]}}`, shop, "f_sample", "shop"},
		{"none", "POST", "/api/v1/push", `{"counters":[{"name":"f_none_total","add":1}]}`, shop, "f_none_total", "shop"},
		{"an empty one", "POST", "/api/v1/push", `{"counters":[{"name":"f_empty_total","labels":{"service":""},"add":1}]}`, shop, "f_empty_total", "shop"},
		{"a path's", "PUT", "/metrics/job/j/service/crm", "f_path 1\n", shop, "f_path", "shop"},
		{"a path's in base64", "PUT", "/metrics/job/j2/service@base64/Y3Jt", "f_base64 1\n", shop, "f_base64", "shop"},
		{"an exposition's", "PUT", "/metrics/job/j3", "f_body{service=\"crm\"} 1\n", shop, "f_body", "shop"},
		{"an aggregate path's", "POST", "/aggregate/metrics/job/j/service/crm", "# TYPE f_apath_total counter\nf_apath_total 1\n", shop, "f_apath_total", "shop"},
		{"an aggregate body's", "POST", "/aggregate/metrics/job/j", "# TYPE f_abody_total counter\nf_abody_total{service=\"crm\"} 1\n", shop, "f_abody_total", "shop"},
		{"a job's", "POST", "/api/v1/push", `{"service":"crm","counters":[{"name":"f_jwt_total","add":1}]}`, job, "f_jwt_total", "octo/shop"},
		{"a job's group", "PUT", "/metrics/job/j/service/crm", "f_jwt 1\n", job, "f_jwt", "octo/shop"},
	}
	for _, c := range cases {
		if resp, text := g.ask(t, c.method, c.path, c.body, c.who...); resp.StatusCode != 200 {
			t.Fatalf("%s: %s %s", c.what, resp.Status, text)
		}
	}
	for _, c := range cases {
		var got []string
		eventually(t, c.what+" is there", func() bool {
			got = nil
			for _, r := range query(t, g.as("grafana"), c.selector, time.Time{}) {
				got = append(got, r.Metric["service"])
			}
			return len(got) > 0
		})
		if !cmp.Equal(got, []string{c.want}) {
			t.Errorf("%s: the services are %q, want %q", c.what, got, c.want)
		}
	}

	// Nobody reaches a group of others.
	if resp, _ := g.ask(t, "DELETE", "/metrics/job/j/service/shop", "", crm...); resp.StatusCode != 202 {
		t.Errorf("the deletion: %s", resp.Status)
	}
	if resp, _ := g.ask(t, "PUT", "/metrics/job/j3/service/shop", "f_body 7\n", crm...); resp.StatusCode != 200 {
		t.Errorf("the replacement: %s", resp.Status)
	}
	if _, text := g.ask(t, "GET", "/api/v1/metrics", "", bearerOf(g.tokens["grafana"])...); !strings.Contains(text, `"f_path"`) {
		t.Errorf("another identity has deleted the group: %s", text)
	}
	eventually(t, "both groups are there", func() bool {
		r := query(t, g.as("grafana"), `f_body{service="shop"} == 1 or f_body{service="crm"} == 7`, time.Time{})
		return len(r) == 2
	})
	if resp, _ := g.ask(t, "DELETE", "/metrics/job/j", "", shop...); resp.StatusCode != 202 {
		t.Errorf("one's own deletion: %s", resp.Status)
	}
	if _, text := g.ask(t, "GET", "/api/v1/metrics", "", bearerOf(g.tokens["grafana"])...); strings.Contains(text, `"f_path"`) {
		t.Errorf("one's own group is still there: %s", text)
	}
}

// Ids belong to who sent them, and so do receipts.
func TestAnothersID(t *testing.T) {
	g := newGuarded(t)
	ci, shop := bearerOf(g.tokens["ci"]), bearerOf(g.tokens["shop"])
	push := func(add int, who []string, code int, status string) {
		t.Helper()
		resp, text := g.ask(t, "POST", "/api/v1/push", fmt.Sprintf(`{"id":"same","counters":[{"name":"ids_total","add":%d}]}`, add), who...)
		if resp.StatusCode != code || !strings.Contains(text, `"status":"`+status+`"`) {
			t.Errorf("%d: %s %s; want %d %s", add, resp.Status, text, code, status)
		}
	}
	push(1, ci, 200, "accepted")
	push(1, ci, 200, "duplicate")
	push(2, shop, 200, "accepted") // the same id with another body is no conflict with another's
	push(2, ci, 422, "error")
	push(4, basicOf("alice", alicePassword), 200, "accepted")
	push(1, basicOf("ci", g.tokens["ci"]), 200, "duplicate") // the same identity, shown otherwise
	push(8, bearerOf(g.token(t)), 200, "accepted")
	push(8, bearerOf(g.token(t, "run_id", 8)), 200, "duplicate") // another token of the same repository
	eventually(t, "all are counted once", func() bool {
		r := query(t, g.as("grafana"), "sum(ids_total)", time.Time{})
		return len(r) == 1 && r[0].Value.v == "15"
	})

	g.ask(t, "POST", "/api/v1/push", `{"id":"mine","counters":[{"name":"ids_total","add":0}]}`, ci...)
	for _, c := range []struct {
		who  []string
		code int
	}{{ci, 200}, {shop, 404}, {basicOf("alice", alicePassword), 404}, {bearerOf(g.tokens["prober"]), 403}, {nil, 401}} {
		if resp, text := g.ask(t, "GET", "/api/v1/receipts/mine", "", c.who...); resp.StatusCode != c.code {
			t.Errorf("the receipt: %s %s, want %d", resp.Status, text, c.code)
		}
	}
	list := func(who []string) int {
		var answer struct{ Receipts []any }
		_, text := g.ask(t, "GET", "/api/v1/receipts", "", who...)
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		return len(answer.Receipts)
	}
	if a, b, all := list(ci), list(shop), list(bearerOf(g.tokens["grafana"])); a != 2 || b != 1 || all != 5 {
		t.Errorf("receipts: %d of one's own, %d of another's, %d of all; want 2, 1, 5", a, b, all)
	}
	if out, code := command(t, "", "push", "--url", g.url(), "a_total+=1"); code != 3 || !strings.Contains(out, "authentication") {
		t.Errorf("narthex push without a token: exit %d, %q", code, out)
	}
	t.Setenv("NARTHEX_TOKEN", g.tokens["ci"])
	if out, code := command(t, "", "push", "--url", g.url(), "a_total+=1"); code != 0 {
		t.Errorf("narthex push with a token: exit %d, %q", code, out)
	}
}
