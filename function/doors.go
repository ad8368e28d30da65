package function

import (
	"context"
	"net/http"

	"narthex"
	"narthex/internal/aws"
	"narthex/internal/reply"
	"narthex/lambda"
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
func (s *serverless) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply.Error(w, http.StatusNotFound, "not_found",
			"this function answers POST /api/v1/push, /api/v1/emf, /api/v1/write and /v1/metrics, GET /api/v1/receipts/<id>, a Pushgateway's pushes, and GET /-/healthy")
	})
	sink, err := s.sink()
	if err != nil {
		unavailable(mux, doors, err)
		return mux
	}
	inner := http.NewServeMux()
	push.Mount(inner, push.Options{
		Sink:     sink,
		Lookup:   s.lookup,
		Names:    narthex.NameScheme{UTF8: true, MaxLabels: 150, MaxName: 128, MaxValue: 2048},
		Identity: identity,
		ReadsAll: func(*http.Request) bool { return false },
		Logger:   s.logger,
	})
	for _, door := range doors {
		mux.Handle(door, inner)
	}
	return mux
}

// unavailable answers the paths with why nothing can be taken, for as long as
// the settings are wrong: the senders keep what they have.
func unavailable(mux *http.ServeMux, paths []string, err error) {
	for _, path := range paths {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			reply.Error(w, http.StatusServiceUnavailable, "unavailable", "pushes can't be taken: "+err.Error())
		})
	}
}

// sink returns where pushes go.
func (s *serverless) sink() (narthex.Sink, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	direct := narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		l, err := s.ledger(ctx)
		if err != nil {
			return err
		}
		return l.Write(ctx, b)
	})
	if s.direct {
		return direct, nil
	}
	session, err := aws.Open(aws.Options{})
	if err != nil {
		return nil, err
	}
	q := &queue.Sink{SQS: session.SQS(), URL: s.queue}
	if s.state != "" {
		q.Direct = direct
	}
	return q, nil
}

// lookup says what became of a push. A function that only queues can't tell.
func (s *serverless) lookup(ctx context.Context, identity, id string) (push.Outcome, bool, error) {
	if s.state == "" {
		return push.Outcome{}, false, nil
	}
	l, err := s.ledger(ctx)
	if err != nil {
		return push.Outcome{}, false, err
	}
	o, ok, err := l.Lookup(ctx, identity, id)
	return push.Outcome{Written: o.Written, Rejected: o.Rejected, Refused: o.Refused}, ok, err
}

// identity says who sent a request, by what stands in front of the function has
// found out. Ids of two identities never meet.
func identity(r *http.Request) (string, narthex.Labels) {
	c, ok := lambda.CallerOf(r.Context())
	if !ok {
		return "", nil
	}
	switch c.Kind {
	case "iam":
		return "iam:" + c.Claims["arn"], nil
	case "jwt":
		return "jwt:" + c.Claims["iss"] + " " + c.Claims["sub"], nil
	}
	return c.Kind + ":" + c.Claims["principalId"], nil
}
