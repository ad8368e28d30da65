package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/config"
)

func TestAuth(t *testing.T) {
	const hash = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	c, err := config.Parse("x.yml", []byte(`
web_config_file: web.yml
auth:
  tokens:
    - {name: ci, hash: "`+hash+`"}
    - {name: shop, hash: "`+hash+`", scopes: [push, query], labels: {service: shop, a: b}, expires: 2027-01-31}
    - {name: crm, hash: "`+hash+`", scopes: probe, expires: 2027-01-31T12:00:00+01:00}
  users:
    alice: {scopes: query}
    bob: {labels: {service: shop}}
  oidc:
    - {issuer: "https://a.example", audience: x, claims: {repository: "org/*", ref: [a, b]}, labels: {service: repository}, name_claim: repository}
    - {issuer: "http://127.0.0.1:1", audience: [x, y], claims: {sub: "*"}, scopes: [admin], jwks_url: "https://b.example", ca_file: ca.pem}
  gateway:
    - {type: iam, claims: {arn: "arn:*"}}
    - {type: jwt, claims: {sub: x}, name_claim: client_id, scopes: [push]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"push", "query", "probe", "admin"}
	push := []string{"push"}
	want := config.Auth{
		Tokens: []config.Token{
			{Name: "ci", Hash: hash, Scopes: push},
			{Name: "shop", Hash: hash, Scopes: []string{"push", "query"}, Labels: narthex.Labels{{Name: "a", Value: "b"}, {Name: "service", Value: "shop"}}, Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
			{Name: "crm", Hash: hash, Scopes: []string{"probe"}, Expires: time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC)},
		},
		Users: []config.User{{Name: "alice", Scopes: []string{"query"}}, {Name: "bob", Scopes: all, Labels: narthex.Labels{{Name: "service", Value: "shop"}}}},
		OIDC: []config.OIDC{
			{Issuer: "https://a.example", Audience: []string{"x"}, ClaimRule: config.ClaimRule{
				Claims: map[string][]string{"repository": {"org/*"}, "ref": {"a", "b"}}, NameClaim: "repository", Labels: map[string]string{"service": "repository"}, Scopes: push,
			}},
			{Issuer: "http://127.0.0.1:1", Audience: []string{"x", "y"}, KeysURL: "https://b.example", CAFile: "ca.pem", ClaimRule: config.ClaimRule{
				Claims: map[string][]string{"sub": {"*"}}, NameClaim: "sub", Scopes: []string{"admin"},
			}},
		},
		Gateway: []config.Gateway{
			{Type: "iam", ClaimRule: config.ClaimRule{Claims: map[string][]string{"arn": {"arn:*"}}, NameClaim: "arn", Scopes: push}},
			{Type: "jwt", ClaimRule: config.ClaimRule{Claims: map[string][]string{"sub": {"x"}}, NameClaim: "client_id", Scopes: push}},
		},
	}
	if d := cmp.Diff(want, c.Auth); d != "" || c.WebConfigFile != "web.yml" {
		t.Errorf("%q, (-want +got):\n%s", c.WebConfigFile, d)
	}
	var b strings.Builder
	if err := c.Explain(&b); err != nil || strings.Contains(b.String(), "00112233") {
		t.Errorf("the explanation shows a hash: %v\n%s", err, b.String())
	}
	for _, s := range []string{"ci (push); shop (push, query); crm (probe)", "alice (query); bob (push, query, probe, admin)", "https://a.example (push)", "iam arn (push)"} {
		if !strings.Contains(b.String(), s) {
			t.Errorf("the explanation has not %q:\n%s", s, b.String())
		}
	}
}
