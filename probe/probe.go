// Package probe looks at targets from outside, as the blackbox exporter does:
// HTTP, TCP, TLS, DNS, ICMP, gRPC health, WebSocket and Unix sockets. Its
// contract is the exporter's: the same modules in the same file, the same names
// of metrics and labels, the same parameters of /probe.
//
//	p, err := probe.New(probe.Options{Modules: modules})
//	...
//	r := p.Run(ctx, probe.Request{Target: "https://shop.example", Module: "http_2xx"})
//	if !r.Success {
//		fmt.Println(r.Failure)
//	}
//
// A probe has one deadline, which every prober obeys, so that a verdict always
// leaves. All connections are made by one dialer, whose [Guard] looks at the
// address that is really dialled.
//
// Source: prometheus/blackbox_exporter, CONFIGURATION.md and its probers, v0.28
// and the current main.
package probe

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"narthex"
	"narthex/openmetrics"
)

// Options are a Prober's parts.
type Options struct {
	// Modules are the ways to probe, by name.
	Modules map[string]*Module
	// Guard is what may not be dialled.
	Guard Guard
	// Features are what this program can do that not every program or place can.
	Features Features
	// Region is where the probes run, "" if it is not said.
	Region string
	Logger *slog.Logger     // nil means slog.Default()
	Now    func() time.Time // nil means time.Now
}

// Prober runs probes. Its methods may be called from several goroutines.
type Prober struct {
	o Options
}

// New returns a prober. It does not touch the network. An error names the module
// that can't be used here, why, and what to use instead.
func New(o Options) (*Prober, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Prober{o: o}, nil
}

// Request is one probe to be made.
type Request struct {
	Target string
	// Module is the name of the module.
	Module string
	// Hostname, if not empty, is sent as the Host of an HTTP probe, and is the name
	// that a TLS certificate is checked for.
	Hostname string
	// Timeout bounds the probe, besides the module's own timeout and the context's
	// deadline; 0 is no further bound.
	Timeout time.Duration
}

// Result is what a probe found out.
type Result struct {
	Target, Module string
	// Start is when the probe began; its samples have this time.
	Start time.Time
	// Duration is how long it took, Timeout how long it might have.
	Duration, Timeout time.Duration
	Success           bool
	// Failure says why, if Success is false.
	Failure *Failure
	// Attempts is how often the target was tried: 1 without retries.
	Attempts int
	// Families are the metrics, sorted by name, probe_success and
	// probe_duration_seconds among them.
	Families []openmetrics.Family
	// Log is what the probe did, step by step, without secrets.
	Log []byte
}

// defaultTimeout bounds a probe that nothing else bounds, as in the exporter.
const defaultTimeout = 120 * time.Second

// Run makes a probe. It returns before its deadline: the earliest of the
// context's, the request's and the module's. An error means that nothing was
// probed, because the request is wrong.
func (p *Prober) Run(ctx context.Context, r Request) (*Result, error) {
	m := p.o.Modules[r.Module]
	if m == nil {
		return nil, narthex.Errorf(narthex.Invalid, "unknown module %q", r.Module)
	}
	if r.Target == "" {
		return nil, narthex.Errorf(narthex.Invalid, "the target is missing")
	}
	timeout := defaultTimeout
	for _, d := range []time.Duration{m.Timeout, r.Timeout} {
		if d > 0 {
			timeout = min(timeout, d)
		}
	}
	start := p.o.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun := time.Now()
	t := p.newTrial(r, m)
	f := t.attempt(ctx)
	out := &Result{
		Target: r.Target, Module: r.Module, Start: start, Duration: time.Since(begun), Timeout: timeout,
		Success: f == nil, Failure: f, Attempts: 1,
	}
	out.Families, out.Log = t.finish(out)
	return out, nil
}

// attempt calls the prober. What panics in it is a failed probe.
func (t *trial) attempt(ctx context.Context) (f *Failure) {
	defer func() {
		if v := recover(); v != nil {
			t.log.Error("the probe panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			f = &Failure{Phase: PhaseInternal, Reason: ReasonPanic, Err: fmt.Errorf("the prober has a defect: %v", v)}
		}
	}()
	run := proberOf(t.module.Prober)
	if run == nil {
		return &Failure{Phase: PhasePolicy, Reason: ReasonUnsupported, Err: fmt.Errorf("the prober %q is not known", t.module.Prober)}
	}
	return asFailure(ctx, run(ctx, t))
}

// prober probes t's target. nil is a success. An error that is no *Failure is
// given a phase and a reason by asFailure.
type prober func(ctx context.Context, t *trial) error

// proberOf returns the prober of that name, nil if there is none.
func proberOf(name string) prober {
	switch name {
	// "http": probeHTTP (http.go), "tcp": probeTCP (tcp.go), "unix": probeUnix (unix.go),
	// "dns": probeDNS (dns.go), "icmp": probeICMP (icmp.go), "grpc": probeGRPC (grpc.go),
	// "websocket": probeWebSocket (websocket.go)
	}
	return nil
}
