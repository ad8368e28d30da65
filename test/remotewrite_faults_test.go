package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/remotewrite"
)

// faulty is a proxy before a receiver that spoils requests at random.
type faulty struct {
	to    string
	off   atomic.Bool
	mu    sync.Mutex
	r     *rand.Rand
	seen  map[string]int
	close chan struct{}
}

// The faults, each as often as the others. A third of the requests is spared.
var faults = []string{"500", "503 after it was written", "429", "hang", "reset", "reset after it was written", "half an answer", "", "", "", ""}

func (f *faulty) pick() string {
	if f.off.Load() {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := faults[f.r.IntN(len(faults))]
	f.seen[fault]++
	return fault
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fault := f.pick()
	switch fault {
	case "500":
		http.Error(w, "a fault", http.StatusInternalServerError)
		return
	case "429":
		w.Header().Set("Retry-After", []string{"0", time.Now().UTC().Format(http.TimeFormat), "nonsense"}[len(body)%3])
		http.Error(w, "too many", http.StatusTooManyRequests)
		return
	case "hang":
		select {
		case <-r.Context().Done():
		case <-f.close:
		}
		return
	case "reset":
		panic(http.ErrAbortHandler)
	}
	req, err := http.NewRequest(http.MethodPost, f.to, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	switch fault {
	case "503 after it was written":
		http.Error(w, "the answer is gone", http.StatusServiceUnavailable)
	case "reset after it was written":
		panic(http.ErrAbortHandler)
	case "half an answer":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, "HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Wri")
		conn.Close()
	default:
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

// TestFaultsBeforeReceivers: whatever happens between client and receiver, what
// is stored at the end is the truth, to the last increment.
func TestFaultsBeforeReceivers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("NARTHEX_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("NARTHEX_SEED=%d", seed)
	for name, start := range startReceiver() {
		for _, v := range []remotewrite.Version{0, remotewrite.V1} {
			t.Run(name+" "+v.String(), func(t *testing.T) {
				t.Parallel()
				throughFaults(t, start(t), v, rand.New(rand.NewPCG(seed, 0)))
			})
		}
	}
}

func throughFaults(t *testing.T, rc receiver, v remotewrite.Version, r *rand.Rand) {
	f := &faulty{to: rc.write, r: r, seen: map[string]int{}, close: make(chan struct{})}
	proxy := httptest.NewServer(f)
	defer proxy.Close()
	defer close(f.close)
	c := remoteClient(t, proxy.URL, func(o *remotewrite.Options) {
		o.Version, o.Timeout, o.MaxElapsed, o.MaxSamples, o.MinBackoff, o.MaxBackoff = v, 100*time.Millisecond, time.Second, 100, time.Millisecond, 20*time.Millisecond
	})
	l := newLoad(t, c, time.Now().Add(-3*time.Hour))
	failed, ticks, own := 0, 0, 0
	for end := time.Now().Add(time.Duration(scaled(60, 3)) * time.Second); time.Now().Before(end) && ticks < 700; ticks++ {
		l.push(300, 0.3)
		// Samples with times of their own take another way, by the outbox.
		at := time.UnixMilli(l.now.Load())
		b := remoteBatch(remoteSample("own", at, float64(own)), remoteSample("own", at.Add(-time.Second), float64(own), narthex.Label{Name: "x", Value: "y"}))
		b.ID, b.Received, own = fmt.Sprint("own-", own), at, own+1
		if err := l.ledger.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
			t.Fatal(err, b.Rejected)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(20+r.IntN(400))*time.Millisecond)
		if err := l.tick(ctx, 15*time.Second); err != nil {
			failed++
		}
		cancel()
	}
	f.off.Store(true)
	eventually(t, "a tick is written", func() bool { return l.tick(context.Background(), 15*time.Second) == nil })
	l.check(rc)
	at := time.UnixMilli(l.now.Load())
	eventually(t, "the samples with times of their own are written", func() bool {
		got := rc.query(t, "min(count_over_time(own[4h]))", at)
		n := 0.0
		if len(got) == 1 {
			n, _ = strconv.ParseFloat(got[0].Value.v, 64)
		}
		return int(n) == own || !rc.refuses && int(n) >= own // VictoriaMetrics stores a sample twice
	})
	if r := rc.query(t, "count(own)", at); len(r) != 1 || r[0].Value.v != "2" {
		t.Errorf("series: %v", r)
	}
	if failed == 0 || failed == ticks {
		t.Errorf("%d of %d ticks failed: this tests nothing", failed, ticks)
	}
	s := c.Stats()
	t.Logf("%d ticks, %d failed; %d requests, %d retries, %d searches; superseded %d, refused %v; faults %v", ticks, failed, s.Requests, s.Retries, s.Searches, s.Superseded, s.Refused, f.seen)
}
