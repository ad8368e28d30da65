// Package emulator runs a Lambda function on this machine, as AWS Lambda runs
// one of the runtime provided.al2023: a program named bootstrap that takes its
// invocations from the Runtime API.
//
//	f, err := emulator.Start(emulator.Options{Code: "dist/bootstrap-amd64.zip", Env: []string{"KEY=value"}})
//	defer f.Close()
//	result, err := f.Invoke(ctx, []byte(`{"narthex":"tick"}`))
//	server := httptest.NewServer(f.Front(emulator.Front{Kind: emulator.FunctionURL}))
//
// An [Instance] is one execution environment: the program's process, its
// extensions, a Runtime API, an Extensions API and a Telemetry API of its own.
// One is started when an event comes and none is idle, it works on one
// invocation at a time, and between two it is frozen: its processes are stopped.
// It is killed at the function's timeout, and shut down as Lambda does.
//
// What brings events is here too: [Front] is a function URL, an API Gateway or a
// load balancer, [SQS] is a queue service with a [Mapping] to functions,
// [Schedule] an EventBridge rule. All of it listens on loopback only.
//
// Not as on AWS: instances share this machine's network and file system (each
// has a TMPDIR of its own, and an extension with a fixed port allows one instance
// only), response streaming, SnapStart and provisioned concurrency are not there,
// and [Options.CPU] and [Options.LimitMemory] need control groups.
//
// Sources are the AWS Lambda Developer Guide ("Using the Lambda runtime API for
// custom runtimes", "Lambda Extensions API", "Lambda Telemetry API", "Lambda
// quotas") and, where it is silent, AWS's own runtime interface emulator.
package emulator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Account is the AWS account that everything here belongs to.
const Account = "123456789012"

// Quotas of Lambda. Source: "Lambda quotas".
const (
	// MaxPayload is how large an event may be, in bytes.
	MaxPayload = 6 << 20
	// MaxResponse is how large an answer may be, in bytes.
	MaxResponse = MaxPayload + 100
	// maxConcurrency is how many instances an account may have at a time.
	maxConcurrency = 1000
	maxExtensions  = 10
)

// CPU says how the processor is rationed.
type CPU int

// The ways to ration the processor. What Lambda does is not documented: by what
// is reported, an instance has its share from the first invocation on and a whole
// processor before.
const (
	// CPUAll is no ration.
	CPUAll CPU = iota
	// CPUCounted is no ration, but a control group, so that the time of
	// processes that come and go is counted too.
	CPUCounted
	// CPUShare gives Memory/1769 of one processor, in periods of 20 ms, from the
	// start.
	CPUShare
	// CPUBoost gives the same from the end of the initialisation on.
	CPUBoost
)

// Options say what function to run, and how.
type Options struct {
	// Code is what is deployed: a zip file with an executable bootstrap in its
	// root, a directory with one, or that program itself.
	Code    string
	Name    string        // of the function; "" is "function"
	Handler string        // _HANDLER; "" is "bootstrap"
	Region  string        // "" is us-east-1
	Memory  int           // size in MB, 128 to 10,240; 0 is 128
	Timeout time.Duration // of an invocation; 0 is 3 s, as on AWS
	// InitTimeout is how long an instance may take to start before it is tried
	// once more within the invocation; 0 is 10 s, as on AWS.
	InitTimeout time.Duration
	// Concurrency is how many instances there may be; an event beyond them is
	// refused with [ErrThrottled]. 0 is 1000.
	Concurrency int
	// Env has the function's environment as KEY=value, in addition to what Lambda
	// sets. Nothing of this process's own environment is passed on.
	Env []string
	// Extensions are programs that are started before the runtime, as those in
	// /opt/extensions are.
	Extensions []string
	// CPU rations the processor.
	CPU CPU
	// LimitMemory has the kernel kill an instance that needs more than Memory.
	LimitMemory bool
	// Idle is after which time an idle instance is shut down; 0 is never.
	Idle time.Duration
	// RetryDelays are the times after which an asynchronous event is tried again,
	// see [Function.Deliver]. Nil is 1 min and 2 min, as on AWS.
	RetryDelays []time.Duration
	// Log gets what CloudWatch Logs would: START, END and REPORT lines and what
	// the processes write, line by line. Nil drops it.
	Log io.Writer
	// Report is called when an invocation is over, from its own goroutine.
	Report func(Report)
}

// A Function is a deployed function. Its methods may be called from several
// goroutines.
type Function struct {
	o     Options
	root  string // LAMBDA_TASK_ROOT
	tmp   string // what the function has on disk, removed in the end
	log   *lineLog
	spawn *spawner

	mu       sync.Mutex
	changed  chan struct{} // closed, and another made, when an instance is free
	live     map[*Instance]struct{}
	starting int         // that are about to be in live
	idle     []*Instance // the last used at the end
	almost   int         // that have answered and are not idle yet
	closed   bool
	ended    sync.WaitGroup // instances
}

// Start deploys a function: it unpacks the code and checks it. Instances are
// started when events come. An error says what is wrong with the options, or that
// this machine can't ration as they ask.
func Start(o Options) (*Function, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "narthex-lambda-")
	if err != nil {
		return nil, fmt.Errorf("emulate Lambda: %w", err)
	}
	f := &Function{o: o, tmp: tmp, live: make(map[*Instance]struct{}), changed: make(chan struct{}), log: &lineLog{w: o.Log}}
	f.root, err = unpack(o.Code, filepath.Join(tmp, "task"))
	if err == nil && (o.CPU != CPUAll || o.LimitMemory) {
		err = f.tryGroup()
	}
	if err == nil {
		f.spawn, err = newSpawner()
	}
	if err != nil {
		os.RemoveAll(tmp)
		return nil, fmt.Errorf("emulate Lambda: %w", err)
	}
	return f, nil
}

// complete puts defaults in and checks the rest.
func (o *Options) complete() error {
	set := func(p *string, value string) {
		if *p == "" {
			*p = value
		}
	}
	set(&o.Name, "function")
	set(&o.Handler, "bootstrap")
	set(&o.Region, "us-east-1")
	if o.Memory == 0 {
		o.Memory = 128
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.InitTimeout == 0 {
		o.InitTimeout = 10 * time.Second
	}
	if o.Concurrency == 0 {
		o.Concurrency = maxConcurrency
	}
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{time.Minute, 2 * time.Minute}
	}
	o.Env = slices.Clone(o.Env)
	switch {
	case o.Code == "":
		return errors.New("emulate Lambda: there is no code: name a zip file, a directory with a bootstrap, or the program")
	case o.Memory < 128 || o.Memory > 10240:
		return fmt.Errorf("emulate Lambda: the memory is %d MB: want 128 to 10240", o.Memory)
	case o.Timeout < time.Second/10 || o.Timeout > 15*time.Minute:
		return fmt.Errorf("emulate Lambda: the timeout is %v: want one up to 15m", o.Timeout)
	case o.Concurrency < 1 || o.Concurrency > maxConcurrency:
		return fmt.Errorf("emulate Lambda: the concurrency is %d: want 1 to %d", o.Concurrency, maxConcurrency)
	case len(o.Extensions) > maxExtensions:
		return fmt.Errorf("emulate Lambda: there are %d extensions: want %d at most", len(o.Extensions), maxExtensions)
	}
	return nil
}

// ARN returns the function's name for AWS.
func (f *Function) ARN() string {
	return "arn:aws:lambda:" + f.o.Region + ":" + Account + ":function:" + f.o.Name
}

// Instances returns the instances that there are.
func (f *Function) Instances() []*Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*Instance, 0, len(f.live))
	for i := range f.live {
		list = append(list, i)
	}
	return list
}

// Recycle shuts idle instances down, as Lambda does when it has no use for them,
// and returns when they have ended. One that has answered and is about to be idle
// is waited for. The next event is a cold start.
func (f *Function) Recycle() {
	f.quiesce()
	f.mu.Lock()
	idle := f.idle
	f.idle = nil
	f.mu.Unlock()
	var ended sync.WaitGroup
	for _, i := range idle {
		ended.Go(func() { i.end("spindown") })
	}
	ended.Wait()
}

// Close shuts idle instances down, kills those that work, and removes what the
// function has on disk. It returns when all have ended; a second call does
// nothing.
func (f *Function) Close() error {
	f.quiesce()
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.mu.Unlock()
	if closed {
		return nil
	}
	f.Recycle()
	for _, i := range f.Instances() {
		i.Kill()
	}
	f.ended.Wait()
	f.spawn.close()
	if err := os.RemoveAll(f.tmp); err != nil {
		return fmt.Errorf("emulate Lambda: %w", err)
	}
	return nil
}
