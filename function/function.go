// Package function makes the Lambda function of a configuration: which events it
// answers, and with what. cmd/bootstrap runs it on Lambda, narthex invoke on any
// machine.
//
// The configuration is narthex.yml, the program's own, with a section lambda:
// see [Options.Config] for where it comes from. What a function does are its
// roles, which may all be one function's or each that of another:
//
//	push   requests: a push is checked and sent to the queue, or counted at once
//	fold   the queue's batches are folded into the totals
//	tick   the schedule writes the totals out by remote write
//	logs   S3 and CloudWatch Logs bring access logs, which are counted
//	probe  the schedule has targets probed, and requests ask for a probe
//
// Without a ledger of its own a function is the push door in front of another
// narthex (lambda.relay). Either way GET /-/healthy answers 200.
//
// Nothing runs between invocations, and what an invocation begins ends before
// its deadline. docs/serverless.md tells how to set it up.
package function

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/lambda"
)

// Options are what a function is made of.
type Options struct {
	// Config says where the configuration is, instead of NARTHEX_CONFIG: a path,
	// s3://bucket/key, ssm:/name, secretsmanager:name, or the YAML itself. If both
	// are empty it is narthex.yml in the directory LAMBDA_TASK_ROOT, if there is
	// one. Other variables (NARTHEX_STATE and so on) come after what it says.
	Config string
	// Getenv gives the environment's variables, as os.Getenv does.
	Getenv func(string) string
	// RequestID returns Lambda's id of an invocation; nil knows none.
	RequestID func(context.Context) string
	// Version is what requests call this build.
	Version string
	Logger  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	started time.Time // when New was called
}

// Function answers the events of one instance of the Lambda function. Its
// methods may be called from several goroutines.
type Function struct {
	o Options

	mu     sync.Mutex
	ready  *lambda.Function // once the configuration is read, or known to be wrong
	told   *telemetry       // nil if nothing is told
	failed error            // why the configuration can't be had
}

// New returns the function. It reads nothing yet.
func New(o Options) *Function {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.started = o.Now()
	return &Function{o: o}
}

// Prepare reads the configuration. What is wrong with it is told to the log, and
// to those who push, who are to try again. If it can't be had now, each
// invocation tries again.
func (f *Function) Prepare(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready != nil {
		return f.failed
	}
	c, err := f.o.read(ctx)
	var n *instance
	if err == nil {
		n, err = newInstance(c, f.o)
	}
	if f.failed = err; err == nil {
		f.ready, f.told = n.function(), n.told
		return nil
	}
	f.o.Logger.Error("the configuration is wrong or can't be had, and nothing is taken", "err", err)
	if narthex.KindOf(err) != narthex.Unavailable {
		f.ready = broken(err, f.o)
	}
	return err
}

// Invoke answers one event; see [lambda.Function.Invoke].
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	f.mu.Lock()
	ready, told := f.ready, f.told
	f.mu.Unlock()
	if ready == nil {
		ready = f.prepared(ctx)
	}
	return ready.Invoke(told.begin(ctx), event)
}

// prepared tries to read the configuration, with half of the time that there is
// for the invocation.
func (f *Function) prepared(ctx context.Context) *lambda.Function {
	half := ctx
	if end, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		half, stop = context.WithTimeout(ctx, time.Until(end)/2)
		defer stop()
	}
	err := f.Prepare(half)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready == nil {
		return broken(err, f.o)
	}
	return f.ready
}

// read returns the configuration, with what the environment says, and tells what
// of it has no effect here. An error of kind Unavailable may go away.
func (o *Options) read(ctx context.Context) (*config.Config, error) {
	overrides, err := o.overrides()
	if err != nil {
		return nil, err
	}
	c, err := app.Settings{From: o.Config, Getenv: o.Getenv, Overrides: overrides}.Read(ctx)
	if err != nil {
		return nil, err
	}
	notes, err := c.ForLambda()
	for _, note := range notes {
		o.Logger.Warn(note)
	}
	return c, err
}
