package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// note adds a line to the journal, which several processes write.
func note(format string, args ...any) {
	f, err := os.OpenFile(os.Getenv("JOURNAL"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintf(f, format+"\n", args...)
}

// journal reads what note has written.
func journal(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// extension returns this program under a name, which is the extension's.
func extension(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self(t), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// ext is a client of the Extensions API. reported gets a value for each report
// that telemetry brings.
type ext struct {
	id       string
	reported chan struct{}
}

func register(name string, events ...string) (*ext, error) {
	body, _ := json.Marshal(map[string]any{"events": events})
	resp := post("/2020-01-01/extension/register", string(body), "Lambda-Extension-Name", name, "Lambda-Extension-Accept-Feature", "accountId")
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), `"accountId":"123456789012"`) {
		return nil, fmt.Errorf("%s: %s %v", resp.Status, text, err)
	}
	return &ext{resp.Header.Get("Lambda-Extension-Identifier"), make(chan struct{}, 100)}, nil
}

// call makes a request and returns the answer.
func (e *ext) call(method, path, body string) (int, string) {
	r, err := http.NewRequest(method, api(path), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if e.id != "" {
		r.Header.Set("Lambda-Extension-Identifier", e.id)
	}
	r.Header.Set("Lambda-Extension-Function-Error-Type", "Extension.Test")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	return resp.StatusCode, string(text)
}

// watch is an extension that writes down what it gets. WATCH says what else it
// does.
func watch() {
	name, mode := filepath.Base(os.Args[0]), os.Getenv("WATCH")
	e, err := register(name, "INVOKE", "SHUTDOWN")
	if err != nil {
		panic(err)
	}
	note("%s registered", name)
	if mode == "telemetry" {
		e.subscribe()
	}
	if mode == "init-error" {
		code, _ := e.call("POST", "/2020-01-01/extension/init/error", "{}")
		note("init error %d", code)
		os.Exit(1)
	}
	for invoked := 0; ; invoked++ {
		_, text := e.call("GET", "/2020-01-01/extension/event/next", "")
		var event struct {
			EventType, RequestID, ShutdownReason, InvokedFunctionArn string
			DeadlineMs                                               int64
			Tracing                                                  struct{ Type, Value string }
		}
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			panic(err)
		}
		left := time.Until(time.UnixMilli(event.DeadlineMs))
		note("%s %s%s within=%v", event.EventType, event.RequestID, event.ShutdownReason, left > 0 && left <= 20*time.Second)
		switch {
		case event.EventType == "SHUTDOWN" && mode == "stay":
			select {}
		case event.EventType == "SHUTDOWN":
			if mode == "telemetry" {
				e.awaitReports(invoked)
			}
			note("%s goes", name)
			os.Exit(0)
		case mode == "crash":
			os.Exit(9)
		case mode == "slow":
			time.Sleep(300 * time.Millisecond) // it is what slow means
			note("slow is done")
		}
	}
}

// awaitReports waits for a report of each invocation.
func (e *ext) awaitReports(invocations int) {
	for range invocations {
		<-e.reported
	}
}

// subscribe writes the types of telemetry into the journal, and the whole of
// reports.
func (e *ext) subscribe() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(ln, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var list []struct {
			Time   time.Time
			Type   string
			Record json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			note("telemetry is no JSON: %v", err)
		}
		for _, x := range list {
			note("telemetry %s %s", x.Type, x.Record)
			if x.Type == "platform.report" {
				e.reported <- struct{}{}
			}
		}
	}))
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	body := func(uri, types, buffering string) string {
		return fmt.Sprintf(`{"schemaVersion":"2022-12-13","types":%s,"buffering":%s,"destination":{"protocol":"HTTP","URI":%q}}`, types, buffering, uri)
	}
	good := "http://sandbox.localdomain:" + port + "/"
	for _, bad := range []string{
		"{", body("http://example.com:1", `["platform"]`, "{}"), body("http://sandbox.localdomain", `["platform"]`, "{}"), body(good, `[]`, "{}"), body(good, `["x"]`, "{}"),
		body(good, `["platform"]`, `{"timeoutMs":1}`),
	} {
		if code, text := e.call("PUT", "/2022-07-01/telemetry", bad); code != http.StatusBadRequest || !strings.Contains(text, "ValidationError") {
			note("%s is taken: %d %s", bad, code, text)
		}
	}
	if code, text := e.call("PUT", "/2022-07-01/telemetry", body(good, `["platform","function"]`, `{"timeoutMs":25}`)); code != http.StatusOK {
		note("the subscription is refused: %d %s", code, text)
	}
}

// official is a function over AWS's own runtime client.
func official() {
	options := []lambda.Option{}
	if os.Getenv("SIGTERM") != "" {
		options = append(options, lambda.WithEnableSIGTERM(func() { note("SIGTERM") }))
	}
	if os.Getenv("STAY") != "" {
		signal.Ignore(syscall.SIGTERM)
	}
	lambda.StartWithOptions(func(ctx context.Context, event map[string]any) (any, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		switch event["do"] {
		case "fail":
			return nil, errors.New("so it is")
		case "panic":
			panic("boo")
		case "deadline":
			<-ctx.Done()
			return "late", nil
		case "large":
			return strings.Repeat("x", 7<<20), nil
		}
		return map[string]any{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB,
			"seconds": time.Until(deadline).Round(time.Second).Seconds(), "event": event}, nil
	}, options...)
}

// contains reports whether the journal has a line that begins so.
func contains(lines []string, prefix string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
}
