package function_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex/function"
)

// What instances do is counted in series of the function, not of an instance, and
// goes out with what others push; telemetry: false has none of it.
func TestTelemetry(t *testing.T) {
	for _, on := range []bool{true, false} {
		var mu sync.Mutex
		var sent bytes.Buffer
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			packed, _ := io.ReadAll(r.Body)
			body, err := s2.Decode(nil, packed)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			sent.Write(body)
		}))
		defer store.Close()
		config := fmt.Sprintf("ledger: {state: \"file:%s\"}\nremote_write: [{url: %s, protobuf_message: prometheus.WriteRequest}]\nlambda: {allow_unauthenticated: true, telemetry: %v}\n", t.TempDir(), store.URL, on)
		env := map[string]string{"AWS_LAMBDA_FUNCTION_NAME": "narthex-all", "AWS_REGION": "eu-central-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
		now := time.Now().Truncate(time.Minute)
		clock := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
		instance := func() *function.Function {
			return function.New(function.Options{Config: config, Getenv: func(name string) string { return env[name] }, Logger: slog.New(slog.DiscardHandler), Now: clock})
		}
		invoke := func(f *function.Function, event string) {
			t.Helper()
			if answer, err := f.Invoke(t.Context(), []byte(event)); err != nil || bytes.Contains(answer, []byte(`"statusCode":4`)) || bytes.Contains(answer, []byte(`"statusCode":5`)) {
				t.Errorf("%.60s: %s, %v", event, answer, err)
			}
		}
		const push = `{"version":"2.0","rawPath":"/api/v1/push","headers":{"content-type":"application/json"},"body":"{\"counters\":[{\"name\":\"a_total\",\"add\":1}]}","requestContext":{"http":{"method":"POST","sourceIp":"192.0.2.1"}}}`
		for range 3 { // three instances
			invoke(instance(), push)
		}
		f := instance()
		for range 3 {
			mu.Lock()
			now = now.Add(time.Minute)
			mu.Unlock()
			invoke(f, `{"narthex":"tick"}`)
		}
		mu.Lock()
		text := sent.Bytes()
		for _, name := range []string{
			"narthex_function_cold_starts_total", "narthex_function_invocations_total", "narthex_function_init_seconds_total", "narthex_function_memory_limit_bytes",
			"narthex_ledger_entries_total", "narthex_remote_write_samples_total", "narthex-all",
		} {
			if bytes.Contains(text, []byte(name)) != on {
				t.Errorf("telemetry %v: %s is written: %v", on, name, !on)
			}
		}
		if !bytes.Contains(text, []byte("a_total")) {
			t.Error("what was pushed is not written")
		}
		mu.Unlock()
	}
}
