// Bootstrap-view is narthex's viewer as a function on AWS Lambda (runtime
// provided.al2023): the page, sign-in, and the signing proxy to Amazon Managed
// Prometheus or any other Prometheus API. It keeps nothing, and wants no server
// and no store.
//
// Requests come in through a function URL or an API Gateway HTTP API. What it
// shows and to whom is narthex's configuration (query, auth, viewer):
//
//	NARTHEX_CONFIG            the configuration itself, in YAML, or where it is: a file,
//	                          s3://bucket/key, ssm:/name or secretsmanager:name; default
//	                          narthex.yml beside the program
//	NARTHEX_INSECURE_NO_AUTH  1 lets everybody in who has the address
//
// viewer.sign_in wants keys, which outlive the function's instances; without
// viewer.external_url the function's own address is taken. docs/viewer.md has the
// whole.
package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"narthex/app"
	"narthex/auth"
	"narthex/internal/reply"
	"narthex/internal/stats"
	"narthex/lambda"
	"narthex/lambda/start"
	"narthex/query/syntax"
	"narthex/viewer"
)

func main() { start.Main("bootstrap-view", open) }

func open(p start.Process) awslambda.Handler {
	handler := &opening{open: func() (http.Handler, error) { return view(p) }, logger: p.Logger}
	handler.get() // while the processor is not rationed
	return &lambda.Function{HTTP: handler, RequestID: p.RequestID, Logger: p.Logger}
}

// maxAnswer is how large an answer is read. What is sent of it is compressed, and
// Lambda allows 6 MB.
const maxAnswer = 24 << 20

// view returns what the configuration shows.
func view(p start.Process) (http.Handler, error) {
	c, err := app.Settings{Getenv: p.Getenv}.Read(context.Background())
	if err != nil {
		return nil, err
	}
	access, err := app.NewAccess(c, app.AccessOptions{
		Logger: p.Logger, TrustHost: true,
		Caller: func(ctx context.Context) (auth.Caller, bool) {
			caller, ok := lambda.CallerOf(ctx)
			return auth.Caller(caller), ok
		},
	})
	if err != nil {
		return nil, err
	}
	set := new(stats.Set)
	backends, err := app.NewBackends(c, app.BackendOptions{
		Format: syntax.Format, Parse: syntax.Parse, MaxAnswer: maxAnswer, Version: p.Version, Stats: set, Logger: p.Logger,
	})
	if err != nil {
		return nil, err
	}
	page := viewer.Handler(viewer.Options{})
	return app.NewView(app.Options{
		Config: c, Access: access, Version: p.Version, Logger: p.Logger,
		AnyHost: true, // Lambda has found the function by it
		Metrics: func(w io.Writer) error { _, err := set.WriteTo(w); return err },
		Mount: func(mux *http.ServeMux) {
			backends.Mount(mux, backends.Names(), page)
			mux.Handle("/", page)
		},
	}, p.Getenv("NARTHEX_INSECURE_NO_AUTH") == "1")
}

// opening is the view once it could be opened: its settings may be where they can't
// be read for a moment.
type opening struct {
	open   func() (http.Handler, error)
	logger *slog.Logger

	mu      sync.Mutex
	view    http.Handler
	notTill time.Time
}

const reopenAfter = 10 * time.Second

// get returns the view, nil if there is none.
func (o *opening) get() http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.view != nil || time.Now().Before(o.notTill) {
		return o.view
	}
	v, err := o.open()
	if err != nil {
		o.logger.Error("the settings are wrong, and nothing is shown", "err", err)
		o.notTill = time.Now().Add(reopenAfter)
		return nil
	}
	o.view = v
	return v
}

// ServeHTTP implements [http.Handler]. What is wrong may name what is nobody's
// business, so that it is in the log.
func (o *opening) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v := o.get(); v != nil {
		v.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "10")
	reply.Error(w, http.StatusServiceUnavailable, "unavailable", "the viewer's settings are wrong: the function's log says what to do")
}
