package function

import (
	"context"
	"io"
	"net/http"

	"narthex"
	"narthex/app"
	"narthex/internal/reply"
	"narthex/pipeline"
	"narthex/push"
	"narthex/queue"
)

// doors are the paths that pushes come in by. What lists groups or receipts is
// not among them: no instance of the function knows them all.
var doors = []string{
	"/api/v1/push", "/api/v1/emf", "/api/v1/write", "/v1/metrics", "/api/v1/receipts/{id}", "/metrics/job/", "/metrics/job@base64/",
	"/aggregate/metrics/job/", "/aggregate/metrics/job@base64/",
}

// routes returns what the function answers HTTP requests with.
func (n *instance) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", healthy)
	mux.HandleFunc("/", n.unknownPath)
	var err error
	if n.pushSink, err = n.sink(); err != nil {
		return nil, err
	}
	if n.c.Lambda.Plays("push") {
		if err := n.mountPush(mux); err != nil {
			return nil, err
		}
	}
	if n.probes != nil {
		n.mountProbes(mux)
	}
	return n.front(mux), nil
}

// mountPush adds the doors that pushes come in by.
func (n *instance) mountPush(mux *http.ServeMux) error {
	if n.c.Lambda.Relay.URL != "" {
		up, err := newUpstream(n.c.Lambda.Relay)
		if err != nil {
			return err
		}
		mux.Handle("/api/v1/push", newRelay(up, n.logger))
		return nil
	}
	limits, times := app.NewLimiter(n.c, nil), app.NewTimePolicy(n.c)
	o := app.PushOptions(n.c)
	o.Sink, o.Lookup, o.Identity, o.Logger, o.Now = times.Before(limits.Before(n.pushSink)), n.lookup, n.identity, n.logger, n.o.Now
	o.ReadsAll = func(*http.Request) bool { return false }
	inner := http.NewServeMux()
	push.Mount(inner, o)
	for _, door := range doors {
		mux.HandleFunc(door, func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(pipeline.Delivery(r.Context())))
		})
	}
	return nil
}

// unknownPath says what there is.
func (n *instance) unknownPath(w http.ResponseWriter, _ *http.Request) {
	what := "POST /api/v1/push, /api/v1/emf, /api/v1/write and /v1/metrics, GET /api/v1/receipts/<id>, a Pushgateway's pushes, and GET /-/healthy"
	switch {
	case !n.c.Lambda.Plays("push"):
		what = "GET /-/healthy, for it does not have the role push (lambda.roles)"
		if n.probes != nil {
			what = "GET /probe, /api/v1/probe/… and GET /-/healthy, for it does not have the role push (lambda.roles)"
		}
	case n.c.Lambda.Relay.URL != "":
		what = "POST /api/v1/push and GET /-/healthy; ask the narthex behind it for anything else"
	}
	reply.Error(w, http.StatusNotFound, "not_found", "this function answers "+what)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "narthex is healthy.\n") // to memory
}

// brokenRoutes answers the doors with why nothing can be taken, for as long as
// the configuration is wrong: the senders keep what they have.
func brokenRoutes(err error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply.Error(w, http.StatusNotFound, "not_found", "this function answers GET /-/healthy alone, until its configuration is right")
	})
	for _, path := range doors {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			reply.Error(w, http.StatusServiceUnavailable, "unavailable", "pushes can't be taken: "+err.Error())
		})
	}
	return mux
}

// sink returns where pushes go.
func (n *instance) sink() (narthex.Sink, error) {
	direct := narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		l, err := n.ledger(ctx)
		if err != nil {
			return err
		}
		n.folds.Store(true)
		return l.Write(ctx, b)
	})
	if n.c.Lambda.Direct() {
		return direct, nil
	}
	session, err := n.session()
	if err != nil {
		return nil, err
	}
	q := &queue.Sink{SQS: session.SQS(), URL: n.c.Lambda.Queue}
	if q.Bodies, err = n.bodies(); err != nil {
		return nil, err
	}
	if n.c.Ledger.State != "" {
		q.Direct = direct
	}
	return q, nil
}

// lookup says what became of a push. A function that only queues can't tell.
func (n *instance) lookup(ctx context.Context, identity, id string) (push.Outcome, bool, error) {
	if n.c.Ledger.State == "" {
		return push.Outcome{}, false, nil
	}
	l, err := n.ledger(ctx)
	if err != nil {
		return push.Outcome{}, false, err
	}
	o, ok, err := l.Lookup(ctx, identity, id)
	return push.Outcome{Written: o.Written, Rejected: o.Rejected, Refused: o.Refused}, ok, err
}
