package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"narthex/lambda"
)

// TestDeadline is run on a fake clock: each handler is given an invocation of so
// long, and the answer has to come before its end.
func TestDeadline(t *testing.T) {
	obeys := func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "I stopped")
	}
	for _, c := range []struct {
		name    string
		timeout time.Duration
		handler http.HandlerFunc
		code    int
		after   time.Duration
	}{
		{"obeys, margin of 10%", 3 * time.Second, obeys, 503, 2700 * time.Millisecond},
		{"obeys, margin of 500 ms", time.Minute, obeys, 503, 59500 * time.Millisecond},
		{"slow to stop", 3 * time.Second, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(100 * time.Millisecond) // of the fake clock
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 503, 2800 * time.Millisecond},
		{"does not stop", 3 * time.Second, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Hour)
			if _, err := io.WriteString(w, "late"); !errors.Is(err, http.ErrHandlerTimeout) {
				t.Errorf("a late write returned %v, want ErrHandlerTimeout", err)
			}
		}, 504, 2850 * time.Millisecond},
		{"panics late", 3 * time.Second, func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Hour)
			panic("late")
		}, 504, 2850 * time.Millisecond},
		{"time is up already", 0, func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Hour)
		}, 504, 0},
		{"in time", 3 * time.Second, func(http.ResponseWriter, *http.Request) {}, 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				ctx, cancel := context.WithDeadline(t.Context(), start.Add(c.timeout))
				defer cancel()
				f := &lambda.Function{Logger: quiet(), HTTP: c.handler}
				r := invoke(t, ctx, f, event(t, "url-get"))
				if took := time.Since(start); r.StatusCode != c.code || took != c.after {
					t.Errorf("the answer is %d after %v, want %d after %v", r.StatusCode, took, c.code, c.after)
				}
				if r.StatusCode == 504 && !strings.Contains(r.Body, `"errorType":"timeout"`) {
					t.Errorf("the answer does not explain itself: %s", r.Body)
				}
				time.Sleep(2 * time.Hour) // until the handlers left behind are done
			})
		})
	}
}

// lines invokes f with the events and returns what it logged.
func lines(t *testing.T, f *lambda.Function, events ...[]byte) []map[string]any {
	t.Helper()
	var log bytes.Buffer
	f.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	for _, e := range events {
		_, _ = f.Invoke(t.Context(), e) // what it answers is for other tests
	}
	var out []map[string]any
	for dec := json.NewDecoder(&log); dec.More(); {
		var m map[string]any
		if err := dec.Decode(&m); err != nil {
			t.Fatalf("the log is not JSON: %v", err)
		}
		out = append(out, m)
	}
	return out
}

func TestLog(t *testing.T) {
	f := &lambda.Function{
		RequestID: func(context.Context) string { return "lambda-id" },
		HTTP:      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}
	got := lines(t, f, event(t, "url-get"), event(t, "s3"))
	if len(got) != 2 {
		t.Fatalf("2 invocations gave %d lines: %v", len(got), got)
	}
	for i, want := range []map[string]any{
		{"level": "INFO", "msg": "invocation", "request_id": "lambda-id", "event": "http", "method": "GET",
			"path": "/api/v1/label/a%2Fb/values", "status": 418.0, "cold_start": true},
		{"level": "ERROR", "msg": "invocation", "request_id": "lambda-id", "event": "unknown", "cold_start": false},
	} {
		for k, v := range want {
			if got[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i, k, got[i][k], v)
			}
		}
		if d, ok := got[i]["duration_seconds"].(float64); !ok || d < 0 {
			t.Errorf("line %d: the duration is %v", i, got[i]["duration_seconds"])
		}
	}
	if err, ok := got[1]["err"].(string); !ok || !strings.Contains(err, "S3") {
		t.Errorf("the second line's err is %v", got[1]["err"])
	}
}

func TestPanicIsLogged(t *testing.T) {
	f := &lambda.Function{HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") })}
	got := lines(t, f, event(t, "url-get"))
	if len(got) != 2 {
		t.Fatalf("a panic gave %d lines, want its own and the invocation's: %v", len(got), got)
	}
	stack, _ := got[0]["stack"].(string)
	if got[0]["panic"] != "broken" || got[0]["request_id"] != "event-id-1" || !strings.Contains(stack, "TestPanicIsLogged") {
		t.Errorf("the panic's line is %v", got[0])
	}
	if got[1]["status"] != 500.0 {
		t.Errorf("the invocation's line is %v, want the status 500", got[1])
	}
}
