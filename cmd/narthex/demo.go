package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"narthex/app"
	"narthex/config"
	"narthex/demo"
)

// serveDemo serves an invented shop, and is its customers.
func serveDemo(ctx context.Context, listen, dir string, log *slog.Logger, out io.Writer) (err error) {
	listen = cmp.Or(listen, config.Default().Listen)
	if !app.IsLoopback(listen) || strings.HasSuffix(listen, ":0") {
		return usageError("--demo listens on this machine only, on a port that is known: %q is not", listen)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "narthex-demo-"); err != nil {
			return fmt.Errorf("make the demo's data directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	c, err := config.Parse("the demo", []byte(demo.Config(listen, dir)), os.LookupEnv)
	if err != nil {
		return err
	}
	shop := &demo.Shop{URL: "http://" + listen, Dir: dir, Logger: log}
	if err := shop.Open(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var fed sync.WaitGroup
	ready := &afterFirstLine{Writer: out, do: func() { fed.Go(func() { shop.Run(ctx) }) }}
	err = serveOn(ctx, c, nil, log, slog.New(slog.DiscardHandler), ready, false)
	stop()
	fed.Wait()
	return err
}

// afterFirstLine calls do when something is written to it for the first time: then
// the program is ready.
type afterFirstLine struct {
	io.Writer
	do func()
}

// Write implements [io.Writer].
func (w *afterFirstLine) Write(p []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.Writer.Write(p)
}
