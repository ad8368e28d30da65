package probe

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"narthex"
)

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
	if took := p.Warm(r); r.Timeout > 0 { // whoever asked waits meanwhile
		r.Timeout = max(time.Millisecond, r.Timeout-took)
	}
	start, begun := p.o.Now(), time.Now()
	timeout := timeoutOf(ctx, m, r)
	ctx, cancel := context.WithTimeout(ctx, timeout-reserve(timeout))
	defer cancel()
	out := &Result{Target: r.Target, Module: r.Module, Start: start, Timeout: timeout}
	trials := p.attempts(ctx, r, m, out)
	out.Duration = time.Since(begun)
	p.conclude(out, m, trials)
	return out, nil
}

// timeoutOf returns how long a probe may take.
func timeoutOf(ctx context.Context, m *Module, r Request) time.Duration {
	timeout := defaultTimeout
	for _, d := range []time.Duration{m.Timeout, r.Timeout} {
		if d > 0 {
			timeout = min(timeout, d)
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	return timeout
}

// reserve is how much of a timeout is kept for the way back, so that the verdict
// leaves before it is over.
func reserve(timeout time.Duration) time.Duration { return min(timeout/10, 50*time.Millisecond) }

// attempts probes until it succeeds, fails for good, or has been retried as often
// as the module says. It returns the trials of the last attempt: one for each
// address that was probed.
func (p *Prober) attempts(ctx context.Context, r Request, m *Module, out *Result) []*ended {
	for {
		out.Attempts++
		left := m.Retries + 1 - out.Attempts
		trials := p.attempt(ctx, r, m, left)
		failure := verdict(trials)
		if failure == nil || left <= 0 || final(failure) || ctx.Err() != nil || !pause(ctx, retryPause<<min(out.Attempts-1, 4)) {
			return trials
		}
		p.o.Logger.Debug("probe failed and is made again", "target", r.Target, "module", r.Module, "attempt", out.Attempts, "phase", failure.Phase, "reason", failure.Reason)
	}
}

// retryPause is how long the first retry waits; each next one waits twice as long.
const retryPause = 50 * time.Millisecond

// final reports whether a failure would be the same in another attempt.
func final(f *Failure) bool {
	return f.Phase == PhasePolicy || f.Phase == PhaseInternal || f.Reason == ReasonBadTarget || f.Reason == ReasonUnsupported
}

// pause waits, and reports whether it could.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended is a trial with its verdict.
type ended struct {
	*trial
	failure *Failure
	took    time.Duration
}

// attempt makes one attempt, in its share of the time that is left for this one and
// the retries, and returns its trials: the first one, and with addresses: all those
// of the other addresses, which run beside it.
func (p *Prober) attempt(ctx context.Context, r Request, m *Module, left int) []*ended {
	if deadline, ok := ctx.Deadline(); ok && left > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left+1))
		defer cancel()
	}
	first := p.newTrial(r, m, netip.Addr{})
	var wg sync.WaitGroup
	var others []*ended
	first.fan = func(addrs []netip.Addr) {
		for _, a := range addrs {
			e := &ended{trial: p.newTrial(r, m, a)}
			others = append(others, e)
			wg.Go(func() { e.run(ctx) })
		}
	}
	e := &ended{trial: first}
	e.run(ctx)
	wg.Wait()
	return append([]*ended{e}, others...)
}

// run calls the prober. What panics in it is a failed probe.
func (e *ended) run(ctx context.Context) {
	begun := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if v := recover(); v != nil {
			e.log.Error("the probe panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			e.failure = &Failure{Phase: PhaseInternal, Reason: ReasonPanic, Err: fmt.Errorf("the prober has a defect: %v", v)}
		}
		cancel()
		e.net.close()
		e.took = time.Since(begun)
	}()
	e.failure = asFailure(ctx, e.probe(ctx))
}

// probe calls the module's prober.
func (t *trial) probe(ctx context.Context) error {
	if why := t.prober.o.Features.lacks(t.module); why != "" {
		return failed(PhasePolicy, ReasonUnsupported, "%s", why)
	}
	if err := t.permitted(); err != nil {
		return err
	}
	run := proberOf(t.module.Prober)
	if run == nil {
		return failed(PhasePolicy, ReasonUnsupported, "the prober %q is not known", t.module.Prober)
	}
	return run(ctx, t)
}

// permitted returns a *Failure if the module is not for the target.
func (t *trial) permitted() error {
	allowed := t.module.AllowedTargets
	if len(allowed) == 0 {
		return nil
	}
	if !matchesAny(t.target, allowed) {
		return failed(PhasePolicy, ReasonNotAllowed, "the target is not among the allowed_targets of the module %q", t.module.Name)
	}
	// At an address that many share, the name decides who is asked.
	if t.hostname != "" && t.hostname != hostOf(t.target) {
		return failed(PhasePolicy, ReasonNotAllowed, "the module %q has allowed_targets, so hostname can't be another than the target's", t.module.Name)
	}
	return nil
}

// prober probes t's target. nil is a success. An error that is no *Failure is
// given a phase and a reason by asFailure.
type prober func(ctx context.Context, t *trial) error

// proberOf returns the prober of that name, nil if there is none.
func proberOf(name string) prober {
	switch name {
	case "http":
		return probeHTTP
	case "tcp":
		return probeTCP
	case "unix":
		return probeUnix
	case "dns":
		return probeDNS
	case "icmp":
		return probeICMP
	case "grpc":
		return probeGRPC
	case "websocket":
		return probeWebSocket
	}
	return nil
}
