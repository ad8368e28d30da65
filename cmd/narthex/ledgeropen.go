package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/ledger"
	"narthex/shard"
	"narthex/state"
)

// transport returns the way to the ledger that the flags name, and what ends
// it.
func (o *ledgerFlags) transport(ctx context.Context, t terminal) (http.RoundTripper, func() error, error) {
	open := func() error { return nil }
	if o.data == "" && o.state == "" {
		if token := os.Getenv("NARTHEX_TOKEN"); token != "" {
			return bearer{token}, open, nil
		}
		return http.DefaultTransport, open, nil
	}
	c, err := load(o.config)
	if err != nil {
		return nil, nil, err
	}
	log := quiet(t.err)
	var totals app.Totals
	if o.data != "" {
		s, err := ledger.OpenStopped(ctx, ledger.Options{Dir: filepath.Join(o.data, "ledger"), Policy: policyOf(c), Logger: log}, o.create)
		if err != nil {
			return nil, nil, &exitError{exitFailed, err}
		}
		totals, open = s, s.Close
	} else if totals, err = openSharded(ctx, o.state, o.create, policyOf(c), log); err != nil {
		return nil, nil, &exitError{exitUnavailable, err}
	}
	mux := http.NewServeMux()
	app.MountTotals(mux, app.TotalsOptions{Totals: totals, Version: version(), Logger: log, Now: time.Now})
	o.url = "http://ledger"
	return within{mux}, open, nil
}

func policyOf(c *config.Config) ledger.Policy {
	return ledger.Policy{
		Interval: c.ScrapeInterval, Settle: c.Ledger.Settle, Heartbeat: c.Ledger.Heartbeat, Idle: c.Ledger.Idle,
		Forget: c.Ledger.Forget, Horizon: c.Ledger.Horizon, MaxSeries: c.Limits.Series,
	}
}

// within answers requests by a handler of this program.
type within struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (x within) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	w := &pipedAnswer{header: make(http.Header), body: in, begun: make(chan int, 1)}
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	go func() {
		defer in.Close()
		x.handler.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
	}()
	code := <-w.begun
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: w.header, Body: out, ContentLength: -1, Request: r}, nil
}

// pipedAnswer is the answer to a request within the program.
type pipedAnswer struct {
	header http.Header
	body   *io.PipeWriter
	begun  chan int
	done   bool
}

// Header implements [http.ResponseWriter].
func (w *pipedAnswer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *pipedAnswer) WriteHeader(code int) {
	if !w.done {
		w.done = true
		w.begun <- code
	}
}

// Write implements [http.ResponseWriter].
func (w *pipedAnswer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// sharded are totals in a store.
type sharded struct{ *shard.Shards }

func openSharded(ctx context.Context, address string, create bool, p ledger.Policy, log *slog.Logger) (app.Totals, error) {
	store, err := state.Open(ctx, address, state.Options{})
	if err != nil {
		return nil, err
	}
	if there, err := shard.Exists(ctx, store); err != nil || !there && !create {
		return nil, cmp.Or(err, fmt.Errorf("there is no ledger in %s", address))
	}
	s, err := shard.Open(ctx, shard.Options{Store: store, Policy: p, Logger: log})
	if err != nil {
		return nil, err
	}
	return sharded{s}, nil
}

// Find implements [app.Totals].
func (s sharded) Find(ctx context.Context, match func(narthex.Labels) bool, most int) ([]ledger.Total, bool, error) {
	whole, err := s.Snapshot(ctx)
	if err != nil {
		return nil, false, err
	}
	totals, more := whole.Find(match, most)
	return totals, more, nil
}

// Edit implements [app.Totals].
func (s sharded) Edit(ctx context.Context, e *ledger.Entry) ([]narthex.Rejection, error) {
	r := s.Fold(ctx, []*ledger.Entry{e})[0]
	if r.Err == nil && r.Duplicate && len(r.Rejected) == 0 {
		return nil, errors.New("nothing was done: the edit was entered before")
	}
	return r.Rejected, r.Err
}
