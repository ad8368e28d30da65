package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runtimeAPI stands for Lambda: it hands the function one invocation at a time
// and takes its answers.
//
// Source: "Using the Lambda runtime API for custom runtimes".
type runtimeAPI struct {
	t       *testing.T
	server  *httptest.Server
	pending chan invocation
	answers chan outcome
	exited  chan struct{} // closed when the function's process has ended
	process *os.Process
	stderr  bytes.Buffer // complete when exited is closed
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
}

// outcome is what the function made of an invocation.
type outcome struct {
	id     string
	failed bool // it reported an error
	body   []byte
	at     time.Time
}

// build builds the program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "bootstrap")
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", out, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	return out
}

// start starts the program under the runtime API, with no environment but env.
func start(t *testing.T, program string, env ...string) *runtimeAPI {
	t.Helper()
	a := &runtimeAPI{t: t, pending: make(chan invocation), answers: make(chan outcome, 1), exited: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.take(false))
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.take(true))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the function called %s %s", r.Method, r.URL.Path) // /init/error among others
		http.NotFound(w, r)
	})
	a.server = httptest.NewServer(mux)
	cmd := exec.Command(program)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(a.server.URL, "http://")}, env...)
	cmd.Stderr = &a.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.process = cmd.Process
	go func() {
		_ = cmd.Wait() // it is killed
		close(a.exited)
	}()
	t.Cleanup(func() {
		log := a.stop()
		a.server.Close()
		if t.Failed() {
			t.Logf("the function's log:\n%s", log)
		}
	})
	return a
}

// stop ends the function's process and returns its log.
func (a *runtimeAPI) stop() string {
	_ = a.process.Kill() // an error means that it has ended
	<-a.exited
	return a.stderr.String()
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case in := <-a.pending:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", in.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(in.deadline.UnixMilli()))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:narthex")
		w.Header().Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(in.event) // the test finds out by the missing answer
	case <-r.Context().Done():
	}
}

func (a *runtimeAPI) take(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			a.t.Errorf("reading the function's answer: %v", err)
		}
		w.WriteHeader(http.StatusAccepted)
		a.answers <- outcome{id: r.PathValue("id"), failed: failed, body: body, at: time.Now()}
	}
}

// invoke hands the function an event and returns what it makes of it.
func (a *runtimeAPI) invoke(id string, timeout time.Duration, event []byte) outcome {
	a.t.Helper()
	in := invocation{id: id, event: event, deadline: time.Now().Add(timeout)}
	limit := time.After(timeout + 20*time.Second) // more than Lambda would wait, for a slow machine
	select {
	case a.pending <- in:
	case <-a.exited:
		a.t.Fatalf("the function has ended")
	case <-limit:
		a.t.Fatalf("the function does not ask for an invocation")
	}
	select {
	case out := <-a.answers:
		if out.id != id {
			a.t.Errorf("the function answered the invocation %s, want %s", out.id, id)
		}
		return out
	case <-a.exited:
		a.t.Fatalf("the function ended during an invocation")
	case <-limit:
		a.t.Fatalf("the function does not answer")
	}
	return outcome{}
}

// reply is an HTTP answer of the function.
type reply struct {
	StatusCode int
	Headers    map[string]string
	Body       string
	Base64     bool `json:"isBase64Encoded"`
}

// request invokes the function with a request to its URL.
func (a *runtimeAPI) request(timeout time.Duration, method, path, body string, headers map[string]string) (reply, outcome) {
	a.t.Helper()
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "body": body, "isBase64Encoded": false,
		"requestContext": map[string]any{"requestId": "event", "stage": "$default",
			"http": map[string]any{"method": method, "path": path, "sourceIp": "192.0.2.7"}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	out := a.invoke("request-1", timeout, event)
	if out.failed {
		a.t.Fatalf("the function reported an error: %s", out.body)
	}
	var r reply
	if err := json.Unmarshal(out.body, &r); err != nil {
		a.t.Fatalf("the function's answer is not JSON: %v: %s", err, out.body)
	}
	return r, out
}
