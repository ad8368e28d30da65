package lambda

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// maxMargin is the longest time kept back at the end of an invocation.
const maxMargin = 500 * time.Millisecond

// margin returns how long before the deadline the handler has to be done: a
// tenth of what is left, or maxMargin if that is less.
func margin(left time.Duration) time.Duration {
	return max(0, min(maxMargin, left/10))
}

// serve calls the handler and returns its answer.
//
// The handler's context ends a margin before Lambda's deadline. What the handler
// answers then is still taken for half the margin; after that it is left behind
// and the answer is 504.
func (f *Function) serve(e *httpEvent, r *http.Request) *answer {
	w := newRecorder(e)
	a, ok := within(r.Context(), func(ctx context.Context) *answer { return f.call(w, r.WithContext(ctx)) })
	if ok {
		return a
	}
	w.abandon()
	return failure(http.StatusGatewayTimeout, "timeout",
		"the function's time was up before the request was answered: try again, or give the function a longer timeout")
}

// within returns what do returns. do's context ends a margin before the deadline
// of ctx; half a margin later it is left behind, and ok is false.
func within[T any](ctx context.Context, do func(ctx context.Context) T) (out T, ok bool) {
	inner, cut := ctx, ctx
	if deadline, ok := ctx.Deadline(); ok {
		m := margin(time.Until(deadline))
		var stop, stopCut context.CancelFunc
		cut, stopCut = context.WithDeadline(ctx, deadline.Add(-m/2))
		defer stopCut()
		inner, stop = context.WithDeadline(ctx, deadline.Add(-m))
		defer stop()
	}
	done := make(chan T, 1)
	go func() { done <- do(inner) }()
	select {
	case out = <-done:
		return out, true
	case <-cut.Done():
	}
	select {
	case out = <-done: // both at once
		return out, true
	default:
		return out, false
	}
}

// call calls the handler and returns its answer, or 500 if it panics.
func (f *Function) call(w *recorder, r *http.Request) (a *answer) {
	defer func() {
		if p := recover(); p != nil {
			f.logger().ErrorContext(r.Context(), "a handler panicked", "request_id", RequestID(r.Context()),
				"method", clip(r.Method), "path", clip(r.URL.Path), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			a = failure(http.StatusInternalServerError, "internal",
				"the request could not be answered because of a defect; the function's log has the particulars")
		}
	}()
	f.HTTP.ServeHTTP(w, r)
	return w.answer()
}
