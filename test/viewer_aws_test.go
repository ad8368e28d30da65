package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Who signs in reads Amazon Managed Prometheus as themselves: STS is given their
// own ID token and the role that the configuration picks, and what comes back signs.
func TestPeopleReadAsThemselves(t *testing.T) {
	p := newProvider(t)
	var mu sync.Mutex
	var assumed, signed []string
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		var claims jwt.MapClaims
		_, err := jwt.ParseWithClaims(r.PostForm.Get("WebIdentityToken"), &claims, func(*jwt.Token) (any, error) { return &p.Keypair.PrivateKey.PublicKey, nil },
			jwt.WithAudience(p.ClientID), jwt.WithIssuer(p.Issuer()), jwt.WithExpirationRequired())
		if err != nil || r.PostForm.Get("Action") != "AssumeRoleWithWebIdentity" || r.Header.Get("Authorization") != "" {
			t.Errorf("STS was asked %v: %v", r.PostForm, err)
		}
		mu.Lock()
		defer mu.Unlock()
		assumed = append(assumed, fmt.Sprint(r.PostForm.Get("RoleArn"), " ", r.PostForm.Get("RoleSessionName"), " ", claims["email"]))
		fmt.Fprintf(w, `<R><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAJANE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></R>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	amp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		signed = append(signed, r.URL.Path+" "+regexp.MustCompile(`Credential=[^,]*`).FindString(r.Header.Get("Authorization"))+" "+r.Header.Get("X-Amz-Security-Token")+" "+r.Header.Get("Cookie"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	defer amp.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	external, to := behind(t, "", true)
	token, element := makeToken(t, "--name", "grafana", "--scope", "query")
	conf := signInConfig(p, external) + fmt.Sprintf(`
query:
  name: amp
  url: %s/workspaces/ws-1
  sigv4:
    region: eu-central-1
    roles:
      - {claims: {groups: sales}, role_arn: "arn:aws:iam::123456789012:role/sales"}
      - {claims: {groups: design}, role_arn: "arn:aws:iam::123456789012:role/design"}
`, amp.URL)
	s := newServer(t, "scrape_interval: 1s\n"+strings.Replace(conf, "auth:\n", "auth:\n  tokens:\n"+element, 1))
	to(s.url())
	jane := newSurfer(t, external)
	if resp, body := jane.page("/"); resp.StatusCode != 200 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	for range 2 {
		// Neither a parameter nor a header picks the role.
		if resp, body := jane.do("GET", "/api/v1/query?query=up&role_arn=arn:aws:iam::1:role/admin", "X-Role-Arn", "arn:aws:iam::1:role/admin"); resp.StatusCode != 200 {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	resp, body := newSurfer(t, external).do("GET", "/api/v1/query?query=up", "Authorization", "Bearer "+token)
	if resp.StatusCode != 403 || !strings.Contains(body, "who signed in") {
		t.Errorf("a token: %s %s", resp.Status, body)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(assumed) != 1 || assumed[0] != "arn:aws:iam::123456789012:role/design jane.doe@example.com jane.doe@example.com" {
		t.Errorf("assumed: %q", assumed)
	}
	want := "/workspaces/ws-1/api/v1/query Credential=ASIAJANE/" + time.Now().UTC().Format("20060102") + "/eu-central-1/aps/aws4_request t "
	if len(signed) != 2 || signed[0] != want || signed[1] != want {
		t.Errorf("signed: %q, want %q", signed, want)
	}
}

// What aws-setup prints are policies that say who, what and where.
func TestAWSSetup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "narthex.yml")
	const people = `
query:
  url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1
  sigv4: {roles: [{claims: {groups: sre}, role_arn: "arn:aws:iam::123456789012:role/team/sre"}, {claims: {groups: "*"}, role_arn: "arn:aws:iam::123456789012:role/view"}]}
auth: {oidc: [{issuer: "https://login.example/o", audience: narthex, claims: {sub: "*"}, scopes: [query]}]}
viewer: {external_url: "https://m.example", sign_in: {issuer: "https://login.example/o", client_id: narthex}}
`
	writeFile(t, file, people)
	out, code := command(t, "", "viewer", "aws-setup", "--config", file, "--sub", "okta|*")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	policies := regexp.MustCompile(`(?s)<<'EOF'\n(.*?)\nEOF`).FindAllStringSubmatch(out, -1)
	if len(policies) != 2 {
		t.Fatalf("%d policies: %s", len(policies), out)
	}
	for i, want := range []string{
		`{"Statement":[{"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"login.example/o:aud":"narthex"},"StringLike":{"login.example/o:sub":"okta|*"}},"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/login.example/o"}}],"Version":"2012-10-17"}`,
		`{"Statement":[{"Action":["aps:QueryMetrics","aps:GetLabels","aps:GetSeries","aps:GetMetricMetadata"],"Effect":"Allow","Resource":"arn:aws:aps:eu-central-1:123456789012:workspace/ws-1"}],"Version":"2012-10-17"}`,
	} {
		var x map[string]any
		if err := json.Unmarshal([]byte(policies[i][1]), &x); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(x); string(got) != want {
			t.Errorf("policy %d: %s\nwant %s", i, got, want)
		}
	}
	for _, want := range []string{"create-open-id-connect-provider --url 'https://login.example/o' --client-id-list 'narthex'", "--role-name 'sre' --path '/team/'", "--role-name 'view' --path '/'"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
	writeFile(t, file, "query: {url: \"https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1\", sigv4: {}}\n")
	if out, code := command(t, "", "viewer", "aws-setup", "--config", file); code != 2 || !strings.Contains(out, "--account") {
		t.Errorf("without an account: exit %d, %s", code, out)
	}
	if out, code := command(t, "", "viewer", "aws-setup", "--config", file, "--account", "123456789012"); code != 0 || !strings.Contains(out, "lambda.amazonaws.com") {
		t.Errorf("for a function: exit %d, %s", code, out)
	}
	writeFile(t, file, "query: {url: \"http://prom:9090\"}\n")
	if out, code := command(t, "", "viewer", "aws-setup", "--config", file); code != 2 || !strings.Contains(out, "no query with sigv4") {
		t.Errorf("without AWS: exit %d, %s", code, out)
	}
}
