package emulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"narthex/lambda/emulator"
)

// fronted starts a front before a function that plays mirror.
func fronted(t *testing.T, f *emulator.Function, o emulator.Front) string {
	t.Helper()
	s := httptest.NewServer(f.Front(o))
	t.Cleanup(s.Close)
	return s.URL
}

type sent struct {
	method, path, body string
	header             http.Header
}

func (s sent) do(t *testing.T, base string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(s.method, base+s.path, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = s.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("User-Agent", "test/1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// event has the front make an event of a request, and reads it with AWS's own
// type, which must know each member of it.
func event[E any](t *testing.T, base string, s sent) (e E) {
	t.Helper()
	resp, body := s.do(t, base)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	d := json.NewDecoder(strings.NewReader(body))
	if _, loose := any(e).(events.LambdaFunctionURLRequest); !loose { // which leaves some out, and is like the HTTP API's
		d.DisallowUnknownFields()
	}
	if err := d.Decode(&e); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return e
}

func all() sent {
	return sent{"POST", "/a%20b/c?x=1&x=2&y=%2Fz&e=", `{"a":1}`, http.Header{
		"Content-Type": {"application/json"}, "X-Two": {"1", "2"}, "Cookie": {"a=1; b=2"}}}
}

// jane is the IAM identity of each request.
func jane(*http.Request) *emulator.Caller {
	return &emulator.Caller{ARN: "arn:aws:iam::111122223333:user/jane", AccountID: "111122223333", UserID: "AIDAJANE", AccessKey: "AKIAJANE"}
}

func joe(*http.Request) *emulator.Caller {
	return &emulator.Caller{ARN: "arn:aws:sts::111122223333:assumed-role/shop/joe", AccountID: "111122223333", UserID: "AROA:joe", AccessKey: "ASIAJOE", OrgID: "o-1"}
}

func TestFunctionURL(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	e := event[events.LambdaFunctionURLRequest](t, fronted(t, f, emulator.Front{IAM: jane}), all())
	if e.Version != "2.0" || e.RawPath != "/a%20b/c" || e.RawQueryString != "x=1&x=2&y=%2Fz&e=" || e.Body != `{"a":1}` || e.IsBase64Encoded {
		t.Errorf("%+v", e)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, e.Cookies); diff != "" || e.Headers["cookie"] != "" || e.Headers["x-two"] != "1,2" || e.Headers["host"] == "" {
		t.Errorf("%s %v", diff, e.Headers)
	}
	if diff := cmp.Diff(map[string]string{"x": "1,2", "y": "/z", "e": ""}, e.QueryStringParameters); diff != "" {
		t.Error(diff)
	}
	c := e.RequestContext
	if c.HTTP.Method != "POST" || c.HTTP.SourceIP != "127.0.0.1" || c.HTTP.UserAgent != "test/1" || c.RequestID == "" || c.TimeEpoch == 0 {
		t.Errorf("%+v", c)
	}
	if iam := c.Authorizer.IAM; iam.UserARN != "arn:aws:iam::111122223333:user/jane" || iam.UserID != "AIDAJANE" || iam.AccountID != "111122223333" {
		t.Errorf("%+v", c.Authorizer)
	}
	e = event[events.LambdaFunctionURLRequest](t, fronted(t, f, emulator.Front{}), sent{"GET", "/", "", nil})
	if e.RequestContext.Authorizer != nil || e.RequestContext.AccountID != "anonymous" || e.Body != "" || e.QueryStringParameters != nil || e.Cookies != nil {
		t.Errorf("%+v", e)
	}
	base := fronted(t, f, emulator.Front{IAM: func(*http.Request) *emulator.Caller { return nil }})
	if resp, body := (sent{"GET", "/", "", nil}).do(t, base); resp.StatusCode != http.StatusForbidden || body != `{"Message":"Forbidden"}` {
		t.Errorf("one that is refused: %s %s", resp.Status, body)
	}
}

func TestHTTPAPI(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	e := event[events.APIGatewayV2HTTPRequest](t, fronted(t, f, emulator.Front{Kind: emulator.HTTPAPI, Stage: "v1", IAM: joe}), all())
	if e.RawPath != "/v1/a b/c" || e.RequestContext.Stage != "v1" || e.RequestContext.Authorizer.IAM.PrincipalOrgID != "o-1" || e.RequestContext.AccountID != emulator.Account {
		t.Errorf("%+v", e)
	}
	e = event[events.APIGatewayV2HTTPRequest](t, fronted(t, f, emulator.Front{Kind: emulator.HTTPAPI}), all())
	if e.RawPath != "/a b/c" || e.RequestContext.Stage != "$default" || e.RequestContext.Authorizer != nil {
		t.Errorf("%+v", e)
	}
}

func TestRESTAPI(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	e := event[events.APIGatewayProxyRequest](t, fronted(t, f, emulator.Front{Kind: emulator.RESTAPI, IAM: jane}), all())
	if e.Path != "/a b/c" || e.HTTPMethod != "POST" || e.Resource != "/{proxy+}" || e.PathParameters["proxy"] != "a b/c" || e.RequestContext.Stage != "prod" || e.RequestContext.Path != "/prod/a b/c" {
		t.Errorf("%+v", e)
	}
	if e.Headers["X-Two"] != "2" || !cmp.Equal(e.MultiValueHeaders["X-Two"], []string{"1", "2"}) || e.Headers["Cookie"] != "a=1; b=2" {
		t.Errorf("%v %v", e.Headers, e.MultiValueHeaders)
	}
	if e.QueryStringParameters["x"] != "2" || !cmp.Equal(e.MultiValueQueryStringParameters["x"], []string{"1", "2"}) || e.QueryStringParameters["y"] != "/z" {
		t.Errorf("%v", e.QueryStringParameters)
	}
	if i := e.RequestContext.Identity; i.UserArn != "arn:aws:iam::111122223333:user/jane" || i.SourceIP != "127.0.0.1" {
		t.Errorf("%+v", i)
	}
	bytes := sent{"POST", "/", "\xff\x00", http.Header{"Content-Type": {"application/json"}}}
	if e := event[events.APIGatewayProxyRequest](t, fronted(t, f, emulator.Front{Kind: emulator.RESTAPI}), bytes); e.IsBase64Encoded || e.Body != "\uFFFD\x00" {
		t.Errorf("bytes as text: %+q", e.Body)
	}
	if e := event[events.APIGatewayProxyRequest](t, fronted(t, f, emulator.Front{Kind: emulator.RESTAPI, BinaryTypes: []string{"*/*"}}), bytes); !e.IsBase64Encoded || e.Body != "/wA=" {
		t.Errorf("bytes as bytes: %+q", e.Body)
	}
}

func TestALB(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	e := event[events.ALBTargetGroupRequest](t, fronted(t, f, emulator.Front{Kind: emulator.ALB}), all())
	if e.Path != "/a%20b/c" || e.HTTPMethod != "POST" || e.RequestContext.ELB.TargetGroupArn == "" || e.Body != `{"a":1}` {
		t.Errorf("%+v", e)
	}
	if e.Headers["x-two"] != "2" || e.QueryStringParameters["x"] != "2" || e.QueryStringParameters["y"] != "%2Fz" || e.MultiValueHeaders != nil || e.Headers["cookie"] == "" {
		t.Errorf("%v %v", e.Headers, e.QueryStringParameters)
	}
	e = event[events.ALBTargetGroupRequest](t, fronted(t, f, emulator.Front{Kind: emulator.ALB, MultiValue: true}), all())
	if e.Headers != nil || !cmp.Equal(e.MultiValueHeaders["x-two"], []string{"1", "2"}) || !cmp.Equal(e.MultiValueQueryStringParameters["x"], []string{"1", "2"}) {
		t.Errorf("%v %v", e.MultiValueHeaders, e.MultiValueQueryStringParameters)
	}
}

// What is text and what is base64.
func TestFrontBodies(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	for _, c := range []struct {
		kind, encoding, body string
		base64               bool
	}{
		{"application/json", "", "{}", false}, {"application/json; charset=utf-8", "", "{}", false}, {"text/csv", "", "a,b", false}, {"application/xml", "", "<a/>", false},
		{"application/x-www-form-urlencoded", "", "a=1", true}, {"application/x-protobuf", "", "x", true}, {"", "", "x", true},
		{"application/json", "gzip", "x", true},
	} {
		for _, o := range []emulator.Front{{}, {Kind: emulator.HTTPAPI}, {Kind: emulator.ALB}} {
			h := http.Header{}
			if c.kind != "" {
				h.Set("Content-Type", c.kind)
			}
			if c.encoding != "" {
				h.Set("Content-Encoding", c.encoding)
			}
			_, body := sent{"POST", "/", c.body, h}.do(t, fronted(t, f, o))
			var e struct{ IsBase64Encoded bool }
			if err := json.Unmarshal([]byte(body), &e); err != nil || e.IsBase64Encoded != c.base64 {
				t.Errorf("%v: %+v: %s", o.Kind, c, body)
			}
		}
	}
}

func TestFrontAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, "mirror")
	gateway := map[emulator.FrontKind]string{emulator.FunctionURL: "Internal Server Error", emulator.HTTPAPI: `{"message":"Internal Server Error"}`, emulator.RESTAPI: `{"message": "Internal server error"}`}
	for name, c := range map[string]struct {
		front  emulator.Front
		answer string
		status int
		kind   string
		body   string
		header map[string][]string
	}{
		"URL, whole":             {emulator.Front{}, `{"statusCode":201,"headers":{"Content-Type":"text/x","X-N":7},"cookies":["a=1","b=2"],"body":"hi"}`, 201, "text/x", "hi", map[string][]string{"Set-Cookie": {"a=1", "b=2"}, "X-N": {"7"}}},
		"URL, base64":            {emulator.Front{}, `{"statusCode":"200","isBase64Encoded":true,"body":"/wA="}`, 200, "application/json", "\xff\x00", nil},
		"URL, inferred":          {emulator.Front{}, `{"message":"x"}`, 200, "application/json", `{"message":"x"}`, nil},
		"URL, text inferred":     {emulator.Front{}, `"x"`, 200, "application/json", `"x"`, nil},
		"URL, no JSON":           {emulator.Front{}, `up 1`, 200, "application/json", `up 1`, nil},
		"URL, bad base64":        {emulator.Front{}, `{"statusCode":200,"isBase64Encoded":true,"body":"!"}`, 502, "text/plain", gateway[0], nil},
		"URL, bad status":        {emulator.Front{}, `{"statusCode":"x"}`, 502, "text/plain", gateway[0], nil},
		"HTTP API, inferred":     {emulator.Front{Kind: emulator.HTTPAPI}, `[1]`, 200, "application/json", `[1]`, nil},
		"HTTP API, no type":      {emulator.Front{Kind: emulator.HTTPAPI}, `{"statusCode":200,"body":"x"}`, 200, "text/plain;charset=UTF-8", "x", nil},
		"HTTP API, bad status":   {emulator.Front{Kind: emulator.HTTPAPI}, `{"statusCode":7}`, 500, "application/json", gateway[1], nil},
		"REST, whole":            {emulator.Front{Kind: emulator.RESTAPI}, `{"statusCode":200,"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"headers":{"X-A":"1"},"body":"x"}`, 200, "application/json", "x", map[string][]string{"Set-Cookie": {"a=1", "b=2"}, "X-A": {"1"}}},
		"REST, not inferred":     {emulator.Front{Kind: emulator.RESTAPI}, `{"message":"x"}`, 502, "application/json", gateway[2], nil},
		"REST, base64 as it is":  {emulator.Front{Kind: emulator.RESTAPI}, `{"statusCode":200,"isBase64Encoded":true,"body":"/wA="}`, 200, "application/json", "/wA=", nil},
		"REST, base64 of a type": {emulator.Front{Kind: emulator.RESTAPI, BinaryTypes: []string{"image/*"}}, `{"statusCode":200,"isBase64Encoded":true,"headers":{"content-type":"image/png"},"body":"/wA="}`, 200, "image/png", "\xff\x00", nil},
		"ALB, whole":             {emulator.Front{Kind: emulator.ALB}, `{"statusCode":200,"statusDescription":"200 OK","headers":{"X-A":"1"},"multiValueHeaders":{"X-B":["2"]},"body":"x"}`, 200, "application/octet-stream", "x", map[string][]string{"X-A": {"1"}, "X-B": nil}},
		"ALB, several values":    {emulator.Front{Kind: emulator.ALB, MultiValue: true}, `{"statusCode":200,"headers":{"X-A":"1"},"multiValueHeaders":{"X-B":["2","3"]}}`, 200, "application/octet-stream", "", map[string][]string{"X-A": nil, "X-B": {"2", "3"}}},
		"ALB, not inferred":      {emulator.Front{Kind: emulator.ALB}, `{}`, 502, "text/html", "<html><head><title>502 Bad Gateway</title></head></html>", nil},
	} {
		resp, body := sent{"GET", "/", "", http.Header{"X-Answer": {c.answer}}}.do(t, fronted(t, f, c.front))
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.kind || body != c.body {
			t.Errorf("%s: %s, %s: %q", name, resp.Status, resp.Header.Get("Content-Type"), body)
		}
		for n, want := range c.header {
			if diff := cmp.Diff(want, resp.Header.Values(n)); diff != "" && len(want)+len(resp.Header.Values(n)) > 0 {
				t.Errorf("%s: %s: %s", name, n, diff)
			}
		}
	}
}

func TestFrontLimits(t *testing.T) {
	t.Parallel()
	f := start(t, "puppet")
	big := bytes.Repeat([]byte("x"), 11<<20)
	for _, c := range []struct {
		front  emulator.Front
		size   int
		status int
	}{
		{emulator.Front{}, 6 << 20, 413}, {emulator.Front{}, 7 << 20, 413}, {emulator.Front{Kind: emulator.HTTPAPI}, 7 << 20, 413}, {emulator.Front{Kind: emulator.RESTAPI}, 11 << 20, 413},
		{emulator.Front{Kind: emulator.ALB}, 1<<20 + 1, 413}, {emulator.Front{}, 5 << 20, 200},
	} {
		resp, body := sent{"POST", "/", string(big[:c.size]), http.Header{"Content-Type": {"text/plain"}}}.do(t, fronted(t, f, c.front))
		if resp.StatusCode != c.status {
			t.Errorf("%v, %d bytes: %s %s", c.front.Kind, c.size, resp.Status, body[:min(len(body), 100)])
		}
	}
	m := start(t, "mirror")
	fat := sent{"POST", "/", string(big[:1<<20-10]), http.Header{"Content-Type": {"text/plain"}}} // its mirror image is larger
	if resp, _ := fat.do(t, fronted(t, m, emulator.Front{Kind: emulator.ALB})); resp.StatusCode != 502 {
		t.Errorf("an ALB's answer of more than 1 MB: %s", resp.Status)
	}
	one := start(t, "puppet", func(o *emulator.Options) { o.Concurrency = 1 })
	gate := newGate(t)
	go one.Invoke(t.Context(), []byte(`{"do":"visit","text":"`+gate.url+`"}`))
	gate.wait(1)
	for kind, status := range []int{429, 503, 503, 502} {
		if resp, body := (sent{"GET", "/", "", nil}).do(t, fronted(t, one, emulator.Front{Kind: emulator.FrontKind(kind)})); resp.StatusCode != status {
			t.Errorf("%v, throttled: %s %s", emulator.FrontKind(kind), resp.Status, body)
		}
	}
	gate.open()
}
