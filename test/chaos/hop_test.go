//go:build linux

package chaos

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"
)

// hop is a proxy that does to requests what networks, proxies and busy servers
// do.
type hop struct {
	to  string
	url string

	mu    sync.Mutex
	r     *rand.Rand
	kinds []string
	share float64
	seen  map[string]int
	late  sync.WaitGroup
	over  chan struct{}
}

// newHop starts one; what it does to which request is not replayed by the seed,
// for requests come in no fixed order.
func newHop(r *run, to string, stream uint64) *hop {
	h := &hop{to: to, r: rand.New(rand.NewPCG(r.seed, stream)), seen: map[string]int{}, over: make(chan struct{})}
	server := httptest.NewServer(h)
	h.url = server.URL
	r.Cleanup(func() {
		close(h.over)
		server.CloseClientConnections()
		server.Close()
		h.late.Wait()
	})
	return h
}

// spoil has a share of the requests meet one of the faults, none with none.
func (h *hop) spoil(share float64, kinds ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kinds, h.share = kinds, share
}

// pick returns the fault that a request meets, and a time for it.
func (h *hop) pick() (kind string, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.kinds) == 0 || h.r.Float64() >= h.share {
		return "", 0
	}
	kind = h.kinds[h.r.IntN(len(h.kinds))]
	h.seen[kind]++
	return kind, time.Duration(h.r.IntN(400)) * time.Millisecond
}

func (h *hop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the sender was killed, or gave up
	}
	kind, wait := h.pick()
	if h.before(w, r, body, kind, wait) {
		return
	}
	resp, answer, err := h.forward(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch kind {
	case "lose":
		panic(http.ErrAbortHandler)
	case "after":
		refuse(w, http.StatusServiceUnavailable)
		return
	case "late":
		h.again(r, body, 200*time.Millisecond+4*wait)
	}
	maps.Copy(w.Header(), resp.Header)
	if kind == "half" {
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)+10))
		w.WriteHeader(resp.StatusCode)
		w.Write(answer[:len(answer)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

// before is what happens before a request is passed on; it reports whether that
// was all.
func (h *hop) before(w http.ResponseWriter, r *http.Request, body []byte, kind string, wait time.Duration) (done bool) {
	switch kind {
	case "refuse":
		panic(http.ErrAbortHandler)
	case "error":
		refuse(w, http.StatusInternalServerError)
		return true
	case "limited":
		w.Header().Set("Retry-After", []string{"0", "1", time.Now().UTC().Format(http.TimeFormat), "nonsense"}[wait%4])
		refuse(w, http.StatusTooManyRequests)
		return true
	case "hang":
		select {
		case <-r.Context().Done():
		case <-h.over:
		}
		panic(http.ErrAbortHandler)
	case "slow":
		select {
		case <-time.After(wait):
		case <-h.over:
		}
	case "twice":
		h.again(r, body, 0)
	}
	return false
}

// again passes the request on once more by itself, after a time, whatever becomes
// of it.
func (h *hop) again(r *http.Request, body []byte, after time.Duration) {
	copied := r.Clone(r.Context())
	h.late.Go(func() {
		select {
		case <-time.After(after):
			_, _, _ = h.forward(copied, body)
		case <-h.over:
		}
	})
}

func (h *hop) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	out, err := http.NewRequest(r.Method, h.to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	out.Header = r.Header.Clone()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set(onTheWay, "1")
	http.Error(w, "a fault", code)
}
