package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Errors of an event that no instance was given. What an instance makes of an
// event is a [Result], errors of the function included.
var (
	// ErrThrottled means that all instances which there may be are at work
	// (TooManyRequestsException, 429).
	ErrThrottled = errors.New("rate exceeded: all instances are at work")
	// ErrTooLarge means that the event is larger than [MaxPayload]
	// (RequestTooLargeException, 413).
	ErrTooLarge = fmt.Errorf("the event must be smaller than %d bytes", MaxPayload)
	// ErrNotJSON means that the event is none (InvalidRequestContentException, 400).
	ErrNotJSON = errors.New("could not parse request body into JSON")
	// ErrClosed means that the function is closed.
	ErrClosed = errors.New("the function is closed")
)

// Result is what Lambda answers the caller of a function.
type Result struct {
	RequestID string
	Payload   []byte // the function's answer, or {"errorType", "errorMessage"}
	// FunctionError is "Unhandled" if the function, its runtime or its time
	// failed, "" otherwise.
	FunctionError string

	in *invocation
}

// Report waits until the invocation is over, which may be after its answer, and
// returns what it took.
func (r Result) Report() Report {
	<-r.in.done
	return r.in.report
}

// ErrorType returns the errorType of a payload that is an error, or "".
func (r Result) ErrorType() string {
	if r.FunctionError == "" {
		return ""
	}
	var e struct{ ErrorType string }
	_ = json.Unmarshal(r.Payload, &e) // a payload of another form has none
	return e.ErrorType
}

// invocation is one event's way through an instance.
type invocation struct {
	id, trace string
	event     []byte
	deadline  time.Time
	delivered time.Time
	answered  chan struct{} // closed when result is set
	done      chan struct{} // closed when report is set

	// Under the instance's lock until answered.
	result   Result
	at       time.Time // of the answer
	failure  string    // errorType of what the runtime reported
	hasReply bool
	report   Report
}

// Invoke has an instance answer an event, and starts one if none is idle. It
// returns with the answer, while the instance may still be at work. The error is
// one of those above, that of the context (the invocation goes on without the
// caller), or says why no instance could be started.
func (f *Function) Invoke(ctx context.Context, event []byte) (Result, error) {
	switch {
	case len(event) > MaxPayload:
		return Result{}, ErrTooLarge
	case !json.Valid(event):
		return Result{}, ErrNotJSON
	}
	i, err := f.acquire(ctx)
	if err != nil {
		return Result{}, err
	}
	in := &invocation{id: newID(), trace: newTrace(), event: event, answered: make(chan struct{}), done: make(chan struct{})}
	go f.serve(i, in)
	select {
	case <-in.answered:
		return in.result, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// newTrace returns an X-Ray trace header that is not sampled.
func newTrace() string {
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), randomHex(12), randomHex(8))
}

// serve takes an invocation through an instance from beginning to end.
func (f *Function) serve(i *Instance, in *invocation) {
	var err error
	if i.ready {
		i.thaw()
	} else if i, err = f.begin(i, in); err != nil {
		in.answer(i, failed(in, err, f.o.Timeout), "")
	}
	if err == nil {
		err = i.invoke(in)
	}
	i.finish(in, err)
	if err == nil {
		i.freeze()
		if f.release(i) {
			close(in.done)
			return
		}
	}
	reason := "failure"
	switch {
	case err == nil:
		reason = "spindown" // the function is closed
	case errors.Is(err, errTimeout):
		reason = "timeout"
	}
	i.end(reason)
	f.finishing(-1)
	close(in.done)
}

// begin starts an instance. If that fails it starts another one within the
// invocation's time, as Lambda does ("suppressed init").
func (f *Function) begin(i *Instance, in *invocation) (*Instance, error) {
	if err := i.start(time.Now().Add(f.o.InitTimeout), "init"); err == nil {
		return i, nil
	}
	in.delivered = time.Now()
	in.deadline = in.delivered.Add(f.o.Timeout)
	other, err := f.replace(i)
	if err != nil {
		return i, err
	}
	return other, other.start(in.deadline, "invoke")
}

// invoke delivers an event and waits until runtime and extensions are done with
// it.
func (i *Instance) invoke(in *invocation) error {
	o := &i.f.o
	in.delivered = time.Now()
	if in.deadline.IsZero() {
		in.deadline = in.delivered.Add(o.Timeout)
	}
	tracing := map[string]any{"type": "X-Amzn-Trace-Id", "value": in.trace}
	i.f.log.line("START RequestId: " + in.id + " Version: " + version)
	i.telemetry.emit("platform.start", map[string]any{"requestId": in.id, "version": version, "tracing": tracing})
	i.change(func() {
		i.now = in
		i.deliver(in)
	})
	err := i.wait(in.deadline, func() bool { return in.hasReply })
	if err != nil {
		in.answer(i, failed(in, err, o.Timeout), "")
	}
	if err == nil {
		err = i.wait(in.deadline, func() bool { return i.runtime.ready })
	}
	i.telemetry.emit("platform.runtimeDone", in.runtimeDone(err, tracing))
	if err == nil {
		err = i.wait(in.deadline, i.allReady)
	}
	return err
}

// answer gives the caller the result, once.
// failure is the errorType that the runtime reported.
func (in *invocation) answer(i *Instance, r Result, failure string) (first bool) {
	i.change(func() {
		if first = !in.hasReply; first {
			r.RequestID, r.in = in.id, in
			in.result, in.failure, in.hasReply, in.at = r, failure, true, time.Now()
		}
	})
	if first {
		i.f.finishing(1)
		close(in.answered)
	}
	return first
}

// failed is the result of an invocation that the function has not answered.
func failed(in *invocation, err error, timeout time.Duration) Result {
	var f *fault
	kind, message := "Runtime.InvalidEntrypoint", "Error: "+err.Error()
	switch {
	case errors.Is(err, errTimeout):
		kind, message = "Sandbox.Timedout", fmt.Sprintf("Error: Task timed out after %.2f seconds", timeout.Seconds())
	case errors.As(err, &f) && f.payload != nil:
		return Result{FunctionError: "Unhandled", Payload: f.payload}
	case errors.As(err, &f):
		kind, message = f.kind, f.message
	}
	return Result{FunctionError: "Unhandled", Payload: errorPayload(kind, "RequestId: "+in.id+" "+message)}
}

func errorPayload(kind, message string) []byte {
	text, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) // strings can't fail
	return text
}

// status says how the invocation went: by what ended the instance, or by what the
// runtime reported.
func (in *invocation) status(err error) (status, errorType string) {
	if err == nil && in.result.FunctionError != "" {
		return "error", in.failure
	}
	return outcome(err)
}

func (in *invocation) runtimeDone(err error, tracing any) map[string]any {
	status, errorType := in.status(err)
	if status == "error" && err != nil {
		status = "failure" // of the runtime, not of the handler
	}
	record := map[string]any{
		"requestId": in.id, "status": status, "tracing": tracing,
		"metrics": map[string]any{"durationMs": millis(time.Since(in.delivered)), "producedBytes": len(in.result.Payload)},
		"spans": []map[string]any{{"name": "responseLatency", "start": timestamp(in.delivered),
			"durationMs": millis(in.at.Sub(in.delivered))}},
	}
	if errorType != "" {
		record["errorType"] = errorType
	}
	return record
}

// finish makes the report of an invocation that is over.
func (i *Instance) finish(in *invocation, err error) {
	i.mu.Lock()
	i.now = nil
	i.mu.Unlock()
	o := &i.f.o
	used := i.usage()
	r := Report{
		RequestID: in.id, Event: in.event, Answer: in.result.Payload, Instance: i.id, MemorySize: int64(o.Memory) << 20, MaxMemory: used.memory,
		Duration: time.Since(in.delivered), Response: in.at.Sub(in.delivered),
		CPU: max(0, used.cpu-i.init.cpu), Throttled: used.throttled - i.throttled,
	}
	r.Status, r.ErrorType = in.status(err)
	if r.Status == "timeout" {
		r.Duration = min(r.Duration, in.deadline.Sub(in.delivered))
	}
	if !i.init.told {
		i.init.told = true
		r.Cold, r.Init, r.InitCPU = true, i.init.duration, i.init.cpu
	}
	i.init.cpu, i.throttled = used.cpu, used.throttled // from here on the next one counts
	r.Billed = billed(r.Duration + r.Init)
	in.report = r
	i.f.log.line("END RequestId: " + in.id)
	i.f.log.line(r.String())
	i.telemetry.emit("platform.report", reportRecord(r))
	if o.Report != nil {
		o.Report(r)
	}
}

func reportRecord(r Report) map[string]any {
	metrics := map[string]any{
		"durationMs": millis(r.Duration), "billedDurationMs": r.Billed.Milliseconds(),
		"memorySizeMB": r.MemorySize >> 20, "maxMemoryUsedMB": mebi(r.MaxMemory),
	}
	if r.Cold {
		metrics["initDurationMs"] = millis(r.Init)
	}
	record := map[string]any{"requestId": r.RequestID, "status": r.Status, "metrics": metrics}
	if r.ErrorType != "" {
		record["errorType"] = r.ErrorType
	}
	return record
}
