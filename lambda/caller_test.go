package lambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"narthex/lambda"
)

// callerIn returns who the handler of an event with the authorizer sees.
func callerIn(t *testing.T, authorizer any, headers map[string]string) (got lambda.Caller, known bool) {
	t.Helper()
	text, err := json.Marshal(authorizer)
	if err != nil {
		t.Fatal(err)
	}
	h, err := json.Marshal(headers)
	if err != nil {
		t.Fatal(err)
	}
	f := &lambda.Function{HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, known = lambda.CallerOf(r.Context()) })}
	_, err = f.Invoke(t.Context(), fmt.Appendf(nil, `{"version":"2.0","rawPath":"/","headers":%s,"requestContext":{"authorizer":%s,"http":{"method":"GET","sourceIp":"192.0.2.7"}}}`, h, text))
	if err != nil {
		t.Fatal(err)
	}
	return got, known
}

// The events are as AWS's own library writes them.
func TestCaller(t *testing.T) {
	f := func(name string, a events.APIGatewayV2HTTPRequestContextAuthorizerDescription, want lambda.Caller) {
		t.Helper()
		got, known := callerIn(t, a, nil)
		if !known || !cmp.Equal(want, got) {
			t.Errorf("%s: %+v, %v", name, got, known)
		}
	}
	iam := func(arn string) events.APIGatewayV2HTTPRequestContextAuthorizerDescription {
		return events.APIGatewayV2HTTPRequestContextAuthorizerDescription{IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
			AccessKey: "AKIASECRET", AccountID: "123456789012", CallerID: "AROA:s", UserARN: arn, UserID: "AROA:s", PrincipalOrgID: "o-1",
		}}
	}
	f("a user", iam("arn:aws:iam::123456789012:user/team/pusher"), lambda.Caller{Kind: "iam", Claims: map[string]string{
		"arn": "arn:aws:iam::123456789012:user/team/pusher", "account": "123456789012", "user": "AROA:s", "org": "o-1"}})
	f("a role", iam("arn:aws:sts::123456789012:assumed-role/shop/i-1"), lambda.Caller{Kind: "iam", Claims: map[string]string{
		"arn": "arn:aws:sts::123456789012:assumed-role/shop", "session": "i-1", "account": "123456789012", "user": "AROA:s", "org": "o-1"}})
	f("a role with a name like a session", iam("arn:aws-cn:sts::123456789012:assumed-role/shop/shop"), lambda.Caller{Kind: "iam", Claims: map[string]string{
		"arn": "arn:aws-cn:sts::123456789012:assumed-role/shop", "session": "shop", "account": "123456789012", "user": "AROA:s", "org": "o-1"}})
	f("a JWT", events.APIGatewayV2HTTPRequestContextAuthorizerDescription{JWT: &events.APIGatewayV2HTTPRequestContextAuthorizerJWTDescription{
		Claims: map[string]string{"iss": "https://a.example", "sub": "s"}, Scopes: []string{"x"},
	}}, lambda.Caller{Kind: "jwt", Claims: map[string]string{"iss": "https://a.example", "sub": "s"}})
	f("an authorizer function", events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{
		"team": "a", "level": 3, "ok": true, "list": []string{"x"}, "none": nil,
	}}, lambda.Caller{Kind: "lambda", Claims: map[string]string{"team": "a", "level": "3", "ok": "true"}})
}

func TestNoCaller(t *testing.T) {
	for _, a := range []any{nil, map[string]any{}, "x", 7, []int{1}, map[string]any{"iam": nil}, map[string]any{"iam": map[string]any{}}, map[string]any{"jwt": map[string]any{"claims": nil}},
		map[string]any{"iam": "arn:aws:iam::123456789012:user/x"}} {
		headers := map[string]string{"x-amzn-iam-user-arn": "arn:aws:iam::123456789012:user/x", "x-amzn-request-context": `{"authorizer":{"iam":{"userArn":"x"}}}`}
		if got, known := callerIn(t, a, headers); known {
			t.Errorf("%v: %+v", a, got)
		}
	}
	if _, known := lambda.CallerOf(context.Background()); known {
		t.Error("a context of nobody has a caller")
	}
}
