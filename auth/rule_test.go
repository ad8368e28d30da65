package auth_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/auth"
)

// front is an Auth behind a front that has found out the caller.
func front(t testing.TB, c auth.Caller, rules ...auth.CallerRule) *auth.Auth {
	t.Helper()
	token := auth.NewToken()
	return newAuth(t, auth.Options{
		Tokens:  []auth.Token{{Name: "x", Hash: hash(t, token)}},
		Caller:  func(context.Context) (auth.Caller, bool) { return c, c.Kind != "" },
		Callers: rules,
	})
}

func TestCallers(t *testing.T) {
	const arn = "arn:aws:sts::123456789012:assumed-role/shop-prod"
	iam := auth.Caller{Kind: "iam", Claims: map[string]string{"arn": arn, "account": "123456789012"}}
	role := auth.CallerRule{Kind: "iam", Rule: auth.Rule{
		Claims: map[string][]string{"arn": {"arn:aws:sts::123456789012:assumed-role/shop-*"}}, NameClaim: "arn",
		Labels: map[string]string{"account": "account"}, Scopes: auth.Push,
	}}
	got, err := front(t, iam, role).Identify(request())
	want := auth.Identity{Name: "iam:" + arn, Scopes: auth.Push, Labels: narthex.Labels{{Name: "account", Value: "123456789012"}}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%+v, %v", got, err)
	}
	f := func(name string, c auth.Caller, r *http.Request, want auth.Reason, rules ...auth.CallerRule) {
		t.Helper()
		if id, err := front(t, c, rules...).Identify(r); reason(t, err) != want {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	other := auth.Caller{Kind: "iam", Claims: map[string]string{"arn": "arn:aws:sts::999999999999:assumed-role/shop-x"}}
	f("another account", other, request(), auth.Refused, role)
	f("another account with a header", other, request("Bearer x"), auth.Refused, role)
	f("another kind", auth.Caller{Kind: "jwt", Claims: iam.Claims}, request(), auth.None, role)
	f("no rules", iam, request(), auth.None)
	f("no caller", auth.Caller{}, request(), auth.None, role)
	r := request()
	r.Header.Set("X-Amzn-Iam-User-Arn", arn)
	f("a header that names one", auth.Caller{}, r, auth.None, role)
	delete(iam.Claims, "account")
	f("a label without its claim", iam, request(), auth.Refused, role)
	jwt := auth.Caller{Kind: "jwt", Claims: map[string]string{"iss": "https://a.example", "sub": "s"}}
	id, err := front(t, jwt, auth.CallerRule{Kind: "jwt", Rule: auth.Rule{Claims: map[string][]string{"sub": {"?"}}}}).Identify(request())
	if err != nil || id.Name != "jwt:https://a.example#s" {
		t.Errorf("a JWT that the front has verified: %+v, %v", id, err)
	}
}

// FuzzGlob compares patterns with the regular expressions they stand for.
func FuzzGlob(f *testing.F) {
	for _, c := range [][2]string{{"octo/*", "octo/shop"}, {"*", ""}, {"", ""}, {"a?c", "abc"}, {"*a*b*", "xxaxxbxx"}, {"refs/heads/main", "refs/heads/main2"}, {"**", "x"}, {"*.example", "a.example.evil"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 40 || len(text) > 200 || strings.ToValidUTF8(pattern, "") != pattern || strings.ToValidUTF8(text, "") != text {
			return
		}
		for _, r := range pattern + text {
			if r > 127 { // ? is a byte
				return
			}
		}
		expr := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile("^(?s:"+expr+")$").MatchString(text) && text != ""
		c := auth.Caller{Kind: "lambda", Claims: map[string]string{"sub": text}}
		_, err := front(t, c, auth.CallerRule{Kind: "lambda", Rule: auth.Rule{Claims: map[string][]string{"sub": {pattern}}}}).Identify(request())
		if got := reason(t, err) == ""; got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}
