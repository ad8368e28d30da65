package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"narthex/app"
	"narthex/config"
	"narthex/docs"
	"narthex/internal/stats"
	"narthex/proxy"
	"narthex/query"
	"narthex/query/syntax"
	"narthex/tsdb"
	"narthex/viewer"
)

const serveHelp = `usage: narthex serve [flags]

Takes pushes on POST /api/v1/push, keeps them in an embedded Prometheus TSDB,
answers Prometheus's HTTP API under /api/v1/ and shows the data in a browser.
Stops cleanly on SIGTERM or Ctrl-C; nothing acknowledged is lost if it is
killed instead.

  --config FILE         the configuration (see narthex check); without one the
                        defaults hold
  --listen HOST:PORT    where to listen (listen, default 127.0.0.1:9091)
  --data DIR            where to keep everything (data, default ./narthex-data)
  --web.config.file FILE
                        TLS and users with passwords, in the format that
                        Prometheus and its exporters share (web_config_file)
  --demo                feed it with an invented small shop, so that every screen
                        can be seen alive; without --data in a directory that is
                        removed afterwards
  --insecure-no-auth    allow to listen beyond this machine without authentication:
                        anybody who can connect may then push and read
  --log-format FORMAT   text or json (default text)
  --debug               log more

Exit codes: 0 stopped when asked, 1 failed, 2 wrong flags or configuration.
`

// serve is the whole program on one machine.
func serve(ctx context.Context, args []string, t terminal) error {
	f := flags("serve", t)
	file := f.String("config", "", "")
	listen := f.String("listen", "", "")
	data := f.String("data", "", "")
	webConfig := f.String("web.config.file", "", "")
	insecure := f.Bool("insecure-no-auth", false, "")
	shop := f.Bool("demo", false, "")
	format := f.String("log-format", "text", "")
	debug := f.Bool("debug", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError("it takes no arguments, but got %q", f.Arg(0))
	}
	log, err := logger(t.err, *format, level(*debug, slog.LevelInfo))
	if err != nil {
		return err
	}
	if *shop {
		if *file != "" {
			return usageError("--demo has a configuration of its own: leave --config out")
		}
		return serveDemo(ctx, *listen, *data, log, t.out)
	}
	// The embedded store tells each step of its start; its warnings are enough.
	storeLog, _ := logger(t.err, *format, level(*debug, slog.LevelWarn))
	c, err := loadToRun(ctx, *file)
	if err != nil {
		return err
	}
	if *listen != "" {
		c.Listen = *listen
	}
	if *data != "" {
		c.Data = *data
	}
	if *webConfig != "" {
		c.WebConfigFile = *webConfig
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return usageError("listen: %v; want host:port, such as 127.0.0.1:9091", err)
	}
	access, err := app.NewAccess(c, app.AccessOptions{Logger: log, SessionKey: func() ([]byte, error) { return app.SessionKey(c.Data) }})
	if err != nil {
		return &exitError{exitUsage, err}
	}
	local := app.IsLoopback(c.Listen)
	switch {
	case local:
	case !access.Required() && !*insecure:
		return usageError("%s can be reached from other machines, and there is no authentication: configure some (docs/auth.md), listen on 127.0.0.1, or say --insecure-no-auth if whoever can connect may push and read", c.Listen)
	case access.Required() && access.TLS() == nil:
		log.Warn("passwords and tokens travel in the clear: have a proxy in front that does TLS, or give tls_server_config in the web configuration file")
	}
	return serveOn(ctx, c, access, log, storeLog, t.out, !local)
}

// serveOn serves what the configuration says.
func serveOn(ctx context.Context, c *config.Config, access *app.Access, log, storeLog *slog.Logger, out io.Writer, anyHost bool) (err error) {
	// The port first: a second start should say so, not fight for the data.
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; is another narthex running? --listen takes another address", c.Listen, err)
	}
	defer ln.Close()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	o := app.Options{Config: c, Logger: log, Version: version(), AnyHost: anyHost, Access: access, Probes: probeFeatures()}
	closeStore, err := withStore(&o, storeLog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	url := "http://" + ln.Addr().String()
	if access.TLS() != nil {
		url = "https://" + ln.Addr().String()
	}
	log.Info("ready", "url", url, "data", c.Data, "tick", c.ScrapeInterval)
	fmt.Fprintf(out, "narthex is ready at %s\n", url)
	if !c.Storage.None {
		fmt.Fprintf(out, "see it   open %s in a browser\n", url)
	}
	fmt.Fprintf(out, "push     curl -d '{\"counters\":[{\"name\":\"hello_total\",\"add\":1}]}' %s/api/v1/push\n", url)
	err = a.Serve(ctx, ln)
	log.Info("stopped")
	return err
}

// withStore opens the embedded store, if there is to be one, and adds to o what
// only a program with one has: queries and the page.
func withStore(o *app.Options, log *slog.Logger) (closeStore func() error, err error) {
	set := new(stats.Set)
	backends, err := app.NewBackends(o.Config, app.BackendOptions{
		Format: syntax.Format, Parse: syntax.Parse, Version: o.Version, Stats: set, Logger: o.Logger,
	})
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	page := viewer.Handler(viewer.Options{})
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.Metrics = func(w io.Writer) error {
		_, err := set.WriteTo(w)
		return errors.Join(err, gather(w, reg))
	}
	manual := http.StripPrefix("/docs", docs.Handler())
	c := o.Config
	if c.Storage.None {
		o.Mount = func(mux *http.ServeMux) {
			mux.Handle("GET /docs/", manual)
			if len(backends) > 0 {
				backends.Mount(mux, backends.Names(), page)
				mux.Handle("/", page)
			}
		}
		return func() error { return nil }, nil
	}
	db, err := tsdb.Open(filepath.Join(c.Data, "tsdb"), tsdb.Options{
		Retention: c.Storage.Retention, OutOfOrderTimeWindow: c.Storage.OutOfOrderTimeWindow,
		Logger: log, Registerer: reg,
	})
	if err != nil {
		return nil, err
	}
	api := query.New(query.Options{
		Queryable: db, ExemplarQueryable: db, Metadata: db.Metadata, Stats: db.Stats, Chunks: db.Chunks,
		Retention: model.Duration(c.Storage.Retention).String(),
		Logger:    o.Logger,
	})
	o.Sink = db
	o.Mount = func(mux *http.ServeMux) {
		mux.Handle("GET /docs/", manual)
		mountStore(mux, api, backends, page)
		mux.Handle("/", page)
	}
	return db.Close, nil
}

// mountStore puts the embedded store's API at the root, or beside the backends
// that are there instead.
func mountStore(mux *http.ServeMux, api *query.API, backends app.Backends, page http.Handler) {
	const name = "embedded"
	names := append(backends.Names(), name)
	inner := http.NewServeMux()
	api.Mount(inner)
	inner.HandleFunc("GET /api/v1/status/backend", func(w http.ResponseWriter, _ *http.Request) {
		proxy.ServeRecord(w, proxy.Own(query.EngineVersion), names)
	})
	inner.Handle("/", page)
	mux.Handle("/backends/"+name+"/", http.StripPrefix("/backends/"+name, inner))
	if len(backends) > 0 {
		backends.Mount(mux, names, page)
		return
	}
	api.Mount(mux)
	mux.HandleFunc("GET /api/v1/status/backend", func(w http.ResponseWriter, _ *http.Request) {
		proxy.ServeRecord(w, proxy.Own(query.EngineVersion), names)
	})
}

// gather writes the registry's metrics in the text format.
func gather(w io.Writer, reg *prometheus.Registry) error {
	families, err := reg.Gather()
	if err != nil {
		return err
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return err
		}
	}
	return nil
}

// load reads the configuration to look at it; no file means the defaults.
func load(file string) (*config.Config, error) {
	return loadWith(file, config.Input{Env: os.LookupEnv})
}

// loadToRun reads it to run the program by it, with the secrets that it refers
// to.
func loadToRun(ctx context.Context, file string) (*config.Config, error) {
	c, err := loadWith(file, config.Input{Env: os.LookupEnv, Secret: app.Secrets(ctx)})
	if err == nil && c.Ledger.State != "" {
		return nil, usageError("%s: ledger.state is where the Lambda function has its totals; this program keeps them under data: leave it out, or give each a file of its own", file)
	}
	return c, err
}

func loadWith(file string, in config.Input) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	c, err := config.ReadFile(file, in)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return c, nil
}

func level(debug bool, otherwise slog.Level) slog.Level {
	if debug {
		return slog.LevelDebug
	}
	return otherwise
}

func logger(w io.Writer, format string, least slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usageError("--log-format is %q: want text or json", format)
}
