package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"narthex"
)

// Message is one of an SQS batch.
type Message struct {
	ID       string
	Body     string
	Sent     time.Time // zero if the event does not tell
	Received int       // how often, with this time; 0 if the event does not tell
}

// sqsEvent is a batch of an SQS queue, as far as it is used here.
//
// Source: "Using Lambda with Amazon SQS" (Lambda).
type sqsEvent struct {
	Records []struct {
		MessageID   string  `json:"messageId"`
		Body        *string `json:"body"`
		EventSource string  `json:"eventSource"` // "aws:sqs"
		Attributes  struct {
			Sent     string `json:"SentTimestamp"` // ms
			Received string `json:"ApproximateReceiveCount"`
		} `json:"attributes"`
	}
}

// parseQueue returns the messages of an SQS batch, false if the event is
// something else. The error is of an event that looks like one but is not whole:
// nothing of it may be taken for done.
func parseQueue(event []byte) (messages []Message, ok bool, err error) {
	var e sqsEvent
	err = json.Unmarshal(event, &e) // a wrong type does not end the decoding
	if len(e.Records) == 0 || e.Records[0].EventSource != "aws:sqs" {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, narthex.Errorf(narthex.Invalid, "an SQS batch is malformed: %w", err)
	}
	for i, r := range e.Records {
		if r.EventSource != "aws:sqs" || r.MessageID == "" || r.Body == nil {
			return nil, false, narthex.Errorf(narthex.Invalid, "an SQS batch is malformed: record %d has no messageId, no body, or is not of aws:sqs", i)
		}
		m := Message{ID: r.MessageID, Body: *r.Body}
		if ms, err := strconv.ParseInt(r.Attributes.Sent, 10, 64); err == nil {
			m.Sent = time.UnixMilli(ms)
		}
		m.Received, _ = strconv.Atoi(r.Attributes.Received)
		messages = append(messages, m)
	}
	return messages, true, nil
}

// batchAnswer says which messages failed; SQS deletes the others.
//
// Source: "Handling errors for an SQS event source in Lambda", partial batch
// responses.
type batchAnswer struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	ID string `json:"itemIdentifier"`
}

// answerQueue has the messages taken. An error means that all of them failed.
func (f *Function) answerQueue(ctx context.Context, messages []Message, l *Invocation) ([]byte, error) {
	l.Event, l.messages = "sqs", len(messages)
	l.failed = len(messages) // as long as nobody says otherwise
	type result struct {
		failed []string
		err    error
	}
	r, ok := within(ctx, func(ctx context.Context) (r result) {
		r.err = f.guarded(ctx, l.RequestID, func() { r.failed = f.takeMessages(ctx, messages) })
		return r
	})
	switch {
	case !ok:
		return nil, narthex.Errorf(narthex.Unavailable, "the function's time was up before its %d messages were taken: give it a longer timeout, or smaller batches", len(messages))
	case r.err != nil:
		return nil, r.err
	}
	a := batchAnswer{Failures: make([]batchFailure, 0, len(r.failed))}
	for _, id := range r.failed {
		a.Failures = append(a.Failures, batchFailure{id})
	}
	l.failed = len(r.failed)
	return json.Marshal(a)
}

// guarded calls do; if it panics, that is an error.
func (f *Function) guarded(ctx context.Context, requestID string, do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.logger().ErrorContext(ctx, "a handler panicked", "request_id", requestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = narthex.Errorf(narthex.Unavailable, "the event could not be dealt with because of a defect; the function's log has the particulars")
		}
	}()
	do()
	return nil
}
