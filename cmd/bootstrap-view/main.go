// Bootstrap-view is narthex's viewer as a function on AWS Lambda (runtime
// provided.al2023): the page, sign-in, and the signing proxy to Amazon Managed
// Prometheus or any other Prometheus API. It keeps nothing, and wants no server
// and no store.
//
// Requests come in through a function URL or an API Gateway HTTP API. What it
// shows and to whom is narthex's configuration (query, auth, viewer):
//
//	NARTHEX_CONFIG            the configuration itself, in YAML, or where it is: a file,
//	                          s3://bucket/key or ssm:/name; default narthex.yml beside the program
//	NARTHEX_INSECURE_NO_AUTH  1 lets everybody in who has the address
//
// viewer.sign_in wants keys, which outlive the function's instances; without
// viewer.external_url the function's own address is taken. docs/viewer.md has the
// whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"narthex/app"
	"narthex/auth"
	"narthex/internal/reply"
	"narthex/internal/stats"
	"narthex/lambda"
	"narthex/query/syntax"
	"narthex/viewer"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bootstrap-view:", err)
		os.Exit(1)
	}
}

// run answers Lambda's invocations. It returns only if it can't.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == "-version" {
		_, err := fmt.Fprintln(stdout, "narthex", version())
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("the argument %q is not known: it takes -version or none", args[0])
	}
	if getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return errors.New("AWS_LAMBDA_RUNTIME_API is not set: this program runs on AWS Lambda, with the runtime provided.al2023; narthex serve shows the same on a machine")
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	slog.SetDefault(logger) // so that what the runtime client logs is JSON too
	if memory, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 64); err == nil && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory << 20 / 4 * 3)
	}
	handler := &opening{open: func() (http.Handler, error) { return view(getenv, logger) }, logger: logger}
	handler.get() // while the processor is not rationed
	f := &lambda.Function{HTTP: handler, RequestID: requestID, Logger: logger}
	awslambda.Start(f)
	return nil
}

// maxAnswer is how large an answer is read. What is sent of it is compressed, and
// Lambda allows 6 MB.
const maxAnswer = 24 << 20

// view returns what the configuration shows.
func view(getenv func(string) string, logger *slog.Logger) (http.Handler, error) {
	c, err := app.Settings{Getenv: getenv}.Read(context.Background())
	if err != nil {
		return nil, err
	}
	access, err := app.NewAccess(c, app.AccessOptions{
		Logger: logger, TrustHost: true,
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
		Format: syntax.Format, Parse: syntax.Parse, MaxAnswer: maxAnswer, Version: version(), Stats: set, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	page := viewer.Handler(viewer.Options{})
	return app.NewView(app.Options{
		Config: c, Access: access, Version: version(), Logger: logger,
		AnyHost: true, // Lambda has found the function by it
		Metrics: func(w io.Writer) error { _, err := set.WriteTo(w); return err },
		Mount: func(mux *http.ServeMux) {
			backends.Mount(mux, backends.Names(), page)
			mux.Handle("/", page)
		},
	}, getenv("NARTHEX_INSECURE_NO_AUTH") == "1")
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

func requestID(ctx context.Context) string {
	if c, ok := lambdacontext.FromContext(ctx); ok {
		return c.AwsRequestID
	}
	return ""
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
