// Package app makes a running program of a configuration: the ledger, the doors
// that feed it, the tick that empties it, and the HTTP server around them. What
// only the full program has (the embedded store, the query API, the viewer) is
// handed in, so that the Lambda function can use this package without linking
// it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"narthex"
	"narthex/config"
	"narthex/internal/stats"
	"narthex/ledger"
	"narthex/push"
)

// Options are an App's parts.
type Options struct {
	Config *config.Config
	// Sink is the store.
	Sink narthex.Sink
	// Mount adds the handlers of the parts that only the full program has.
	Mount func(*http.ServeMux)
	// Metrics, if not nil, writes further metrics to /metrics, in the text
	// exposition format.
	Metrics func(io.Writer) error
	// Version is what the metrics and the log call this build.
	Version string
	// AnyHost leaves the Host header unchecked: whoever listens beyond loopback
	// without authentication asked for it.
	AnyHost bool
	Logger  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// App is a ledger with its doors.
type App struct {
	o       Options
	ledger  *ledger.Ledger
	handler http.Handler
	stats   stats.Set
	started time.Time
}

// New opens the ledger under the configuration's data directory and builds the
// doors. The caller closes it.
func New(ctx context.Context, o Options) (*App, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := o.Config
	l, err := ledger.Open(ctx, ledger.Options{
		Dir:    filepath.Join(c.Data, "ledger"),
		Sink:   o.Sink,
		Now:    o.Now,
		Logger: o.Logger,
		Policy: ledger.Policy{
			Interval: c.ScrapeInterval, Settle: c.Ledger.Settle, Heartbeat: c.Ledger.Heartbeat,
			Idle: c.Ledger.Idle, Forget: c.Ledger.Forget, Horizon: c.Ledger.Horizon,
			MaxSeries: c.Limits.Series,
		},
	})
	if err != nil {
		return nil, err
	}
	a := &App{o: o, ledger: l, started: o.Now()}
	a.handler = a.routes()
	return a, nil
}

// Handler returns everything the program serves.
func (a *App) Handler() http.Handler { return a.handler }

// Close finishes what was begun and closes the ledger.
func (a *App) Close() error { return a.ledger.Close() }

// Serve answers requests on ln and ticks until ctx ends. It then stops taking
// requests, finishes those under way and returns; what it acknowledged is
// durable with or without that.
func (a *App) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute, // a query may take two, its answer longer
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.o.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	ticking := make(chan struct{})
	tickCtx, stopTicks := context.WithCancel(ctx)
	go func() { defer close(ticking); a.tick(tickCtx) }()
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err = srv.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
			a.o.Logger.Warn("some requests did not end in time and were cut off")
			err = srv.Close()
		}
	}
	stopTicks()
	<-ticking
	return err
}

// tick calls the ledger at each multiple of the interval until ctx ends.
func (a *App) tick(ctx context.Context) {
	interval := a.o.Config.ScrapeInterval
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		now := a.o.Now().UnixMilli()
		timer.Reset(time.Duration(ledger.Grid(now, interval)+interval.Milliseconds()-now) * time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		// A tick that has begun is finished also while the program stops.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(interval, 30*time.Second))
		if err := a.ledger.Tick(bounded); err != nil {
			a.o.Logger.Warn("a tick was not written; its totals go out with the next one", "err", err)
		}
		cancel()
	}
}

// routes returns the guarded doors.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	c := a.o.Config
	receipts := a.stats.CounterVec("narthex_push_requests_total", "Requests to push, by the answer's status code.", "code")
	var rules []push.Rule
	for _, r := range c.Rules() {
		rules = append(rules, push.Rule(r))
	}
	var ttls []push.TTLRule
	for _, r := range c.Push.GroupTTL {
		ttls = append(ttls, push.TTLRule(r))
	}
	push.Mount(mux, push.Options{
		Sink: a.ledger,
		Lookup: func(identity, id string) (push.Outcome, bool) {
			written, ok := a.ledger.Lookup(identity, id)
			return push.Outcome{Written: written}, ok
		},
		Names: narthex.NameScheme{
			UTF8: c.UTF8Names, MaxLabels: c.Limits.LabelsPerSeries,
			MaxName: c.Limits.LabelNameLength, MaxValue: c.Limits.LabelValueLength,
		},
		Limits:  push.Limits{Body: c.Limits.Body, Series: c.Limits.SeriesPerPush},
		Rules:   rules,
		Layouts: c.Histograms, GroupTTL: ttls,
		Groups:  a.groups,
		Build:   map[string]string{"version": a.o.Version, "goVersion": runtime.Version()},
		Horizon: c.Ledger.Horizon,
		Now:     a.o.Now,
		Logger:  a.o.Logger,
		Observe: func(code int, _ *push.Receipt) { receipts(fmt.Sprint(code)).Add(1) },
	})
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "narthex is healthy.") })
	mux.HandleFunc("GET /-/ready", a.ready)
	mux.HandleFunc("GET /metrics", a.metrics)
	if a.o.Mount != nil {
		a.o.Mount(mux)
	}
	a.register()
	return a.guard(mux)
}

// groups returns the ledger's groups as the push doors tell them.
func (a *App) groups() []push.GroupState {
	var out []push.GroupState
	for _, g := range a.ledger.Groups() {
		out = append(out, push.GroupState(g))
	}
	return out
}

// ready says whether a push would be taken.
func (a *App) ready(w http.ResponseWriter, _ *http.Request) {
	if err := a.ledger.Err(); err != nil {
		http.Error(w, "narthex can't take pushes: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "narthex is ready.")
}
