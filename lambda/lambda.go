// Package lambda answers the events that AWS Lambda invokes a function with.
//
// [Function] knows an event by its shape:
//
//   - the HTTP request of payload format 2.0, which a function URL and an API
//     Gateway HTTP API send: it is handed to an [http.Handler] and the answer
//     goes back in the same format;
//   - the batch of an SQS queue: the answer says which messages failed (the
//     trigger has to have ReportBatchItemFailures);
//   - a notification of S3, by itself or in SQS, SNS or EventBridge, and the
//     message of a CloudWatch Logs subscription, both of which bring logs;
//   - the schedule of an EventBridge rule, which stands for the command tick;
//   - a command by hand, or as the input of an EventBridge Scheduler:
//     {"narthex": "tick"}.
//
// Any other event is an error that names what was seen.
//
//	f := &lambda.Function{HTTP: mux, Queue: fold, Commands: map[string]lambda.Command{"tick": tick}}
//	answer, err := f.Invoke(ctx, event)
//
// [Function.Invoke] is what aws-lambda-go calls a Handler, so f can be given to
// its Start; this package itself needs only the standard library and the root.
//
// Whatever the handler does, an answer leaves: a panic is a 500, and time that
// is up is a 504, sent before Lambda ends the function. With other events than
// requests both are errors, after which Lambda delivers the event again.
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
	// Queue takes the messages of an SQS batch and returns the ids of those that
	// SQS is to hand out again; it deletes the others. Nil means that a batch is
	// an event like any unknown one.
	Queue func(ctx context.Context, messages []Message) (failed []string)
	// Object takes an object that S3 tells of, by itself or through SQS, SNS or
	// EventBridge; after an error the event is delivered again. Nil means that
	// such an event is one like any unknown one.
	Object func(ctx context.Context, o Object) error
	// CloudWatch takes what a subscription of CloudWatch Logs sent, as it was
	// compressed. Nil means that such an event is one like any unknown one.
	CloudWatch func(ctx context.Context, data []byte) error
	// Commands are what the function can be told to do, by name.
	Commands map[string]Command
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
	event        string // "http", "sqs", "s3", "awslogs", "schedule", "direct" or "unknown"
	method, path string // of an HTTP request
	status       int    // of its answer
	messages     int    // of a batch
	failed       int    // of the messages
	objects      int    // that an S3 notification tells of
	command      string
}

// attrs returns what the log says of the kind of event.
func (l *line) attrs() []slog.Attr {
	switch l.event {
	case "http":
		return []slog.Attr{slog.String("method", clip(l.method)), slog.String("path", clip(l.path)), slog.Int("status", l.status)}
	case "sqs":
		return []slog.Attr{slog.Int("messages", l.messages), slog.Int("failed", l.failed)}
	case "s3":
		return []slog.Attr{slog.Int("objects", l.objects)}
	case "schedule", "direct":
		return []slog.Attr{slog.String("command", clip(l.command))}
	}
	return nil
}

// Invoke answers one event. An error means that the event was not understood, or
// that a command or a batch as a whole failed; what goes wrong with an HTTP
// request is an answer with a status code. Invoke may be called from several
// goroutines.
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
	attrs = append(attrs, l.attrs()...)
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
	case e != nil && f.HTTP != nil:
		return f.answerHTTP(ctx, e, l)
	}
	if f.Queue != nil || f.Object != nil {
		if messages, ok, err := parseQueue(event); err != nil {
			return nil, err
		} else if ok {
			return f.answerQueue(ctx, messages, l)
		}
	}
	if f.Object != nil {
		if objects, ok, err := parseObjects(event, 0); err != nil {
			return nil, err
		} else if ok {
			return f.answerObjects(ctx, objects, l)
		}
	}
	if f.CloudWatch != nil {
		if data, ok, err := parseCloudWatch(event); err != nil {
			return nil, err
		} else if ok {
			return f.answerCloudWatch(ctx, data, l)
		}
	}
	if name, kind := parseCommand(event); kind != "" && len(f.Commands) > 0 {
		l.event, l.command = kind, name
		return f.answerCommand(ctx, name, event)
	}
	return nil, f.unknown(event)
}

// answerHTTP has the handler answer a request.
func (f *Function) answerHTTP(ctx context.Context, e *httpEvent, l *line) ([]byte, error) {
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
