package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex"
	"narthex/push"
)

const secret = "Bearer of-a-secret"

// other is the narthex behind the function: package push's own door over a sink
// that knows ids, on a clock that goes on by a minute with each request.
type other struct {
	*httptest.Server

	mu       sync.Mutex
	requests int
	auth     []string
	seen     map[string]narthex.Digest
	taken    []*narthex.Batch
}

func newOther(t *testing.T) *other {
	o := &other{seen: map[string]narthex.Digest{}}
	mux := http.NewServeMux()
	push.Mount(mux, push.Options{
		Sink:   o,
		Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time {
			o.mu.Lock()
			defer o.mu.Unlock()
			return time.Date(2026, 1, 1, 0, o.requests, 0, 0, time.UTC)
		},
	})
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests++
		o.auth = append(o.auth, r.Header.Get("Authorization"))
		o.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *other) Write(_ context.Context, b *narthex.Batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if d, ok := o.seen[b.ID]; ok && d != b.Digest {
		return narthex.Errorf(narthex.Conflict, "the id %q was used before with another body", b.ID)
	} else if ok {
		b.Duplicate = true
		return nil
	}
	o.seen[b.ID] = b.Digest
	o.taken = append(o.taken, b)
	return nil
}

// count returns how many requests came and how many batches were taken.
func (o *other) count() (requests, taken int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests, len(o.taken)
}

// receipt decodes the body of an answer.
func receipt(t *testing.T, r reply) (out struct {
	push.Receipt
	ErrorType, Error string
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Body), &out); err != nil {
		t.Fatalf("the body is not JSON: %v: %+v", err, r)
	}
	if r.Headers["Content-Type"] != "application/json" {
		t.Errorf("the content type is %q", r.Headers["Content-Type"])
	}
	return out
}

const jsonType = "application/json"

func TestRelay(t *testing.T) {
	o := newOther(t)
	f := start(t, build(t), allowAnybody, "NARTHEX_URL="+o.URL, "NARTHEX_UPSTREAM_AUTHORIZATION="+secret)
	post := func(body, id string) reply {
		t.Helper()
		h := map[string]string{"content-type": jsonType}
		if id != "" {
			h["idempotency-key"] = id
		}
		r, _ := f.request(10*time.Second, "POST", "/api/v1/push", body, h)
		return r
	}
	const one = `{"service": "shop", "series": {"labels": {"__name__": "orders_total"}, "samples": [{"value": 1}], "as": "delta"}}`

	// A push is taken, and its retry, at another time, is recognised.
	r := post(one, "id-1")
	if got := receipt(t, r); r.StatusCode != 200 || got.ID != "id-1" || got.Status != push.Accepted || got.Accepted != 1 {
		t.Errorf("a push: %+v", r)
	}
	r = post(one, "id-1")
	if got := receipt(t, r); r.StatusCode != 200 || got.Status != push.Duplicate || got.Duplicate != 1 {
		t.Errorf("a retry: %+v", r)
	}
	if requests, taken := o.count(); requests != 2 || taken != 1 {
		t.Errorf("a push and its retry made %d requests and %d batches, want 2 and 1", requests, taken)
	}
	if s := o.taken[0].Series[0].Labels.String(); s != `orders_total{service="shop"}` {
		t.Errorf("the batch is of %s", s)
	}
	// The same id with another body is the other's to refuse.
	r = post(strings.Replace(one, "1}", "2}", 1), "id-1")
	if got := receipt(t, r); r.StatusCode != 422 || got.ErrorType != "conflict" || !strings.Contains(got.Error, "another body") {
		t.Errorf("the same id with another body: %+v", r)
	}
	// What is malformed does not get past the function.
	before, _ := o.count()
	r = post(`{"counter": []}`, "")
	if got := receipt(t, r); r.StatusCode != 400 || got.ErrorType != "bad_data" || !strings.Contains(got.Error, "counter") {
		t.Errorf("a malformed push: %+v", r)
	}
	if after, _ := o.count(); after != before {
		t.Error("a malformed push was relayed")
	}
	// What the function lets pass but the other rejects comes back with its reasons.
	r = post(`{"id": "id-2", "gauges": [{"name": "température", "set": 1}]}`, "")
	if got := receipt(t, r); r.StatusCode != 400 || got.ID != "id-2" || len(got.Rejected) != 1 || !strings.Contains(got.Error, "nothing of the push") {
		t.Errorf("a push rejected by the other: %+v", r)
	}
	r = post(`{"gauges": [{"name": "a b", "set": 1}, {"name": "ab", "set": 1}]}`, "")
	if got := receipt(t, r); r.StatusCode != 200 || got.Status != push.Partial || got.Accepted != 1 || len(got.Rejected) != 1 || got.ID == "" {
		t.Errorf("a push rejected in part: %+v", r)
	}
	for _, a := range o.auth {
		if a != secret {
			t.Errorf("a request had the Authorization %q", a)
		}
	}
	if r, _ := f.request(time.Second*10, "GET", "/api/v1/push", "", nil); r.StatusCode != 405 || r.Headers["Allow"] != "POST" {
		t.Errorf("GET of the push door: %+v", r)
	}
	if log := f.stop(); strings.Contains(log, "of-a-secret") || strings.Count(log, `"msg":"invocation"`) != 7 {
		t.Error("the log has the secret, or not a line for each of 7 invocations")
	}
}

func TestCompressedPush(t *testing.T) {
	o := newOther(t)
	f := start(t, build(t), allowAnybody, "NARTHEX_URL="+o.URL)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(`{"id": "id-1", "counters": [{"name": "a_total", "add": 1}]}`))
	z.Close()
	send := func(body []byte) reply {
		t.Helper()
		event, err := json.Marshal(map[string]any{
			"version": "2.0", "rawPath": "/api/v1/push", "body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true,
			"headers":        map[string]string{"content-encoding": "gzip", "content-type": jsonType},
			"requestContext": map[string]any{"http": map[string]any{"method": "POST"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var r reply
		if err := json.Unmarshal(f.invoke("request-1", 10*time.Second, event).body, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := send(packed.Bytes()); r.StatusCode != 200 || receipt(t, r).ID != "id-1" {
		t.Errorf("a compressed push: %+v", r)
	}
	if r := send(packed.Bytes()[:packed.Len()-9]); r.StatusCode != 400 || !strings.Contains(r.Body, "ends too early") {
		t.Errorf("a push cut short: %+v", r)
	}
	if r := send([]byte("plain")); r.StatusCode != 400 {
		t.Errorf("a push that is not compressed: %+v", r)
	}
	packed.Reset()
	z.Reset(&packed)
	z.Write(make([]byte, 11<<20))
	z.Close()
	if r := send(packed.Bytes()); r.StatusCode != 413 {
		t.Errorf("a push of 11 MiB in %d bytes: %+v", packed.Len(), r)
	}
	if _, taken := o.count(); taken != 1 {
		t.Errorf("%d batches were taken, want 1", taken)
	}
}

// TestNoAcknowledgement has answers of the other narthex that are no verdict on
// the push. The sender has to be told to try again, before the deadline.
func TestNoAcknowledgement(t *testing.T) {
	program := build(t)
	for name, handler := range map[string]http.HandlerFunc{
		"down":         nil,
		"unavailable":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"unauthorized": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
		},
		"web page": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/push" {
				t.Errorf("the function asked for %s", r.URL.Path)
			}
			_, _ = w.Write([]byte("<!doctype html>"))
		},
		"other receipt":  jsonAnswer(200, `{"id": "id-2", "status": "accepted"}`),
		"other API":      jsonAnswer(400, `{"message": "Bad Request"}`),
		"broken receipt": jsonAnswer(200, `{"id": "id-1", `),
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the function has gone
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			if handler == nil {
				server.Close() // nothing listens there now
			} else {
				t.Cleanup(server.Close)
			}
			f := start(t, program, allowAnybody, "NARTHEX_URL="+server.URL)
			before := time.Now()
			r, out := f.request(3*time.Second, "POST", "/api/v1/push", `{"id": "id-1", "gauges": [{"name": "a", "set": 1}]}`, nil)
			if got := receipt(t, r); r.StatusCode != 503 || got.ErrorType != "unavailable" || !strings.Contains(got.Error, "id-1") || r.Headers["Retry-After"] == "" {
				t.Errorf("the answer is %+v, want 503 with the id", r)
			}
			if took := out.at.Sub(before); took > 3*time.Second {
				t.Errorf("the answer came after %v, the deadline was 3s", took)
			}
			if log := f.stop(); !strings.Contains(log, `"msg":"a push was not acknowledged","request_id":"request-1","id":"id-1"`) {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
}

func jsonAnswer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func TestSettings(t *testing.T) {
	program := build(t)
	for _, c := range []struct{ url, want string }{
		{"narthex.example", "it is not an address such as https://narthex.example"},
		{"https://user:hunter2@narthex.example", "it has a user in it"},
		{"https://hunter2:x/%zz", "it is not an address"},
		{"https://narthex.example?key=hunter2", "it has a query"},
	} {
		f := start(t, program, allowAnybody, "NARTHEX_URL="+c.url)
		for _, body := range []string{`{"gauges": [{"name": "a", "set": 1}]}`, `nonsense`} {
			r, _ := f.request(10*time.Second, "POST", "/api/v1/push", body, nil)
			if got := receipt(t, r); r.StatusCode != 503 || got.ErrorType != "unavailable" || !strings.Contains(got.Error, c.want) {
				t.Errorf("NARTHEX_URL=%q: the answer is %+v, want 503 with %q", c.url, r, c.want)
			}
		}
		if r, _ := f.request(10*time.Second, "GET", "/-/healthy", "", nil); r.StatusCode != 200 {
			t.Errorf("NARTHEX_URL=%q: /-/healthy is %+v", c.url, r)
		}
		if r, _ := f.request(10*time.Second, "GET", "/config", "", nil); r.StatusCode != 404 || receipt(t, r).ErrorType != "not_found" {
			t.Errorf("NARTHEX_URL=%q: /config is %+v", c.url, r)
		}
		if log := f.stop(); strings.Contains(log, "hunter2") || !strings.Contains(log, c.want) {
			t.Errorf("NARTHEX_URL=%q: the log has the password, or does not have %q", c.url, c.want)
		}
	}
}

func TestUnknownEventIsAnErrorAndTheFunctionGoesOn(t *testing.T) {
	f := start(t, build(t))
	out := f.invoke("request-1", 10*time.Second, []byte(`{"Records": [{"eventSource": "aws:dynamodb"}]}`))
	var e struct{ ErrorMessage, ErrorType string }
	if err := json.Unmarshal(out.body, &e); err != nil || !out.failed || !strings.Contains(e.ErrorMessage, "a DynamoDB stream") {
		t.Errorf("the function answered %s (error: %t, %v)", out.body, out.failed, err)
	}
	if r, _ := f.request(10*time.Second, "GET", "/-/healthy", "", nil); r.StatusCode != 200 || r.Body != "narthex is healthy.\n" {
		t.Errorf("the next invocation: %+v", r)
	}
	log := f.stop()
	cold := strings.Count(log, `"cold_start":true`)
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has a line that is not JSON: %s", line)
		}
	}
	if cold != 1 {
		t.Errorf("%d invocations say that they were cold, want 1", cold)
	}
}

func TestCommandLine(t *testing.T) {
	program := build(t)
	out, err := exec.CommandContext(t.Context(), program, "-version").Output()
	if err != nil || !strings.HasPrefix(string(out), "narthex ") || len(strings.Fields(string(out))) != 2 {
		t.Errorf("-version: %q, %v", out, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "AWS_LAMBDA_RUNTIME_API is not set"},
		{[]string{"serve"}, `the argument "serve" is not known`},
	} {
		cmd := exec.CommandContext(t.Context(), program, c.args...)
		cmd.Env = []string{"HOME=/"}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: %q, %v, want %q and a failure", c.args, out, err, c.want)
		}
	}
}
