package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"narthex"
	"narthex/app"
	"narthex/auth"
	"narthex/config"
	"narthex/lambda"
)

// What API Gateway has found out about a sender goes from the event to the
// labels in the store.
func TestGatewayCaller(t *testing.T) {
	c, err := config.Parse("x.yml", []byte(`
auth:
  gateway:
    - {type: iam, claims: {arn: "arn:aws:sts::123456789012:assumed-role/shop-*"}, labels: {account: account}, scopes: [push, query]}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	access, err := app.NewAccess(c, app.AccessOptions{Caller: func(ctx context.Context) (auth.Caller, bool) {
		caller, known := lambda.CallerOf(ctx)
		return auth.Caller(caller), known
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.Data = t.TempDir()
	a, err := app.New(t.Context(), app.Options{
		Config: c, Access: access, AnyHost: true,
		Sink: narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	f := &lambda.Function{HTTP: a.Handler()}
	ask := func(method, path, body, authorizer string, want int, says string) {
		t.Helper()
		event := fmt.Appendf(nil, `{"version":"2.0","rawPath":%q,"body":%q,"headers":{"content-type":"text/plain","idempotency-key":"one","x-amzn-iam-user-arn":"arn:aws:sts::123456789012:assumed-role/shop-a/s"},
			"requestContext":{"authorizer":%s,"http":{"method":%q,"sourceIp":"192.0.2.7"}}}`, path, body, authorizer, method)
		answer, err := f.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			StatusCode int
			Body       string
		}
		if err := json.Unmarshal(answer, &got); err != nil || got.StatusCode != want || !strings.Contains(got.Body, says) {
			t.Errorf("%s: %d %s, %v; want %d %s", authorizer, got.StatusCode, got.Body, err, want, says)
		}
	}
	push := func(authorizer string, want int, says string) {
		t.Helper()
		ask("POST", "/aggregate/metrics/job/j/account/forged", "# TYPE x_total counter\nx_total 1\n", authorizer, want, says)
	}
	iam := func(account, role string) string {
		return fmt.Sprintf(`{"iam":{"accountId":%q,"userArn":"arn:aws:sts::%s:assumed-role/%s"}}`, account, account, role)
	}
	push(`null`, 401, "unauthorized")
	push(iam("999999999999", "shop-a/s"), 403, "forbidden")
	push(iam("123456789012", "crm/s"), 403, "forbidden")
	push(iam("123456789012", "shop-a/s1"), 200, `"accepted"`)
	push(iam("123456789012", "shop-a/s2"), 200, `"duplicate"`) // a retry from another session
	push(iam("123456789012", "shop-b/s1"), 200, `"accepted"`)  // another role's own id
	ask("PUT", "/metrics/job/j/account/forged", "x 1\n", iam("123456789012", "shop-c/s"), 200, "")
	ask("GET", "/api/v1/metrics", "", iam("123456789012", "shop-c/s"), 200, `"labels":{"account":"123456789012","job":"j"}`)
}
