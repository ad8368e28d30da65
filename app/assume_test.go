package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"narthex/app"
	"narthex/auth"
	"narthex/config"
	"narthex/internal/aws"
)

// cloud is an STS that trades tokens, and an Amazon Managed Prometheus that wants
// signatures of what it gave out.
type cloud struct {
	t        *testing.T
	sts, amp *httptest.Server
	mu       sync.Mutex
	asked    []url.Values
	issued   map[string]aws.Credentials // by access key
	refuse   string                     // a code of STS
	signers  []string                   // access keys, of each query
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{t: t, issued: make(map[string]aws.Credentials)}
	c.sts = httptest.NewServer(http.HandlerFunc(c.assume))
	c.amp = httptest.NewServer(http.HandlerFunc(c.query))
	t.Cleanup(c.sts.Close)
	t.Cleanup(c.amp.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", c.sts.URL)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	return c
}

func (c *cloud) assume(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r.PostForm)
	if r.Method != http.MethodPost || r.Header.Get("Authorization") != "" || r.URL.RawQuery != "" || r.PostForm.Get("Action") != "AssumeRoleWithWebIdentity" || r.PostForm.Get("Version") != "2011-06-15" {
		c.t.Errorf("STS got %s %s, Authorization %q, %v", r.Method, r.URL, r.Header.Get("Authorization"), r.PostForm)
	}
	if c.refuse != "" {
		w.WriteHeader(400)
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", c.refuse)
		return
	}
	id := fmt.Sprint("ASIA", len(c.issued))
	got := aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret" + id, SessionToken: "session" + id, Expires: time.Now().Add(time.Hour)}
	c.issued[id] = got
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		id, got.SecretAccessKey, got.SessionToken, got.Expires.UTC().Format(time.RFC3339))
}

// query checks the signature by signing the request again with AWS's own signer.
func (c *cloud) query(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	given := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(given, "Credential=")
	id, _, _ := strings.Cut(rest, "/")
	c.mu.Lock()
	cred, known := c.issued[id]
	c.signers = append(c.signers, id)
	c.mu.Unlock()
	if !known {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(403)
		_, _ = io.WriteString(w, `{"message":"Missing Authentication Token"}`)
		return
	}
	again := &http.Request{Method: r.Method, Host: r.Host, Header: http.Header{}, URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: r.URL.RawQuery}}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		again.Header.Set("Content-Type", kind)
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err == nil {
		err = v4.NewSigner().SignHTTP(r.Context(), sdk.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: cred.SecretAccessKey, SessionToken: cred.SessionToken},
			again, aws.HashBody(body), "aps", "eu-central-1", at)
	}
	if want := again.Header.Get("Authorization"); err != nil || given != want {
		c.t.Errorf("the signature is %q, want %q (%v)", given, want, err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
}

// ask asks as a person, or as somebody who did not sign in if claims is nil.
func (c *cloud) ask(mux http.Handler, name string, claims map[string]any, token string, ends time.Time) (int, string) {
	r := httptest.NewRequest("GET", "/api/v1/query?query=up%7Ba%3D%22b%20c%22%7D", nil)
	ctx := auth.WithIdentity(r.Context(), auth.Identity{Name: name, Scopes: auth.Query})
	if claims != nil {
		ctx = auth.WithPerson(ctx, auth.Person{Claims: claims, Token: token, Expires: ends})
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r.WithContext(ctx))
	return w.Code, w.Body.String()
}

func (c *cloud) backends(more string) http.Handler {
	c.t.Helper()
	text := fmt.Sprintf(`
query:
  name: amp
  url: %s/workspaces/ws-1/
  sigv4:
    region: eu-central-1
    roles:
      - {claims: {groups: sre, email: "*@example.com"}, role_arn: "arn:aws:iam::123456789012:role/sre"}
      - {claims: {groups: [dev, ops]}, role_arn: "arn:aws:iam::123456789012:role/dev"}
%s`, c.amp.URL, more)
	conf, err := config.Parse("narthex.yml", []byte(text), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	all, err := app.NewBackends(conf, app.BackendOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	mux := http.NewServeMux()
	all.Mount(mux, all.Names(), http.NotFoundHandler())
	return mux
}

// A person reads with a role of their own, which the configuration and not the
// browser picks; AWS hears who it is.
func TestPeopleAssumeRoles(t *testing.T) {
	c := newCloud(t)
	mux := c.backends("")
	soon := time.Now().Add(time.Hour)
	jane := map[string]any{"groups": []any{"sre", "dev"}, "email": "jane.doe+x@example.com", "sub": "1"}
	for range 3 {
		if code, body := c.ask(mux, "jane", jane, "token of jane", soon); code != 200 {
			t.Fatalf("jane: %d %s", code, body)
		}
	}
	if code, body := c.ask(mux, "joe", map[string]any{"groups": "ops", "sub": "jöe/../x y"}, "token of joe", soon); code != 200 {
		t.Fatalf("joe: %d %s", code, body)
	}
	if len(c.asked) != 2 {
		t.Fatalf("STS was asked %d times: %v", len(c.asked), c.asked)
	}
	for i, want := range []struct{ role, name, token string }{
		{"arn:aws:iam::123456789012:role/sre", "jane.doe+x@example.com", "token of jane"},
		{"arn:aws:iam::123456789012:role/dev", "j-e-..-x-y", "token of joe"},
	} {
		got := c.asked[i]
		if got.Get("RoleArn") != want.role || got.Get("RoleSessionName") != want.name || got.Get("WebIdentityToken") != want.token || got.Get("DurationSeconds") != "3600" {
			t.Errorf("STS was asked %v", got)
		}
		var policy struct {
			Statement []struct {
				Action   []string
				Resource string
			}
		}
		if err := json.Unmarshal([]byte(got.Get("Policy")), &policy); err != nil || len(policy.Statement) != 1 || policy.Statement[0].Resource != "arn:aws:aps:eu-central-1:123456789012:workspace/ws-1" {
			t.Errorf("policy %s: %v", got.Get("Policy"), err)
		}
		for _, action := range policy.Statement[0].Action {
			if !strings.HasPrefix(action, "aps:Get") && action != "aps:QueryMetrics" {
				t.Errorf("the session may %s", action)
			}
		}
	}
	if got := strings.Join(c.signers, " "); got != "ASIA0 ASIA0 ASIA0 ASIA1" {
		t.Errorf("signed by %s", got)
	}
}

// People who share an identity, as a team may, do not share a token: each is who
// AWS hears of, and none goes on when their own sign-in has ended.
func TestPeopleOfOneIdentity(t *testing.T) {
	c := newCloud(t)
	mux := c.backends("")
	now := time.Now()
	person := func(sub string) map[string]any { return map[string]any{"groups": "ops", "sub": sub} }
	if code, body := c.ask(mux, "team", person("jane"), "token of jane", now.Add(time.Hour)); code != 200 {
		t.Fatalf("jane: %d %s", code, body)
	}
	if code, body := c.ask(mux, "team", person("joe"), "token of joe", now.Add(-time.Second)); code != 401 {
		t.Errorf("joe, whose sign-in has ended: %d %s", code, body)
	}
	if code, body := c.ask(mux, "team", person("joe"), "another of joe", now.Add(time.Minute)); code != 200 {
		t.Errorf("joe: %d %s", code, body)
	}
	if len(c.asked) != 2 || c.asked[0].Get("RoleSessionName") != "jane" || c.asked[1].Get("RoleSessionName") != "joe" {
		t.Errorf("STS was asked %v", c.asked)
	}
}

func TestWhoGetsNoRole(t *testing.T) {
	c := newCloud(t)
	mux := c.backends("")
	now := time.Now()
	sre := map[string]any{"groups": "sre", "email": "a@example.com"}
	for name, x := range map[string]struct {
		claims map[string]any
		ends   time.Time
		refuse string
		code   int
		text   string
	}{
		"no role":            {map[string]any{"groups": "sales"}, now.Add(time.Hour), "", 403, "no role"},
		"half of the claims": {map[string]any{"groups": "sre", "email": "a@evil.example"}, now.Add(time.Hour), "", 403, "no role"},
		"a bearer token":     {nil, now, "", 403, "who signed in"},
		"an old sign-in":     {sre, now.Add(-time.Second), "", 401, "sign in again"},
		"AWS: expired":       {sre, now.Add(time.Hour), "ExpiredTokenException", 401, "sign in again"},
		"AWS: denied":        {sre, now.Add(time.Hour), "AccessDenied", 403, "aws-setup"},
		"AWS: wrong token":   {sre, now.Add(time.Hour), "InvalidIdentityToken", 403, "aws-setup"},
		"AWS: something":     {sre, now.Add(time.Hour), "ValidationError", 502, "gives no credentials"},
	} {
		c.refuse = x.refuse
		code, body := c.ask(mux, name, x.claims, "secret-token", x.ends)
		if code != x.code || !strings.Contains(body, x.text) || strings.Contains(body, "secret-token") {
			t.Errorf("%s: %d %s, want %d with %q", name, code, body, x.code, x.text)
		}
	}
	if len(c.signers) != 0 {
		t.Errorf("queries were sent, signed by %q", c.signers)
	}
}

// Programs with a token may be given the server's own credentials, if that is said.
func TestOthersReadAsTheServer(t *testing.T) {
	c := newCloud(t)
	c.issued["AKIAOWN"] = aws.Credentials{AccessKeyID: "AKIAOWN", SecretAccessKey: "own"}
	mux := c.backends("    access_key: AKIAOWN\n    secret_key: own\n    others: server\n")
	if code, body := c.ask(mux, "token:grafana", nil, "", time.Time{}); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	if code, body := c.ask(mux, "jane", map[string]any{"groups": "dev", "sub": "jane"}, "token", time.Now().Add(time.Hour)); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	if got := strings.Join(c.signers, " "); got != "AKIAOWN ASIA1" {
		t.Errorf("signed by %s", got)
	}
}
