package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// API returns a handler for Lambda's own API to invoke functions:
//
//	POST /2015-03-31/functions/NAME/invocations
//
// with X-Amz-Invocation-Type RequestResponse (the default), Event or DryRun. It
// takes any NAME, and no signature is looked at. AWS's runtime interface emulator
// has the same address.
//
// Source: "Invoke", AWS Lambda API Reference.
func (f *Function) API() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", f.serveInvoke)
	return mux
}

func (f *Function) serveInvoke(w http.ResponseWriter, r *http.Request) {
	event, err := readUpTo(r.Body, MaxPayload)
	if errors.Is(err, errOver) {
		refuseInvoke(w, ErrTooLarge)
		return
	}
	if err != nil {
		return // the caller has left
	}
	if len(event) == 0 {
		event = []byte("{}")
	}
	w.Header().Set("X-Amz-Executed-Version", version)
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "Event":
		if !json.Valid(event) {
			refuseInvoke(w, ErrNotJSON)
			return
		}
		go f.Deliver(context.WithoutCancel(r.Context()), event)
		w.WriteHeader(http.StatusAccepted)
		return
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
		return
	}
	result, err := f.Invoke(r.Context(), event)
	if err != nil {
		refuseInvoke(w, err)
		return
	}
	w.Header().Set("X-Amzn-Requestid", result.RequestID)
	if result.FunctionError != "" {
		w.Header().Set("X-Amz-Function-Error", result.FunctionError)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(result.Payload) // the caller has left
}

// refuseInvoke answers an event that no instance was given.
func refuseInvoke(w http.ResponseWriter, err error) {
	code, kind := http.StatusInternalServerError, "ServiceException"
	switch {
	case errors.Is(err, ErrThrottled):
		code, kind = http.StatusTooManyRequests, "TooManyRequestsException"
	case errors.Is(err, ErrTooLarge):
		code, kind = http.StatusRequestEntityTooLarge, "RequestTooLargeException"
	case errors.Is(err, ErrNotJSON):
		code, kind = http.StatusBadRequest, "InvalidRequestContentException"
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", kind)
	w.WriteHeader(code)
	text, _ := json.Marshal(map[string]string{"Type": "User", "message": err.Error()}) // strings can't fail
	_, _ = w.Write(text)                                                               // the caller has left
}

// Deliver invokes the function as asynchronous sources do, such as S3, SNS and
// EventBridge: after an error of the function the event is tried again, as
// [Options.RetryDelays] says, and while there is no instance for it it waits. It
// returns the last result, or the context's error.
//
// Source: "Invoking a Lambda function asynchronously".
func (f *Function) Deliver(ctx context.Context, event []byte) (Result, error) {
	const longest = 5 * time.Minute
	pause, retries := time.Second, f.o.RetryDelays
	for {
		result, err := f.Invoke(ctx, event)
		var delay time.Duration
		switch {
		case errors.Is(err, ErrThrottled):
			delay, pause = pause, min(2*pause, longest)
		case err != nil || result.FunctionError == "" || len(retries) == 0:
			return result, err
		default:
			delay, retries = retries[0], retries[1:]
		}
		if err := sleep(ctx, delay); err != nil {
			return result, err
		}
	}
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
