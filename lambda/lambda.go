// Package lambda answers the events that AWS Lambda invokes a function with.
//
// [Function] knows an event by its shape. So far it knows one: the HTTP request
// of payload format 2.0, which a function URL and an API Gateway HTTP API send.
// It is handed to an [http.Handler] and the answer goes back in the same
// format. Any other event is an error that names what was seen.
//
//	f := &lambda.Function{HTTP: mux}
//	answer, err := f.Invoke(ctx, event)
//
// [Function.Invoke] is what aws-lambda-go calls a Handler, so f can be given to
// its Start; this package itself needs only the standard library and the root.
//
// Whatever the handler does, an answer leaves: a panic is a 500, and time that
// is up is a 504, sent before Lambda ends the function.
package lambda

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// Function answers invocations. It must not be copied after the first.
type Function struct {
	// HTTP answers HTTP requests. Nil means that the function has no door, and
	// such a request is an event like any unknown one.
	HTTP http.Handler
	// RequestID returns Lambda's id of the invocation, "" if there is none. Nil
	// means that the id that the event bears is the only one.
	RequestID func(ctx context.Context) string
	// Logger gets a line for each invocation. Nil means slog.Default().
	Logger *slog.Logger

	warm atomic.Bool // invoked before
}

// line is what the log says of an invocation.
type line struct {
	requestID    string
	event        string // "http" or "unknown"
	method, path string // of an HTTP request
	status       int    // of its answer
}

// Invoke answers one event. An error means that the event was not understood;
// what goes wrong with an HTTP request is an answer with a status code. Invoke
// may be called from several goroutines.
//
// The context's deadline is Lambda's, after which the function is killed.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	start, cold := time.Now(), !f.warm.Swap(true)
	l := line{event: "unknown"}
	if f.RequestID != nil {
		l.requestID = f.RequestID(ctx)
	}
	answer, err := f.dispatch(ctx, event, &l)
	attrs := []slog.Attr{
		slog.String("request_id", l.requestID),
		slog.String("event", l.event),
	}
	level := slog.LevelInfo
	if l.event == "http" {
		attrs = append(attrs, slog.String("method", clip(l.method)), slog.String("path", clip(l.path)), slog.Int("status", l.status))
	}
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("err", err))
	}
	attrs = append(attrs,
		slog.Float64("duration_seconds", time.Since(start).Seconds()),
		slog.Bool("cold_start", cold))
	f.logger().LogAttrs(ctx, level, "invocation", attrs...)
	return answer, err
}

// dispatch finds out what the event is and answers it.
func (f *Function) dispatch(ctx context.Context, event []byte, l *line) ([]byte, error) {
	e, err := parseHTTP(event)
	switch {
	case err != nil:
		return nil, err
	case e == nil || f.HTTP == nil:
		return nil, unknown(event)
	}
	if l.requestID == "" {
		l.requestID = e.Context.RequestID
	}
	l.event, l.method, l.path = "http", e.Context.HTTP.Method, e.RawPath
	r, err := e.request(context.WithValue(ctx, requestIDKey{}, l.requestID))
	var a *answer
	if err == nil {
		a = f.serve(r)
	} else {
		a = failure(http.StatusBadRequest, "bad_data", "the request can't be read: "+clip(err.Error()))
	}
	text, status := a.encode(e.Context.HTTP.Method)
	l.status = status
	return text, nil
}

func (f *Function) logger() *slog.Logger {
	if f.Logger == nil {
		return slog.Default()
	}
	return f.Logger
}

type requestIDKey struct{}

// RequestID returns the id of the invocation that a handler's context belongs
// to, "" if there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
