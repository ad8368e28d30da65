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
	"narthex/query"
	"narthex/tsdb"
	"narthex/viewer"
)

// serve is the whole program on one machine.
func serve(ctx context.Context, args []string, t terminal) error {
	f := flags("serve", t)
	file := f.String("config", "", "")
	listen := f.String("listen", "", "")
	data := f.String("data", "", "")
	insecure := f.Bool("insecure-no-auth", false, "")
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
	// The embedded store tells each step of its start; its warnings are enough.
	storeLog, _ := logger(t.err, *format, level(*debug, slog.LevelWarn))
	c, err := load(*file)
	if err != nil {
		return err
	}
	if *listen != "" {
		c.Listen = *listen
	}
	if *data != "" {
		c.Data = *data
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return usageError("listen: %v; want host:port, such as 127.0.0.1:9091", err)
	}
	local := app.IsLoopback(c.Listen)
	if !local && !*insecure {
		return usageError("%s can be reached from other machines, and this version has no authentication: listen on 127.0.0.1, or say --insecure-no-auth if whoever can connect may push and read", c.Listen)
	}
	return serveOn(ctx, c, log, storeLog, t.out, !local)
}

func serveOn(ctx context.Context, c *config.Config, log, storeLog *slog.Logger, out io.Writer, anyHost bool) (err error) {
	// The port first: a second start should say so, not fight for the data.
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; is another narthex running? --listen takes another address", c.Listen, err)
	}
	defer ln.Close()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	db, err := tsdb.Open(filepath.Join(c.Data, "tsdb"), tsdb.Options{
		Retention: c.Storage.Retention, OutOfOrderTimeWindow: c.Storage.OutOfOrderTimeWindow,
		Logger: storeLog, Registerer: reg,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	api := query.New(query.Options{
		Queryable: db, ExemplarQueryable: db, Metadata: db.Metadata, Stats: db.Stats, Chunks: db.Chunks,
		Retention: model.Duration(c.Storage.Retention).String(),
		Logger:    log,
	})
	a, err := app.New(ctx, app.Options{
		Config: c, Sink: db, Logger: log, Version: version(), AnyHost: anyHost,
		Metrics: func(w io.Writer) error { return gather(w, reg) },
		Mount: func(mux *http.ServeMux) {
			api.Mount(mux)
			mux.Handle("/", viewer.Handler(viewer.Options{}))
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	url := "http://" + ln.Addr().String()
	log.Info("ready", "url", url, "data", c.Data, "tick", c.ScrapeInterval)
	fmt.Fprintf(out, "narthex is ready at %s\nsee it   open %s in a browser\npush     curl -d '{\"counters\":[{\"name\":\"hello_total\",\"add\":1}]}' %s/api/v1/push\n", url, url, url)
	err = a.Serve(ctx, ln)
	log.Info("stopped")
	return err
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

// load reads the configuration; no file means the defaults.
func load(file string) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	c, err := config.Load(file, os.LookupEnv)
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
