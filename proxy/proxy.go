// Package proxy answers Prometheus's HTTP API by asking another server for it:
// Amazon Managed Prometheus, Mimir, VictoriaMetrics, Prometheus. It only reads.
//
//	b, err := proxy.New(proxy.Options{Name: "amp", URL: "https://aps-workspaces…/workspaces/ws-…", Transport: signing})
//	b.Mount(mux, "")             // /api/v1/query…
//	b.Mount(mux, "/backends/amp")
//
// It is a proxy with credentials that others don't have, so it hands on little:
//
//   - The address is the configuration's. Of a request only the name of one of
//     the endpoints in the list, and the parameters that this endpoint has, go
//     on; the request that is sent is made anew of them. No header goes either
//     way but those that are listed, and no redirect is followed.
//   - What writes, administers or shows a configuration is not in the list.
//   - An answer has a bound. A list (labels, their values, series) is read as it
//     comes and cut with a warning; anything else that is larger is refused with
//     a sentence, because a part of a query's answer would mislead.
//   - Time, and requests under way of all and of each sender, are bounded.
//
// [Backend.Record] is what the server was found to be able to do, which the page
// asks for. What it lacks of format_query and parse_query is answered here.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"narthex/internal/stats"
)

// Options say which server is asked, and how. URL has to be set.
type Options struct {
	// Name is what errors, metrics and paths call it.
	Name string
	// URL is the address below which /api/v1/query is.
	URL string
	// Transport carries the requests: it signs them, or has credentials. Nil is
	// one without.
	Transport http.RoundTripper
	// Headers are set on each request.
	Headers map[string]string
	// Sender says who sent a request, for MaxPerSender; nil says that all are one.
	Sender func(*http.Request) string
	// Format and Parse answer format_query and parse_query; nil asks the server.
	Format func(query string) (string, error)
	Parse  func(query string) (any, error)

	// Timeout bounds a request (2 min if 0), MaxAnswer the bytes of an answer
	// after decompression (64 MiB), MaxResults the elements of a list (100,000),
	// MaxConcurrent the requests under way (20) and MaxPerSender those of one
	// sender (10).
	Timeout       time.Duration
	MaxAnswer     int64
	MaxResults    int
	MaxConcurrent int
	MaxPerSender  int

	UserAgent string
	// Stats, if not nil, counts requests.
	Stats *stats.Set
	// Logger takes what went wrong here; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Backend is one server that is asked. It may be used from several goroutines.
type Backend struct {
	o        Options
	base     *url.URL
	client   *http.Client
	room     *room
	large    chan struct{} // has a place for each large answer in memory
	requests func(values ...string) *stats.Counter

	mu     sync.Mutex
	record *Record // as last found out
	asking chan struct{}
}

// New returns a Backend. It does not touch the network.
func New(o Options) (*Backend, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the address is not one such as https://prometheus.example: want a scheme, a host and at most a path")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v1")
	o = o.withDefaults()
	b := &Backend{o: o, base: u, room: newRoom(o.MaxConcurrent, o.MaxPerSender), asking: make(chan struct{}, 1), large: make(chan struct{}, maxLarge)}
	b.client = &http.Client{
		Transport: o.Transport,
		// Whoever is redirected to would see the credentials.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	b.requests = o.Stats.CounterVec("narthex_proxy_requests_total", "Requests to other Prometheus APIs, by the answer's status code.", "backend", "endpoint", "code")
	return b, nil
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = 64 << 20
	}
	if o.MaxResults <= 0 {
		o.MaxResults = 100_000
	}
	if o.MaxConcurrent <= 0 {
		o.MaxConcurrent = 20
	}
	if o.MaxPerSender <= 0 {
		o.MaxPerSender = 10
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 20, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
	}
	if o.Sender == nil {
		o.Sender = func(*http.Request) string { return "" }
	}
	if o.Stats == nil {
		o.Stats = new(stats.Set)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Name returns what the backend is called.
func (b *Backend) Name() string { return b.o.Name }

// Mount registers the endpoints, below prefix ("" or such as /backends/amp).
func (b *Backend) Mount(mux *http.ServeMux, prefix string) {
	for name, e := range endpoints() {
		mux.Handle(prefix+"/api/v1/"+name, b.handle(name, e))
	}
	mux.Handle(prefix+"/api/v1/label/{name}/values", b.handle("label_values", labelValues()))
}

// handle answers one endpoint.
func (b *Backend) handle(name string, e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := b.answer(w, r, name, e)
		b.requests(b.o.Name, name, fmt.Sprint(code)).Add(1)
	})
}

// answer answers one request and returns the status code.
func (b *Backend) answer(w http.ResponseWriter, r *http.Request, name string, e endpoint) int {
	form, err := e.form(w, r)
	if err != nil {
		return fail(w, err)
	}
	path, err := e.path(r, name)
	if err != nil {
		return fail(w, err)
	}
	if code, done := b.locally(w, name, form); done {
		return code
	}
	ctx, cancel := context.WithTimeout(r.Context(), b.o.Timeout)
	defer cancel()
	sender := b.o.Sender(r)
	if !b.room.take(ctx, sender) {
		w.Header().Set("Retry-After", "2")
		return fail(w, &problem{http.StatusServiceUnavailable, "too_busy", "too many queries are under way: try again in a moment"})
	}
	defer b.room.give(sender)
	resp, err := b.send(ctx, path, form, e.posts)
	if err != nil {
		return fail(w, b.unreachable(ctx, err))
	}
	defer resp.Body.Close()
	return b.relay(w, r, resp, form, e)
}
