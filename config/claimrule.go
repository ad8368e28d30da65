package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

type oidc struct{ p *[]OIDC }

func (v oidc) read(r *reader, path string, n *yaml.Node) {
	var out []OIDC
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) { out = append(out, r.oidc(path, n)) })
	*v.p = out
}

func (v oidc) String() string {
	var parts []string
	for _, o := range *v.p {
		parts = append(parts, o.Issuer+" ("+strings.Join(o.Scopes, ", ")+")")
	}
	return orNone(strings.Join(parts, "; "))
}

func (v oidc) wants() string {
	return "a list of {issuer, audience, claims, name_claim, labels, scopes}"
}

func (r *reader) oidc(path string, n *yaml.Node) OIDC {
	o := OIDC{ClaimRule: ClaimRule{NameClaim: "sub"}}
	ok := r.fields(path, n, "an issuer {issuer: https://…, audience: …, claims: {…}}",
		append(r.claimRule(&o.ClaimRule), r.word("issuer", "a URL", &o.Issuer), r.words("audience", "an audience", &o.Audience),
			r.word("jwks_url", "a URL", &o.KeysURL), r.word("ca_file", "a path", &o.CAFile))...)
	if u, err := url.Parse(o.Issuer); ok && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		r.errorf(n, path, "issuer must be a URL such as https://token.actions.githubusercontent.com")
	} else if ok && (len(o.Audience) == 0 || slices.Contains(o.Audience, "")) {
		r.errorf(n, path, "audience is missing: without it whatever service is sent a token could use it here")
	} else if ok {
		r.ruled(path, n, &o.ClaimRule)
	}
	return o
}

type gateway struct{ p *[]Gateway }

func (v gateway) read(r *reader, path string, n *yaml.Node) {
	var out []Gateway
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		var g Gateway
		kinds := []string{"iam", "jwt", "lambda"}
		ok := r.fields(path, n, "a rule {type: iam, claims: {arn: …}}", append(r.claimRule(&g.ClaimRule), r.word("type", "iam, jwt or lambda", &g.Type))...)
		if ok && !slices.Contains(kinds, g.Type) {
			r.errorf(n, path, "type is %s: %s", message.Quote(g.Type), message.Suggest(g.Type, kinds))
		} else if ok {
			if g.NameClaim == "" {
				g.NameClaim = map[string]string{"iam": "arn"}[g.Type]
			}
			r.ruled(path, n, &g.ClaimRule)
		}
		out = append(out, g)
	})
	*v.p = out
}

func (v gateway) String() string {
	var parts []string
	for _, g := range *v.p {
		parts = append(parts, g.Type+" "+strings.Join(slices.Sorted(maps.Keys(g.Claims)), ", ")+" ("+strings.Join(g.Scopes, ", ")+")")
	}
	return orNone(strings.Join(parts, "; "))
}

func (v gateway) wants() string {
	return "a list of {type: iam, jwt or lambda, claims, name_claim, labels, scopes}"
}

// claimRule is the fields of a rule.
func (r *reader) claimRule(rule *ClaimRule) []field {
	return []field{
		{"claims", func(path string, n *yaml.Node) {
			rule.Claims = make(map[string][]string)
			r.mapping(path, n, "claims such as {repository: org/*}", func(key, n *yaml.Node) {
				at := path + "." + message.Clip(key.Value, 80)
				if rule.Claims[key.Value] = r.oneOrMore(at, n, "a pattern, or a list of them"); len(rule.Claims[key.Value]) == 0 {
					r.errorf(n, at, "it is empty: want a pattern")
				}
			})
		}},
		r.word("name_claim", "a claim", &rule.NameClaim),
		{"labels", func(path string, n *yaml.Node) {
			rule.Labels = make(map[string]string)
			r.labels(path, n, "labels and the claims that they are from, such as {service: repository}", func(name, claim string) { rule.Labels[name] = claim })
		}},
		r.scopes(&rule.Scopes),
	}
}

// ruled checks a rule and sets what it leaves out.
func (r *reader) ruled(path string, n *yaml.Node, rule *ClaimRule) {
	if len(rule.Claims) == 0 {
		r.errorf(n, path, `claims is missing: say which are taken, %s if anybody's`, fmt.Sprintf("{%s: \"*\"}", cmp.Or(rule.NameClaim, "sub")))
	}
	if len(rule.Scopes) == 0 {
		rule.Scopes = []string{"push"}
	}
}
