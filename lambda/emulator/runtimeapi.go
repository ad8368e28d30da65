package emulator

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The Runtime API.
//
// Source: "Using the Lambda runtime API for custom runtimes".

// nextInvocation blocks until there is an event.
func (i *Instance) nextInvocation(w http.ResponseWriter, r *http.Request) {
	d, ok := i.awaitNext(r, i.runtime)
	if !ok {
		return
	}
	in, h := d.in, w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", i.f.ARN())
	h.Set("Lambda-Runtime-Trace-Id", in.trace)
	h.Set("Content-Length", strconv.Itoa(len(in.event)))
	_, _ = w.Write(in.event) // a runtime that hangs up does not answer
}

// current returns the invocation that a runtime's answer is for, or answers why
// there is none.
func (i *Instance) current(w http.ResponseWriter, r *http.Request) *invocation {
	i.mu.Lock()
	in := i.now
	i.mu.Unlock()
	switch {
	case in == nil || in.id != r.PathValue("id"):
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	return in
}

// takeResponse takes the handler's answer.
func (i *Instance) takeResponse(w http.ResponseWriter, r *http.Request) {
	in := i.current(w, r)
	if in == nil {
		return
	}
	body, err := readUpTo(r.Body, MaxResponse)
	result := Result{Payload: body}
	switch {
	case errors.Is(err, errOver):
		result = Result{FunctionError: "Unhandled", Payload: errorPayload("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxResponse))}
		i.settle(w, in, result, "Function.ResponseSizeTooLarge", func() {
			refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
		})
	case err != nil: // it was killed within it
	default:
		i.settle(w, in, result, "", func() { accept(w, http.StatusAccepted, statusOK()) })
	}
}

// takeError takes the handler's error, which the caller gets as it is.
func (i *Instance) takeError(w http.ResponseWriter, r *http.Request) {
	in := i.current(w, r)
	if in == nil {
		return
	}
	body, err := readUpTo(r.Body, MaxResponse)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", "the error can't be read")
		return
	}
	kind := errorType(r, "Lambda-Runtime-Function-Error-Type", body)
	i.settle(w, in, Result{FunctionError: "Unhandled", Payload: body}, kind, func() { accept(w, http.StatusAccepted, statusOK()) })
}

// settle makes a result the invocation's, unless it has one.
func (i *Instance) settle(w http.ResponseWriter, in *invocation, result Result, failure string, taken func()) {
	if !in.answer(i, result, failure) {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the invocation is answered already")
		return
	}
	taken()
}

// takeInitError takes why the runtime could not start. It exits then.
func (i *Instance) takeInitError(w http.ResponseWriter, r *http.Request) {
	body, err := readUpTo(r.Body, MaxResponse)
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidErrorShape", "the error can't be read")
		return
	}
	i.change(func() {
		if i.fault == nil {
			i.fault = &fault{kind: errorType(r, "Lambda-Runtime-Function-Error-Type", body), message: "the initialisation failed", payload: body}
		}
	})
	accept(w, http.StatusAccepted, statusOK())
}

// timestamp is a time as Lambda writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
