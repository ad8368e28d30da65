package push_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"narthex"
	"narthex/push"
)

// TestPushConcurrent pushes from several goroutines, so that a buffer that is
// reused too early shows: each push must arrive as it was sent.
func TestPushConcurrent(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	mux := http.NewServeMux()
	push.Mount(mux, push.Options{Sink: narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		got[b.ID] = b.Series[0].Labels.String()
		return nil
	})})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				body := fmt.Sprintf(`{"id":"%d-%d","counters":[{"name":"a","labels":{"x":"%s"},"add":1}]}`, g, i, strings.Repeat(fmt.Sprint(g), i))
				r := httptest.NewRequest("POST", "/api/v1/push", strings.NewReader(zipped(body)))
				r.Header.Set("Content-Encoding", "gzip")
				mux.ServeHTTP(httptest.NewRecorder(), r)
				mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/v1/receipts", nil))
			}
		})
	}
	wg.Wait()
	for g := range 8 {
		for i := range 100 {
			want := "a"
			if i > 0 {
				want = fmt.Sprintf(`a{x="%s"}`, strings.Repeat(fmt.Sprint(g), i))
			}
			if id := fmt.Sprintf("%d-%d", g, i); got[id] != want {
				t.Errorf("%s: got %s", id, got[id])
			}
		}
	}
}
