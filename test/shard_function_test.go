package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/internal/awstest"
)

// bootstrap is the Lambda function, built once.
func bootstrap(t testing.TB) string {
	t.Helper()
	path, err := builds.Program("bootstrap", "narthex/cmd/bootstrap", "-tags", "lambda.norpc")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// function is one instance of the function under a runtime API of its own, which
// hands it one invocation at a time.
//
// Source: "Using the Lambda runtime API for custom runtimes".
type function struct {
	t       testing.TB
	server  *httptest.Server
	cmd     *exec.Cmd
	pending chan lambdaEvent
	answers chan lambdaAnswer
	exited  chan struct{}
	log     bytes.Buffer // complete when exited is closed
	stop    sync.Once
}

type lambdaEvent struct {
	body     []byte
	deadline time.Time
}

// lambdaAnswer is what an instance made of an event.
type lambdaAnswer struct {
	body   []byte
	failed bool // it reported an error
	killed bool // it ended before it answered
}

// startFunction starts an instance with no environment but env.
func startFunction(t testing.TB, env ...string) *function {
	t.Helper()
	f := &function{t: t, pending: make(chan lambdaEvent), answers: make(chan lambdaAnswer, 1), exited: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-f.pending:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(e.deadline.UnixMilli()))
			w.Write(e.body)
		case <-r.Context().Done():
		}
	})
	take := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			if err == nil { // else it was killed within it
				f.answers <- lambdaAnswer{body: body, failed: failed}
			}
		}
	}
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/request/response", take(false))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/request/error", take(true))
	f.server = httptest.NewServer(mux)
	f.cmd = exec.Command(bootstrap(t))
	f.cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(f.server.URL, "http://"), "NARTHEX_ALLOW_UNAUTHENTICATED=true"}, env...)
	f.cmd.Stderr = &f.log
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		f.cmd.Wait()
		close(f.exited)
	}()
	t.Cleanup(func() {
		f.kill()
		if t.Failed() {
			text := f.log.String()
			t.Logf("an instance of the function said at the end:\n%s", text[max(0, len(text)-3000):])
		}
	})
	return f
}

// kill ends the instance at once.
func (f *function) kill() {
	f.cmd.Process.Kill()
	<-f.exited
	f.stop.Do(func() {
		f.server.CloseClientConnections()
		f.server.Close()
	})
}

// invoke hands the instance an event.
func (f *function) invoke(event any) lambdaAnswer {
	body, err := json.Marshal(event)
	if err != nil {
		f.t.Error(err)
	}
	select {
	case f.pending <- lambdaEvent{body, time.Now().Add(5 * time.Minute)}:
	case <-f.exited:
		return lambdaAnswer{killed: true}
	}
	select {
	case a := <-f.answers:
		return a
	case <-f.exited:
		return lambdaAnswer{killed: true}
	}
}

// request is an event for an HTTP request.
func httpEvent(method, path, body string) map[string]any {
	return map[string]any{
		"version": "2.0", "rawPath": path, "headers": map[string]string{"content-type": "application/json"}, "body": body,
		"requestContext": map[string]any{"http": map[string]any{"method": method, "sourceIp": "192.0.2.7"}},
	}
}

// http sends an HTTP request and returns the answer, status 0 if the instance was
// killed.
func (f *function) http(method, path, body string) (status int, answer string) {
	a := f.invoke(httpEvent(method, path, body))
	if a.killed {
		return 0, ""
	}
	var r struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(a.body, &r); err != nil || a.failed {
		f.t.Errorf("%s %s was answered %s (%v)", method, path, a.body, err)
	}
	return r.StatusCode, r.Body
}

// awsEnv is the environment of a function whose AWS is at the endpoints, by
// service.
func awsEnv(endpoints map[string]string) []string {
	env := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + awstest.Key, "AWS_SECRET_ACCESS_KEY=" + awstest.Secret}
	for service, endpoint := range endpoints {
		env = append(env, "AWS_ENDPOINT_URL_"+strings.ToUpper(service)+"="+endpoint)
	}
	return env
}
