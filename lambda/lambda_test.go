package lambda_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/lambda"
)

// response is what Lambda reads of an answer.
type response struct {
	StatusCode      int
	Headers         map[string]string
	Cookies         []string
	Body            string
	IsBase64Encoded bool
}

// seen is what the handler saw of a request.
type seen struct {
	Method, Host, Path, RawPath, Query, Remote, URI string
	ID, ContentType, Encoding, Accept, HostHeader   string
	Match                                           []string
	Cookies                                         []string
	Body                                            []byte
	Length                                          int64
}

func look(t *testing.T, r *http.Request) seen {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("reading the body: %v", err)
	}
	s := seen{
		Method: r.Method, Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, Query: r.URL.RawQuery, Remote: r.RemoteAddr, URI: r.RequestURI,
		ID: lambda.RequestID(r.Context()), ContentType: r.Header.Get("Content-Type"), Encoding: r.Header.Get("Content-Encoding"),
		Accept: r.Header.Get("Accept"), HostHeader: r.Header.Get("Host"),
		Match: r.URL.Query()["match[]"], Body: body, Length: r.ContentLength,
	}
	for _, c := range r.Cookies() {
		s.Cookies = append(s.Cookies, c.Name+"="+c.Value)
	}
	return s
}

func event(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// invoke invokes f and decodes its answer.
func invoke(t *testing.T, ctx context.Context, f *lambda.Function, event []byte) response {
	t.Helper()
	text, err := f.Invoke(ctx, event)
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	var r response
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, text)
	}
	return r
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRequests(t *testing.T) {
	const host = "abcde.lambda-url.eu-central-1.on.aws"
	for _, c := range []struct {
		event string
		want  seen
	}{
		{"url-get", seen{
			Method: "GET", Host: host, Path: "/api/v1/label/a/b/values", RawPath: "/api/v1/label/a%2Fb/values",
			Query: "match%5B%5D=up&match%5B%5D=down&limit=5", URI: "/api/v1/label/a%2Fb/values?match%5B%5D=up&match%5B%5D=down&limit=5",
			Remote: "192.0.2.7:0", ID: "event-id-1", Accept: "application/json,text/plain",
			Match: []string{"up", "down"}, Cookies: []string{"session=abc", "theme=dark", "light="},
		}},
		{"url-post-text", seen{
			Method: "POST", Host: host, Path: "/echo", RawPath: "/echo", URI: "/echo", Remote: "[2001:db8::1]:0", ID: "event-id-2",
			ContentType: "application/json", Body: []byte(`{"name": "café & <b>"}`), Length: 23,
		}},
		{"url-post-base64", seen{
			Method: "POST", Host: host, Path: "/echo", RawPath: "/echo", URI: "/echo", Remote: "192.0.2.7:0", ID: "event-id-3",
			ContentType: "application/octet-stream", Body: []byte{0, 1, 0xfe, 0xff}, Length: 4,
		}},
		{"http-api-stage", seen{
			Method: "GET", Host: "xyz.execute-api.eu-central-1.amazonaws.com", Path: "/-/healthy", RawPath: "/-/healthy", URI: "/-/healthy",
			Remote: "192.0.2.7:0", ID: "event-id-3",
		}},
	} {
		t.Run(c.event, func(t *testing.T) {
			var got seen
			f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = look(t, r) })}
			r := invoke(t, t.Context(), f, event(t, c.event))
			if c.want.Body == nil {
				c.want.Body = []byte{}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the request (-want +got):\n%s", diff)
			}
			if r.StatusCode != 200 || r.Body != "" {
				t.Errorf("a handler that writes nothing gave %+v, want an empty 200", r)
			}
		})
	}
}

func TestGzipBodyReachesTheHandlerAsItCame(t *testing.T) {
	var got seen
	f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = look(t, r) })}
	invoke(t, t.Context(), f, event(t, "url-post-gzip"))
	if got.Encoding != "gzip" || !bytes.HasPrefix(got.Body, []byte{0x1f, 0x8b}) || got.Length != int64(len(got.Body)) {
		t.Errorf("the handler saw encoding %q, length %d and body %x, want it compressed", got.Encoding, got.Length, got.Body)
	}
}

func TestBadBase64IsTheSendersFault(t *testing.T) {
	f := &lambda.Function{Logger: quiet(), HTTP: http.NotFoundHandler()}
	r := invoke(t, t.Context(), f, event(t, "url-post-bad-base64"))
	if r.StatusCode != 400 || !strings.Contains(r.Body, "not base64") || !strings.Contains(r.Body, `"errorType":"bad_data"`) {
		t.Errorf("the answer is %+v, want 400 that names base64", r)
	}
}

func TestResponses(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    response
	}{
		{"text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "17")
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot) // too late
			io.WriteString(w, `{"é":"<&>"}`)
		}, response{StatusCode: 201, Headers: map[string]string{"Content-Type": "application/json"}, Body: `{"é":"<&>"}`}},
		{"sniffed", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<!doctype html><p>hello")
		}, response{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/html; charset=utf-8"}, Body: "<!doctype html><p>hello"}},
		{"binary", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0x89, 'P', 'N', 'G', 0})
		}, response{StatusCode: 200, Headers: map[string]string{"Content-Type": "image/png"}, Body: "iVBORwA=", IsBase64Encoded: true}},
		{"text with control characters", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Write([]byte("a\x00b"))
		}, response{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/plain"}, Body: "YQBi", IsBase64Encoded: true}},
		{"cookies and repeated headers", func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
			w.Header().Add("Vary", "Accept")
			w.Header().Add("Vary", "Cookie")
			w.WriteHeader(http.StatusNoContent)
			io.WriteString(w, "not allowed")
			w.Header().Set("Too-Late", "1")
		}, response{StatusCode: 204, Headers: map[string]string{"Vary": "Accept, Cookie"}, Cookies: []string{"a=1", "b=2"}}},
		{"informational", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		}, response{StatusCode: 202}},
		{"panic after half an answer", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "half")
			panic("secret of the handler")
		}, response{StatusCode: 500, Headers: failed,
			Body: `{"error":"the request could not be answered because of a defect; the function's log has the particulars","errorType":"internal","status":"error"}`}},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "a=1")
			for range 7 {
				if _, err := io.WriteString(w, big); err != nil {
					return
				}
			}
			t.Error("no write failed")
		}, tooLarge},
		{"too large once encoded", func(w http.ResponseWriter, _ *http.Request) {
			for range 5 {
				w.Write(bytes.Repeat([]byte{0xff}, 1<<20))
			}
		}, tooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &lambda.Function{Logger: quiet(), HTTP: c.handler}
			got := invoke(t, t.Context(), f, event(t, "url-get"))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the answer (-want +got):\n%s", diff)
			}
		})
	}
}

var (
	failed   = map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}
	tooLarge = response{StatusCode: 502, Headers: failed,
		Body: `{"error":"the answer is larger than the 6291456 bytes that may leave here: ask for less, such as a shorter range or fewer series, or accept gzip","errorType":"too_large","status":"error"}`}
)

func TestLargestAnswerFits(t *testing.T) {
	body := strings.Repeat("x", 6<<20-200)
	f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })}
	if r := invoke(t, t.Context(), f, event(t, "url-get")); r.StatusCode != 200 || r.Body != body {
		t.Errorf("the answer has the status %d and %d bytes, want 200 and %d", r.StatusCode, len(r.Body), len(body))
	}
}

func TestHeadHasNoBody(t *testing.T) {
	f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "body") })}
	head := bytes.Replace(event(t, "url-get"), []byte(`"method": "GET"`), []byte(`"method": "HEAD"`), 1)
	if r := invoke(t, t.Context(), f, head); r.StatusCode != 200 || r.Body != "" {
		t.Errorf("the answer is %+v, want an empty 200", r)
	}
}

func TestUnknownEvents(t *testing.T) {
	f := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })}
	for _, c := range []struct{ event, want string }{
		{"s3", "an S3 notification (Records[0].eventSource aws:s3) is not handled by this function"},
		{"s3-test", "an S3 test notification (Event s3:TestEvent) is not handled"},
		{"sqs", "an SQS batch (Records[0].eventSource aws:sqs)"},
		{"sns", "an SNS notification (Records[0].eventSource aws:sns)"},
		{"kinesis", "a Kinesis batch (there is nothing for these yet) (Records[0].eventSource aws:kinesis)"},
		{"dynamodb", "a DynamoDB stream (Records[0].eventSource aws:dynamodb)"},
		{"firehose", "a Firehose transformation"},
		{"cloudwatch-logs", "a CloudWatch Logs event"},
		{"eventbridge", "an EventBridge event (source aws.s3, detail-type Object Created)"},
		{`{"httpMethod": "GET", "path": "/", "headers": 1}`, "an HTTP request of payload format 1.0 is malformed"},
		{`{"httpMethod": "GET", "path": "/", "headers": 1, "requestContext": {"elb": {}}}`, "a request of an Application Load Balancer is malformed"},
		{"malformed-headers", "an HTTP request of payload format 2.0 is malformed"},
		{`{"b": 1, "a": {"password": "hunter2"}}`, `an event with the keys "a", "b" is not handled`},
		{`{"Records": [{"eventSource": "custom:thing"}]}`, "a list of records (Records[0].eventSource custom:thing)"},
		{`{"Records": "none"}`, `an event with the keys "Records"`},
		{`{}`, "an event with the keys (none)"},
		{`[1]`, "an event that is no JSON object"},
		{`null`, "an event with the keys (none)"},
		{`{"version": "2.0",`, "the event is not JSON: unexpected end"},
		{``, "the event is not JSON"},
	} {
		text := []byte(c.event)
		if !strings.ContainsAny(c.event, `{[`) && c.event != "" && c.event != "null" {
			text = event(t, c.event)
		}
		answer, err := f.Invoke(t.Context(), text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %s and the error %v, want %q", c.event, answer, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells what is in the event: %v", c.event, err)
		}
		if c.event != "malformed-headers" && narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%s: the error is not of kind Invalid: %v", c.event, err)
		}
	}
}

func TestWithoutHandlerARequestIsUnknown(t *testing.T) {
	_, err := (&lambda.Function{Logger: quiet()}).Invoke(t.Context(), event(t, "url-get"))
	if err == nil || !strings.Contains(err.Error(), `"rawPath"`) {
		t.Errorf("the error is %v, want one that lists the event's keys", err)
	}
}

func FuzzInvoke(f *testing.F) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("no events: %v", err)
	}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"version":"2.0","rawPath":"%zz","requestContext":{"stage":"%zz","http":{"method":"a b"}}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		fn := &lambda.Function{Logger: quiet(), HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/") {
				t.Errorf("the path is %q", r.URL.Path)
			}
			_, _ = io.Copy(w, r.Body)
		})}
		var in struct{ Body string }
		_ = json.Unmarshal(event, &in)
		answer, err := fn.Invoke(t.Context(), event)
		if err != nil {
			return
		}
		var r response
		if err := json.Unmarshal(answer, &r); err != nil || r.StatusCode < 200 || r.StatusCode > 599 {
			t.Errorf("the answer is %s (%v)", answer, err)
		}
		if r.IsBase64Encoded {
			if _, err := base64.StdEncoding.DecodeString(r.Body); err != nil {
				t.Errorf("the answer's body is not base64: %v", err)
			}
		}
	})
}
