package lambda_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"narthex/lambda"
)

// sight is what the handler of an event saw.
type sight struct {
	Method, URI, Path, Host, From string
	Query                         map[string][]string
	Header                        http.Header
	Body                          string
	Caller                        lambda.Caller
}

// see answers an event with a handler that sets headers and two cookies.
func see(t *testing.T, event, answer any) (s sight) {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s = sight{r.Method, r.RequestURI, r.URL.Path, r.Host, r.RemoteAddr, r.URL.Query(), r.Header, string(body), lambda.Caller{}}
		s.Caller, _ = lambda.CallerOf(r.Context())
		w.Header().Set("Content-Type", "text/plain")
		w.Header()["X-Two"] = []string{"1", "2"}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "made of text\n")
	})}
	out, err := f.Invoke(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(answer); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s
}

// A REST API's requests and answers are as AWS's own library reads them.
func TestFormat1(t *testing.T) {
	e := events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", Path: "/api/v1/a b", HTTPMethod: "POST", Body: base64.StdEncoding.EncodeToString([]byte("\x00\xff")), IsBase64Encoded: true,
		Headers:                         map[string]string{"Host": "x.example", "X-A": "2"},
		MultiValueHeaders:               map[string][]string{"Host": {"x.example"}, "x-a": {"1", "2"}},
		QueryStringParameters:           map[string]string{"q": "b&c"},
		MultiValueQueryStringParameters: map[string][]string{"q": {"a", "b&c"}},
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "r", Stage: "prod", Identity: events.APIGatewayRequestIdentity{
			SourceIP: "192.0.2.7", UserArn: "arn:aws:sts::123456789012:assumed-role/shop/s-1", AccountID: "123456789012", User: "AROA:s-1"}},
	}
	var a events.APIGatewayProxyResponse
	got := see(t, e, &a)
	want := sight{"POST", "/api/v1/a%20b?q=a&q=b%26c", "/api/v1/a b", "x.example", "192.0.2.7:0", map[string][]string{"q": {"a", "b&c"}}, http.Header{"X-A": {"1", "2"}}, "\x00\xff",
		lambda.Caller{Kind: "iam", Claims: map[string]string{"arn": "arn:aws:sts::123456789012:assumed-role/shop", "session": "s-1", "account": "123456789012", "user": "AROA:s-1"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the handler saw (-want +got):\n%s", d)
	}
	if d := cmp.Diff(events.APIGatewayProxyResponse{StatusCode: 202, Body: "made of text\n",
		MultiValueHeaders: map[string][]string{"Content-Type": {"text/plain"}, "X-Two": {"1", "2"}, "Set-Cookie": {"a=1", "b=2"}}}, a); d != "" {
		t.Errorf("the answer (-want +got):\n%s", d)
	}
	// Those whom other authorizers have found out.
	e.RequestContext.Identity.UserArn = ""
	for text, want := range map[string]lambda.Caller{
		`{"claims":{"iss":"https://a.example","sub":"s"}}`:       {Kind: "jwt", Claims: map[string]string{"iss": "https://a.example", "sub": "s"}},
		`{"principalId":"p","team":"a","integrationLatency":12}`: {Kind: "lambda", Claims: map[string]string{"principalId": "p", "team": "a", "integrationLatency": "12"}},
		`{"iam":{"userArn":"arn:aws:iam::123456789012:user/x"}}`: {},
		`{"integrationLatency":12}`:                              {},
		`null`:                                                   {},
	} {
		if err := json.Unmarshal([]byte(text), &e.RequestContext.Authorizer); err != nil {
			t.Fatal(err)
		}
		var a events.APIGatewayProxyResponse
		if got := see(t, e, &a); !cmp.Equal(want, got.Caller) {
			t.Errorf("%s: the caller is %+v", text, got.Caller)
		}
		e.RequestContext.Authorizer = nil
	}
}

// The same for a load balancer, whose target group has multi-value headers or not.
func TestBalancer(t *testing.T) {
	e := events.ALBTargetGroupRequest{
		HTTPMethod: "GET", Path: "/a%20b", QueryStringParameters: map[string]string{"q": "b%26c"},
		Headers:        map[string]string{"host": "x.example", "x-forwarded-for": "203.0.113.9, 192.0.2.7", "x-amzn-oidc-identity": "forged"},
		RequestContext: events.ALBTargetGroupRequestContext{ELB: events.ELBContext{TargetGroupArn: "arn"}},
	}
	var a events.ALBTargetGroupResponse
	got := see(t, e, &a)
	if got.URI != "/a%20b?q=b%26c" || got.From != "192.0.2.7:0" || got.Host != "x.example" || got.Caller.Kind != "" || got.Query["q"][0] != "b&c" {
		t.Errorf("the handler saw %+v", got)
	}
	if d := cmp.Diff(events.ALBTargetGroupResponse{StatusCode: 202, StatusDescription: "202 Accepted", Body: "made of text\n",
		Headers: map[string]string{"Content-Type": "text/plain", "X-Two": "1, 2", "Set-Cookie": "a=1"}}, a); d != "" {
		t.Errorf("the answer (-want +got):\n%s", d)
	}
	e.MultiValueHeaders = map[string][]string{"host": {"x.example"}, "x-forwarded-for": {"203.0.113.9", "192.0.2.8"}, "x-two": {"1", "2"}}
	e.MultiValueQueryStringParameters, e.Headers, e.QueryStringParameters = map[string][]string{"q": {"1", "b%26c"}}, nil, nil
	a = events.ALBTargetGroupResponse{}
	got = see(t, e, &a)
	if got.URI != "/a%20b?q=1&q=b%26c" || got.From != "192.0.2.8:0" || !slices.Equal(got.Header["X-Two"], []string{"1", "2"}) {
		t.Errorf("the handler saw %+v", got)
	}
	if a.Headers != nil || !slices.Equal(a.MultiValueHeaders["Set-Cookie"], []string{"a=1", "b=2"}) {
		t.Errorf("the answer is %+v", a)
	}
}

// Answers are compressed for those who take gzip, where it pays; what is binary is
// base64, and what is too large is refused in words, by each front's bounds.
func TestAnswersPacked(t *testing.T) {
	text := strings.Repeat("narthex_total{a=\"b\"} 1\n", 400)
	large := strings.Repeat("x", 5<<20) + "\n"
	random := make([]byte, 4000)
	for i := range random {
		random[i] = byte(i*i*7919>>5) ^ byte(i*104729>>7)
	}
	for _, c := range []struct {
		name, accept, kind, body string
		alb                      bool
		status                   int
		packed, binary           bool
	}{
		{"small", "gzip", "text/plain", "a\n", false, 200, false, false},
		{"text", "br, gzip;q=0.5", "text/plain", text, false, 200, true, true},
		{"JSON", "gzip", "application/json", "[" + strings.Repeat(`{"a":1},`, 1000) + "0]", false, 200, true, true},
		{"not asked for", "", "text/plain", text, false, 200, false, false},
		{"refused", "br, gzip;q=0", "text/plain", text, false, 200, false, false},
		{"a picture", "gzip", "image/png", text, false, 200, false, false},
		{"bytes", "", "application/octet-stream", string(random), false, 200, false, true},
		{"large for a balancer", "", "text/plain", large[:3<<20], true, 502, false, false},
		{"small enough once packed", "gzip", "text/plain", large[:3<<20], true, 200, true, true},
		{"large for all", "", "text/plain", large + large, false, 502, false, false},
		{"not too large once packed", "gzip", "text/plain", large + large, false, 200, true, true},
		{"far too large", "gzip", "text/plain", strings.Repeat(large, 6), false, 502, false, false},
	} {
		f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.Header().Set("Etag", `"1"`)
			io.WriteString(w, c.body)
		})}
		event := fmt.Sprintf(`{"version":"2.0","rawPath":"/","headers":{"accept-encoding":%q},"requestContext":{"http":{"method":"GET"}}}`, c.accept)
		if c.alb {
			event = fmt.Sprintf(`{"httpMethod":"GET","path":"/","headers":{"accept-encoding":%q},"requestContext":{"elb":{}}}`, c.accept)
		}
		out, err := f.Invoke(t.Context(), []byte(event))
		var a struct {
			StatusCode      int
			Headers         map[string]string
			Body            string
			IsBase64Encoded bool
		}
		if err != nil || json.Unmarshal(out, &a) != nil || a.StatusCode != c.status || a.IsBase64Encoded != c.binary || (a.Headers["Content-Encoding"] == "gzip") != c.packed {
			t.Errorf("%s: %d, base64 %v, %v, %v", c.name, a.StatusCode, a.IsBase64Encoded, a.Headers, err)
			continue
		}
		body := []byte(a.Body)
		if a.IsBase64Encoded {
			body, _ = base64.StdEncoding.DecodeString(a.Body)
		}
		if c.packed {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			body, _ = io.ReadAll(z)
			if a.Headers["Vary"] != "Accept-Encoding" || a.Headers["Etag"] != `W/"1"` || a.Headers["Content-Type"] != c.kind {
				t.Errorf("%s: the headers are %v", c.name, a.Headers)
			}
		}
		if c.status == 200 && string(body) != c.body {
			t.Errorf("%s: the body is another", c.name)
		}
		if c.status == 502 && !strings.Contains(a.Body, "accept gzip") {
			t.Errorf("%s: %s", c.name, a.Body)
		}
	}
}

// A message may ask for the commands that are named, and for no others.
func TestCommandsByQueue(t *testing.T) {
	var done []string
	command := func(name string, err error) lambda.Command {
		return func(_ context.Context, event json.RawMessage) (any, error) {
			done = append(done, name+string(event))
			return nil, err
		}
	}
	f := &lambda.Function{Logger: quiet(), Scheduled: []string{"tick", "fail"},
		Commands: map[string]lambda.Command{"tick": command("tick", nil), "fail": command("fail", errors.New("no")), "regroup": command("regroup", nil)}}
	event := func(bodies ...string) []byte {
		var e events.SQSEvent
		for i, b := range bodies {
			e.Records = append(e.Records, events.SQSMessage{MessageId: fmt.Sprint(i), Body: b, EventSource: "aws:sqs"})
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	answer, err := f.Invoke(t.Context(), event(`{"narthex":"tick","at":1}`, `{"narthex":"regroup","groups":1}`, `{"narthex":"fail"}`, `{"a":1}`, `x`))
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"1"},{"itemIdentifier":"3"},{"itemIdentifier":"4"}]}` {
		t.Errorf("%s, %v", answer, err)
	}
	if d := cmp.Diff([]string{`tick{"narthex":"tick","at":1}`, `fail{"narthex":"fail"}`}, done); d != "" {
		t.Errorf("done (-want +got):\n%s", d)
	}
}
