package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"narthex/internal/awstest"
	"narthex/lambda/emulator"
)

// A function with a timeout of 3 s whose store hangs answers before it is killed,
// and the retries count once.
func TestDeadlineOfTheFunction(t *testing.T) {
	s3, err := url.Parse(awstest.S3(t))
	if err != nil {
		t.Fatal(err)
	}
	var hangs, hung atomic.Bool
	over := make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(s3)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			hung.Store(true)
			io.Copy(io.Discard, r.Body) // or nobody notices that the sender leaves
			select {
			case <-r.Context().Done():
			case <-over:
			}
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { close(over); store.CloseClientConnections(); store.Close() })
	s := newServer(t, "scrape_interval: 1s\n")
	var killed atomic.Int32
	f, err := emulator.Start(emulator.Options{
		Code: bootstrap(t), Timeout: 3 * time.Second, Memory: 512, RetryDelays: []time.Duration{},
		Env: append(awsEnv(map[string]string{"s3": store.URL}), "NARTHEX_STATE=s3://"+awstest.Bucket+"/deadline", "NARTHEX_MODE=direct", "NARTHEX_INTERVAL=1s",
			"NARTHEX_ALLOW_UNAUTHENTICATED=true", "NARTHEX_REMOTE_WRITE_URL="+s.url()+"/api/v1/write"),
		Report: func(r emulator.Report) {
			if r.Status == "timeout" {
				killed.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	front := httptest.NewServer(f.Front(emulator.Front{}))
	t.Cleanup(front.Close)
	push := func(warm bool) (int, string) {
		t.Helper()
		body := strings.Replace(one("deadline"), "id-deadline", fmt.Sprint("id-", warm), 1)
		return post(t, front.URL+"/api/v1/push", "application/json", []byte(body))
	}
	for _, warm := range []bool{false, true} { // a cold start, and an instance that has the totals in memory
		hangs.Store(true)
		if code, text := push(warm); code != http.StatusServiceUnavailable && code != http.StatusGatewayTimeout || !strings.Contains(text, `"status":"error"`) {
			t.Errorf("warm %v: the store hangs: %d %s", warm, code, text)
		}
		if r, err := f.Invoke(t.Context(), []byte(`{"narthex":"tick"}`)); err != nil || r.ErrorType() == "Sandbox.Timedout" || !hung.Load() {
			t.Errorf("warm %v: a tick: %s, %v, hung %v", warm, r.Payload, err, hung.Load())
		}
		hangs.Store(false)
		if code, text := push(warm); code != http.StatusOK {
			t.Errorf("warm %v: the retry: %d %s", warm, code, text)
		}
	}
	if n := killed.Load(); n > 0 {
		t.Errorf("%d invocations were killed", n)
	}
	eventually(t, "it is counted", func() bool {
		if _, err := f.Invoke(t.Context(), []byte(`{"narthex":"tick"}`)); err != nil {
			t.Fatal(err)
		}
		r := query(t, s.url(), "events_total", time.Time{})
		return len(r) == 1 && r[0].Value.v == "2"
	})
}
