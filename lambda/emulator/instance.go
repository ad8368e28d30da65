package emulator

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// An Instance is one execution environment of a function.
type Instance struct {
	f         *Function
	id        string
	address   string // of its Runtime, Extensions and Telemetry API
	server    *http.Server
	dir       string // its TMPDIR
	started   time.Time
	group     *group // nil without one
	telemetry *telemetry

	mu         sync.Mutex
	changed    chan struct{} // closed, and another made, at each change of what follows
	runtime    *agent
	extensions []*agent // registered
	opened     bool     // the runtime is started: no external extension may register any more
	processes  []*process
	now        *invocation // under way
	fault      *fault      // what has ended it
	killed     bool
	ending     bool

	// Of the goroutine that works on an invocation, which is one at a time.
	ready     bool // initialised
	init      initialised
	throttled time.Duration // up to the last report
	idle      *time.Timer
	once      sync.Once // for the end
}

// initialised is what the start took.
type initialised struct {
	duration time.Duration
	cpu      time.Duration // later: up to the last report
	told     bool          // in a report
}

// fault is why an instance can't go on.
type fault struct {
	kind, message string // as the caller's errorType and errorMessage
	payload       []byte // what the function itself said, if it did
}

func (f *fault) Error() string { return f.kind + ": " + f.message }

var errTimeout = errors.New("time is up")

// newInstance makes an instance that listens and has no processes yet. The
// caller has counted it.
func (f *Function) newInstance() (*Instance, error) {
	i := &Instance{f: f, id: randomHex(16), started: time.Now(), changed: make(chan struct{})}
	i.runtime = newAgent("")
	i.telemetry = newTelemetry()
	i.dir = filepath.Join(f.tmp, i.id)
	if err := os.Mkdir(i.dir, 0o700); err != nil {
		return nil, err
	}
	if f.o.CPU != CPUAll || f.o.LimitMemory {
		var err error
		if i.group, err = newGroup(i.id); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i.address = ln.Addr().String()
	i.server = &http.Server{Handler: i.routes(), ReadHeaderTimeout: time.Minute}
	go i.server.Serve(ln)
	return i, nil
}

// ID returns the instance's name, which its log stream ends with.
func (i *Instance) ID() string { return i.id }

// Busy reports whether it works on an invocation.
func (i *Instance) Busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now != nil
}

// PID returns the process id of the runtime, 0 if it is not started.
func (i *Instance) PID() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.runtime.process == nil {
		return 0
	}
	return i.runtime.process.pid()
}

// Kill ends the instance's processes at once, as a failing host does. An
// invocation that is under way has failed.
func (i *Instance) Kill() {
	i.mu.Lock()
	i.killed = true // what is about to start, too
	i.mu.Unlock()
	i.signal(syscall.SIGKILL)
}

// signal sends all processes a signal.
func (i *Instance) signal(s syscall.Signal) {
	i.mu.Lock()
	list := i.processes
	i.mu.Unlock()
	for _, p := range list {
		p.signal(s)
	}
}

// change changes something that others may wait for.
func (i *Instance) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	do()
	close(i.changed)
	i.changed = make(chan struct{})
}

// wait waits for a condition, which it checks under the lock, until the deadline
// or the instance's fault.
func (i *Instance) wait(deadline time.Time, ok func() bool) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		i.mu.Lock()
		done, fault, changed := ok(), i.fault, i.changed
		i.mu.Unlock()
		switch {
		case done:
			return nil
		case fault != nil:
			return fault
		}
		select {
		case <-changed:
		case <-timer.C:
			return errTimeout
		}
	}
}

// fail records the first fault.
func (i *Instance) fail(f *fault) {
	i.change(func() {
		if i.fault == nil {
			i.fault = f
		}
	})
}

// freeze stops the processes, thaw lets them go on.
func (i *Instance) freeze() {
	i.telemetry.pause(true)
	i.signal(sigStop)
}

func (i *Instance) thaw() {
	i.signal(sigCont)
	i.telemetry.pause(false)
}

// start starts the instance: extensions, then the runtime. It returns when all
// have asked for their first event.
func (i *Instance) start(deadline time.Time, phase string) error {
	begin := time.Now()
	o := &i.f.o
	i.telemetry.emit("platform.initStart", map[string]any{
		"initializationType": "on-demand", "phase": phase, "functionName": o.Name, "functionVersion": version,
		"instanceId": i.id, "instanceMaxMemory": int64(o.Memory) << 20,
	})
	if err := i.limit(o.CPU == CPUShare); err != nil {
		return err
	}
	err := i.launch(deadline)
	i.init = initialised{duration: time.Since(begin)}
	i.init.cpu = i.usage().cpu
	status, errorType := outcome(err)
	i.telemetry.emit("platform.initRuntimeDone", map[string]any{"initializationType": "on-demand", "phase": phase, "status": status})
	i.mu.Lock()
	for _, e := range i.extensions {
		i.telemetry.emit("platform.extension", map[string]any{"name": e.name, "state": "Ready", "events": e.eventNames()})
	}
	i.mu.Unlock()
	i.telemetry.emit("platform.initReport", map[string]any{
		"initializationType": "on-demand", "phase": phase, "status": status, "metrics": map[string]any{"durationMs": millis(i.init.duration)},
	})
	if err != nil {
		line := fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s", millis(i.init.duration), phase, status)
		if errorType != "" && status == "error" {
			line += "\tError Type: " + errorType
		}
		i.f.log.line(line)
		return err
	}
	i.ready = true
	i.telemetry.opened()
	return i.limit(o.CPU == CPUShare || o.CPU == CPUBoost)
}

// limit sets what the control group allows.
func (i *Instance) limit(cpu bool) error {
	if i.group == nil {
		return nil
	}
	var memory int64
	if i.f.o.LimitMemory {
		memory = int64(i.f.o.Memory) << 20
	}
	share := 0.0
	if cpu {
		share = float64(i.f.o.Memory) / fullProcessor
	}
	return i.group.limit(share, memory)
}

// fullProcessor is the memory in MB with which a function has one processor.
// Source: "Configure Lambda function memory".
const fullProcessor = 1769

// launch starts the processes and waits for them.
func (i *Instance) launch(deadline time.Time) error {
	for _, path := range i.f.o.Extensions {
		if err := i.run(path, filepath.Base(path)); err != nil {
			return err
		}
	}
	want := len(i.f.o.Extensions)
	if err := i.wait(deadline, func() bool { return len(i.extensions) >= want }); err != nil {
		return err
	}
	i.change(func() { i.opened = true })
	if err := i.run(filepath.Join(i.f.root, "bootstrap"), ""); err != nil {
		return err
	}
	return i.wait(deadline, i.allReady)
}

// allReady reports whether the runtime and all extensions wait for an event.
func (i *Instance) allReady() bool {
	for _, e := range i.extensions {
		if !e.ready {
			return false
		}
	}
	return i.runtime.ready
}

// outcome words an error for telemetry.
func outcome(err error) (status, errorType string) {
	var f *fault
	switch {
	case err == nil:
		return "success", ""
	case errors.Is(err, errTimeout):
		return "timeout", ""
	case errors.As(err, &f):
		return "error", f.kind
	}
	return "error", "Runtime.InvalidEntrypoint"
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// newID returns a random UUID.
func newID() string {
	h := []byte(randomHex(16))
	h[12], h[16] = '4', "89ab"[h[16]&3]
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
