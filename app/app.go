// Package app makes a running program of a configuration: the ledger, the doors
// that feed it, the tick that empties it, and the HTTP server around them. What
// only the full program has (the embedded store, the query API, the viewer) is
// handed in, so that the Lambda function can use this package without linking
// it.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"narthex"
	"narthex/config"
	"narthex/internal/stats"
	"narthex/ledger"
	"narthex/logs"
	"narthex/probe"
	"narthex/push"
	"narthex/scrape"
)

// Options are an App's parts.
type Options struct {
	Config *config.Config
	// Sink is the embedded store; nil if there is none, with storage: none.
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
	// Probes are what this program's probes can do that not every one's can.
	Probes probe.Features
	// Access is who may come in; nil is everybody.
	Access *Access
	// Connections is how many may be open at a time; 0 is 4,096. Those beyond wait.
	Connections int
	Logger      *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// App is a ledger with its doors.
type App struct {
	o          Options
	ledger     *ledger.Ledger
	outlets    []outlet
	meters     []namedMeter // of the destinations
	scraper    *scrape.Scraper
	logSources []logSource
	logStats   *logs.Stats // nil without sources
	probes     *probes
	handler    http.Handler
	stats      stats.Set
	rejected   atomic.Uint64 // series, at all doors
	started    time.Time
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
	out, err := outlets(c, o.Version, o.Logger)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, outlets: out, started: o.Now()}
	others, bounds := sinks(out)
	for _, name := range slices.Sorted(maps.Keys(others)) {
		others[name] = a.metered(name, others[name])
	}
	commits := a.stats.Histogram("narthex_ledger_commit_duration_seconds", "How long a group commit took: a write of the log and its fsync.", durations()...)
	ticks := a.stats.Histogram("narthex_ledger_tick_duration_seconds", "How long after its time all destinations had taken a tick; those that they did not take do not count.", durations()...)
	l, err := ledger.Open(ctx, ledger.Options{
		Dir:    filepath.Join(c.Data, "ledger"),
		Sink:   a.metered("store", o.Sink),
		Others: others,
		Bounds: bounds,
		Now:    o.Now,
		Logger: o.Logger,

		Committed: func(d time.Duration) { commits.Observe(d.Seconds()) },
		Ticked:    func(d time.Duration) { ticks.Observe(d.Seconds()) },
		Policy: ledger.Policy{
			Interval: c.ScrapeInterval, Settle: c.Ledger.Settle, Heartbeat: c.Ledger.Heartbeat,
			Idle: c.Ledger.Idle, Forget: c.Ledger.Forget, Horizon: c.Ledger.Horizon,
			MaxSeries: c.Limits.Series,
		},
	})
	if err != nil {
		return nil, err
	}
	a.ledger = l
	if a.scraper, err = a.newScraper(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.newLogs(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.newProbes(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.handler = a.routes()
	return a, nil
}

// Handler returns everything the program serves.
func (a *App) Handler() http.Handler { return a.handler }

// Close finishes what was begun and closes the ledger.
func (a *App) Close() error {
	err := a.ledger.Close()
	for _, o := range a.outlets {
		err = errors.Join(err, o.client.Close())
	}
	return err
}

const maxConnections = 4096

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
	srv.TLSConfig = a.o.Access.TLS()
	// Idle ones take memory and file descriptors, which the ledger's files need.
	ln = netutil.LimitListener(ln, cmp.Or(a.o.Connections, maxConnections))
	go func() {
		if srv.TLSConfig != nil {
			failed <- srv.ServeTLS(ln, "", "")
			return
		}
		failed <- srv.Serve(ln)
	}()
	ticking := make(chan struct{})
	tickCtx, stopTicks := context.WithCancel(ctx)
	go func() {
		defer close(ticking)
		var both sync.WaitGroup
		both.Go(func() { a.tick(tickCtx) })
		both.Go(func() { a.scraper.Run(tickCtx) })
		both.Go(func() { a.followLogs(tickCtx) })
		both.Go(func() { a.probes.Run(tickCtx) })
		both.Wait()
	}()
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

// stopWait is how long a program that stops waits for a tick. Its totals go out
// with the first tick of the next start.
const stopWait = 3 * time.Second

// tick calls the ledger at each multiple of the interval until ctx ends. Ticks
// may overlap: a destination that takes long must not delay the others.
func (a *App) tick(ctx context.Context) {
	interval := a.o.Config.ScrapeInterval
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	var under sync.WaitGroup
	defer under.Wait()
	for {
		now := a.o.Now().UnixMilli()
		timer.Reset(time.Duration(ledger.Grid(now, interval)+interval.Milliseconds()-now) * time.Millisecond)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		under.Go(func() {
			// A tick that has begun is finished also while the program stops.
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(interval, 30*time.Second))
			defer cancel()
			defer context.AfterFunc(ctx, func() { time.AfterFunc(stopWait, cancel) })()
			if err := a.ledger.Tick(bounded); err != nil {
				a.o.Logger.Warn("a tick was not written everywhere; its totals go out with the next one", "err", err)
			}
		})
	}
}

// routes returns the guarded doors.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	c := a.o.Config
	a.stats.CounterFunc("narthex_push_rejected_series_total", "Series that the doors have rejected: as they were read, by a limit, in the ledger or in the store.", a.rejected.Load)
	receipts := a.stats.CounterVec("narthex_push_requests_total", "Requests to push, by the answer's status code.", "code")
	limits, times := NewLimiter(c, func(identity, id string) bool {
		_, ok := a.ledger.Lookup(identity, id)
		return ok
	}), NewTimePolicy(c)
	limits.Register(&a.stats)
	times.Register(&a.stats)
	stages := func(next narthex.Sink) narthex.Sink { return times.Before(limits.Before(next)) }
	samples, describe := a.samples(stages)
	o := PushOptions(c)
	o.Sink, o.Samples, o.Describe = stages(a.ledger), samples, describe
	o.Lookup = func(_ context.Context, identity, id string) (push.Outcome, bool, error) {
		written, ok := a.ledger.Lookup(identity, id)
		return push.Outcome{Written: written}, ok, nil
	}
	o.Groups, o.Identity, o.ReadsAll = a.groups, IdentityOf, readsAll
	o.Build = map[string]string{"version": a.o.Version, "goVersion": runtime.Version()}
	o.Now, o.Logger = a.o.Now, a.o.Logger
	o.Observe = func(code int, r *push.Receipt) {
		receipts(fmt.Sprint(code)).Add(1)
		a.rejected.Add(uint64(r.Refusals()))
	}
	push.Mount(mux, o)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "narthex is healthy.") })
	mux.HandleFunc("GET /-/ready", a.ready)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("GET /api/v1/status/limits", limitStatus(limits))
	mux.HandleFunc("GET /api/v1/status/destinations", a.destinations)
	mux.HandleFunc("GET /api/v1/status/ledger", a.ledgerState)
	mux.HandleFunc("GET /api/v1/status/cost", a.cost)
	mux.HandleFunc("GET /api/v1/status/viewer", a.viewerStatus)
	mux.HandleFunc("GET /api/v1/targets", a.targets)
	mux.HandleFunc("GET /api/v1/status/logs", a.logReceipts)
	MountTotals(mux, TotalsOptions{Totals: a.ledger, Version: a.o.Version, Logger: a.o.Logger, Now: a.o.Now})
	a.mountProbes(mux)
	a.mountSignIn(mux)
	if a.o.Mount != nil {
		a.o.Mount(mux)
	}
	if c.Storage.None && len(c.Query) == 0 {
		mux.HandleFunc("/", noStore)
	}
	a.register()
	return a.front(a.guard(mux))
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
