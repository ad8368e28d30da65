package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"narthex/internal/reply"
	"narthex/push"
)

// NewView returns what the page over other Prometheus APIs serves: sign-in, the
// page and the backends, which Options.Mount adds, and nothing that is kept here.
// Nobody is let in unless the configuration says who may come, or open is true.
func NewView(o Options, open bool) (http.Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	switch {
	case len(o.Config.Query) == 0:
		return nil, errors.New("query is missing: say which Prometheus API to look at, such as query: {url: https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-…, sigv4: {}}")
	case !o.Access.Required() && !open:
		return nil, errors.New("there is no authentication: configure some (docs/viewer.md), because whoever has the address could read everything")
	}
	a := &App{o: o, started: o.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "narthex is healthy.") })
	mux.HandleFunc("GET /api/v1/status/viewer", a.viewerStatus)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, err := a.stats.WriteTo(w)
		if err == nil && o.Metrics != nil {
			err = o.Metrics(w)
		}
		if err != nil {
			o.Logger.Debug("the metrics were not written whole", "err", err)
		}
	})
	for _, path := range []string{"/api/v1/push", "/api/v1/emf", push.WritePath, push.OTLPPath} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			reply.Error(w, http.StatusNotFound, "not_found", "this narthex only shows what is stored elsewhere, it takes no pushes")
		})
	}
	a.mountSignIn(mux)
	if o.Mount != nil {
		o.Mount(mux)
	}
	a.handler = a.front(a.guard(mux))
	return a.handler, nil
}
