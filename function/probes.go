package function

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"narthex"
	"narthex/app"
	"narthex/auth"
	"narthex/lambda"
	"narthex/probe"
	"narthex/state"
)

// probes are the parts of an instance that probe.
type probes struct {
	modules map[string]*probe.Module
	targets []probe.Target
	runner  *probe.Runner
	history probe.History
	region  string

	mu       sync.Mutex
	schedule *probe.Schedule // made at first use
	last     time.Time       // of the last round
}

// hasProbes reports whether the configuration wants probes of this function: by the
// role, or by what it says of them.
func (n *instance) hasProbes() bool {
	if slices.Contains(n.c.Lambda.Roles, "probe") {
		return true
	}
	return n.c.Lambda.Plays("probe") && (len(n.c.Probes.Targets) > 0 || n.c.Given("probes.allowed_targets") || n.c.Given("modules") || n.c.Given("modules_file"))
}

// newProbes reads the modules. What the function can't do is an error that says
// what to use instead; private addresses and its own machine are forbidden unless
// the configuration allows them, and names are looked up as IPv4 first, since
// outgoing IPv6 wants a network of one's own.
func (n *instance) newProbes() error {
	c := n.c
	p := &probes{region: cmp.Or(c.Probes.Region, n.o.Getenv("AWS_REGION"))}
	var none probe.Features
	var err error
	p.modules, err = app.Modules(c, none, func(name string) (string, bool) {
		value := n.o.Getenv(name)
		return value, value != ""
	})
	if err != nil {
		return err
	}
	for _, m := range p.modules {
		m.PreferIPv4()
	}
	local := *c
	local.Probes.Region = p.region
	local.Probes.Guard.Private = c.Probes.Guard.Private && c.Given("probes.guard.private")
	local.Probes.Guard.Loopback = c.Probes.Guard.Loopback && c.Given("probes.guard.loopback")
	if p.targets, err = app.Targets(&local, p.modules); err != nil {
		return err
	}
	prober, err := app.Prober(&local, p.modules, none, n.logger)
	if err != nil {
		return err
	}
	for _, t := range p.targets { // while the start is not yet anybody's waiting
		prober.Warm(probe.Request{Target: t.Target, Module: t.Module})
	}
	p.runner = probe.NewRunner(probe.RunnerOptions{Prober: prober, Concurrency: c.Probes.Concurrency})
	n.probes = p
	return nil
}

// mountProbes adds the doors of probes. Whoever AWS alone has identified may have
// the configuration's targets probed, and what probes.allowed_targets lists.
func (n *instance) mountProbes(mux *http.ServeMux) {
	p := n.probes
	probe.Mount(mux, probe.Doors{
		Modules: p.modules, Runner: p.runner, History: &p.history, Targets: p.targets,
		Allowed: n.c.Probes.AllowedTargets, Region: p.region,
		Free: func(r *http.Request) bool {
			id, known := auth.FromContext(r.Context())
			return known && id.Scopes.Has(auth.Admin)
		},
	})
}

// setUpProbes gives the function what the role probe does. What a schedule asks for
// is a round of probes where there is nothing else to tick.
func (n *instance) setUpProbes(f *lambda.Function) {
	if n.probes == nil || len(n.probes.targets) == 0 {
		return
	}
	f.Commands["probe"], f.Commands["tick"] = n.round, n.round
	f.Commands["schedule"] = func(ctx context.Context, event json.RawMessage) (any, error) {
		if _, err := n.sendTicks(ctx); err != nil {
			return nil, err
		}
		return n.round(ctx, event)
	}
	f.Scheduled = append(f.Scheduled, "probe", "tick")
}

// withProbes is a command of the ledger with a round of probes beside it.
func (n *instance) withProbes(do lambda.Command) lambda.Command {
	if n.probes == nil || len(n.probes.targets) == 0 {
		return do
	}
	return func(ctx context.Context, event json.RawMessage) (any, error) {
		var out struct {
			Ledger any `json:"ledger"`
			Probes any `json:"probes"`
		}
		var probing sync.WaitGroup
		var failed error
		probing.Go(func() { out.Probes, failed = n.round(ctx, event) })
		var err error
		out.Ledger, err = do(ctx, event)
		probing.Wait()
		return out, errors.Join(err, failed)
	}
}

// round is the command probe: it probes what is due. The event may say for which
// time, in milliseconds or as {"narthex": "probe", "at": "2026-11-29T12:00:00Z"}; the
// event of a rule has a time of its own. Without one it is the last multiple of the
// tick. Lambda's own retry so counts nothing twice.
func (n *instance) round(ctx context.Context, event json.RawMessage) (any, error) {
	window := n.c.Tick()
	at, asked := n.timeOf(event, window)
	if !asked && n.c.Lambda.ScheduleQueue != "" && window < time.Minute {
		return struct{}{}, nil // messages ask for each round by its time
	}
	if err := n.await(ctx, at.UnixMilli()); err != nil {
		return nil, err
	}
	s, err := n.scheduled(ctx)
	if err != nil {
		return nil, err
	}
	if !asked && !at.After(n.probes.made()) {
		return struct{}{}, nil // the schedule comes more often than the tick
	}
	report, err := s.Round(ctx, at, window)
	if err == nil {
		n.probes.done(at)
	}
	return report, err
}

// made returns the time of the last round that this instance made.
func (p *probes) made() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *probes) done(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = at
}

// timeOf returns for which time a round is asked, and whether the event says it by
// itself.
func (n *instance) timeOf(event json.RawMessage, window time.Duration) (at time.Time, asked bool) {
	var e struct {
		At   json.RawMessage
		Time time.Time // of a rule's event
	}
	now := n.o.Now()
	if json.Unmarshal(event, &e) == nil {
		var ms int64
		switch {
		case json.Unmarshal(e.At, &ms) == nil && ms > 0:
			at, asked = time.UnixMilli(ms), true
		case json.Unmarshal(e.At, &at) == nil && !at.IsZero():
			asked = true
		default:
			at = e.Time
		}
	}
	if at.IsZero() || now.Sub(at).Abs() > time.Hour {
		at, asked = now, false
	}
	if !asked {
		at = at.Truncate(window)
	}
	return at, asked
}

// scheduled returns the schedule, which it makes if that has not been done.
func (n *instance) scheduled(ctx context.Context) (*probe.Schedule, error) {
	p := n.probes
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.schedule != nil {
		return p.schedule, nil
	}
	o := probe.ScheduleOptions{
		Targets: p.targets, Runner: p.runner, History: &p.history, Job: n.c.Probes.Job, Region: p.region,
		Samples: narthex.SinkFunc(n.deliver), Logger: n.logger, Now: n.o.Now,
		Pace: probe.Pace(float64(n.memory>>20) / processor),
	}
	var err error
	if n.c.Ledger.State != "" || n.c.Lambda.Queue != "" {
		if o.Counts, err = n.sink(); err != nil {
			return nil, err
		}
	}
	if n.c.Ledger.State != "" {
		if o.Keep, err = state.Open(ctx, n.c.Ledger.State, state.Options{}); err != nil {
			return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
		}
	}
	p.schedule, err = probe.NewSchedule(ctx, o)
	return p.schedule, err
}

// processor is how much memory, in MB, comes with a whole processor.
//
// Source: AWS Lambda Developer Guide, "Configure Lambda function memory".
const processor = 1769

// deliver writes samples with times of their own to all destinations at once.
func (n *instance) deliver(ctx context.Context, b *narthex.Batch) error {
	if len(n.destinations) == 0 {
		return narthex.Errorf(narthex.Invalid, "there is no remote_write: say where what is probed is to go")
	}
	var mu sync.Mutex
	var all error
	var writing sync.WaitGroup
	for _, d := range n.destinations {
		writing.Go(func() {
			own := *b
			own.Series, own.Rejected = narthex.CloneSeries(b.Series), nil
			err := d.Sink.Write(ctx, &own)
			mu.Lock()
			defer mu.Unlock()
			b.Rejected = append(b.Rejected, own.Rejected...)
			if err != nil {
				all = errors.Join(all, narthex.Errorf(narthex.KindOf(err), "%s: %w", d.Name, err))
			}
		})
	}
	writing.Wait()
	return all
}
