// Package lambda answers the events that AWS Lambda invokes a function with.
//
// [Function] knows an event by its shape:
//
//   - the HTTP request of payload format 2.0, which a function URL and an API
//     Gateway HTTP API send, of format 1.0, which a REST API sends, and of an
//     Application Load Balancer, with one value or several to a header: it is
//     handed to an [http.Handler] and the answer goes back in the same format,
//     compressed if the sender takes that and it pays;
//   - the batch of an SQS queue: the answer says which messages failed (the
//     trigger has to have ReportBatchItemFailures);
//   - a notification of S3, by itself or in SQS, SNS or EventBridge, and the
//     message of a CloudWatch Logs subscription, both of which bring logs;
//   - the schedule of an EventBridge rule, which stands for the command schedule;
//   - a command by hand, as the input of an EventBridge Scheduler, or as a
//     message of SQS: {"narthex": "tick"}.
//
// Any other event is an error that names what was seen. Batches of Kinesis and
// transformations of Firehose are among them, not yet handled.
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
	"strconv"
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
	// Scheduled are those of the commands that a message of a queue may ask for.
	Scheduled []string
	// Done is told of each invocation once it is answered, before the answer leaves,
	// and returns what the log's line is to say besides. Nil says nothing.
	Done func(ctx context.Context, i *Invocation) []slog.Attr
	// Logger gets a line for each invocation. Nil means slog.Default().
	Logger *slog.Logger

	warm atomic.Bool // invoked before
}

// Invocation is what is known of an invocation once it is answered.
type Invocation struct {
	RequestID string
	// Event is the kind of event: http, sqs, s3, awslogs, schedule, direct or
	// unknown.
	Event    string
	Status   int // of an answer to an HTTP request
	Err      error
	Duration time.Duration
	Cold     bool // the first of this process

	format, method, path string // of an HTTP request
	messages, failed     int    // of a batch
	objects              int    // that an S3 notification tells of
	command              string
}

// attrs returns what the log says of the kind of event.
func (l *Invocation) attrs() []slog.Attr {
	switch l.Event {
	case "http":
		return []slog.Attr{slog.String("format", l.format), slog.String("method", clip(l.method)), slog.String("path", clip(l.path)), slog.Int("status", l.Status)}
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
	start := time.Now()
	l := Invocation{Event: "unknown", Cold: !f.warm.Swap(true)}
	if f.RequestID != nil {
		l.RequestID = f.RequestID(ctx)
		ctx = context.WithValue(ctx, requestIDKey{}, l.RequestID)
	}
	answer, err := f.dispatch(ctx, event, &l)
	l.Err, l.Duration = err, time.Since(start)
	attrs := []slog.Attr{
		slog.String("request_id", l.RequestID),
		slog.String("event", l.Event),
	}
	level := slog.LevelInfo
	attrs = append(attrs, l.attrs()...)
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("err", err))
	}
	attrs = append(attrs,
		slog.Int("event_bytes", len(event)),
		slog.Int("answer_bytes", len(answer)),
		slog.Float64("duration_seconds", l.Duration.Seconds()),
		slog.Bool("cold_start", l.Cold))
	if f.Done != nil {
		attrs = append(attrs, f.Done(ctx, &l)...)
	}
	f.logger().LogAttrs(ctx, level, "invocation", attrs...)
	return answer, err
}

// dispatch finds out what the event is and answers it.
func (f *Function) dispatch(ctx context.Context, event []byte, l *Invocation) ([]byte, error) {
	e, err := parseHTTP(event)
	switch {
	case err != nil:
		return nil, err
	case e != nil && f.HTTP != nil:
		return f.answerHTTP(ctx, e, l)
	}
	if f.Queue != nil || f.Object != nil || len(f.Scheduled) > 0 {
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
		l.Event, l.command = kind, name
		return f.answerCommand(ctx, name, event)
	}
	return nil, f.unknown(event)
}

// answerHTTP has the handler answer a request.
func (f *Function) answerHTTP(ctx context.Context, e *httpEvent, l *Invocation) ([]byte, error) {
	if l.RequestID == "" {
		l.RequestID = e.id
	}
	l.Event, l.format, l.method, l.path = "http", e.shape.String(), e.method, e.path
	r, err := e.request(context.WithValue(ctx, requestIDKey{}, l.RequestID))
	var a *answer
	if err == nil {
		a = f.serve(e, r)
	} else {
		a = failure(http.StatusBadRequest, "bad_data", "the request can't be read: "+clip(err.Error()))
	}
	text, status := a.encode(e)
	l.Status = status
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

// Memory returns what the function has, in bytes, by the environment that Lambda
// gives it: 128 MiB, the least there is, if it does not say.
func Memory(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil || n < 128 {
		n = 128
	}
	return n << 20
}
