package test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"narthex"
	"narthex/ledger"
	"narthex/push"
)

// BenchmarkGroup is a push to one of a thousand groups without the network and
// the store: the door, the ledger and its log. It is the one to profile.
func BenchmarkGroup(b *testing.B) {
	sink := narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })
	l, err := ledger.Open(b.Context(), ledger.Options{Dir: b.TempDir(), Sink: sink})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	mux := http.NewServeMux()
	push.Mount(mux, push.Options{Sink: l})
	body := benchBody(rand.New(rand.NewPCG(1, 2)))
	b.SetParallelism(benchClients / 2)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPut, fmt.Sprint("/metrics/job/bench/instance/", rand.IntN(1000)), bytes.NewReader(body))
			w := httptest.NewRecorder()
			if mux.ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Error(w.Code, w.Body)
				return
			}
		}
	})
}
