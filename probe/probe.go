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
	"cmp"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/internal/stats"
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
	Logger *slog.Logger        // nil means slog.Default()
	Now    func() time.Time    // nil means time.Now
	Getenv func(string) string // nil means os.Getenv
}

// Prober runs probes. Its methods may be called from several goroutines.
type Prober struct {
	o         Options
	watch     *watch
	resolvers map[string]*resolver // by Module.Resolver
	cel       map[string]CELProgram
	tokens    tokens
	trusted   struct { // the system's certificates
		sync.Once
		read atomic.Bool
	}
	pools    pools
	sessions struct {
		mu sync.Mutex
		of map[*SigV4]*aws.Session
	}
	denied func(values ...string) *stats.Counter
	large  chan struct{} // has a place for each large body in memory
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
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	p := &Prober{o: o, watch: newWatch(o.Guard, o.Getenv), resolvers: map[string]*resolver{}, cel: map[string]CELProgram{}, large: make(chan struct{}, maxLarge)}
	p.Register(new(stats.Set))
	if err := o.Features.refuse(o.Modules); err != nil {
		return nil, err
	}
	for _, m := range sorted(o.Modules) {
		if err := p.prepare(m); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "module %q: %w", m.Name, err)
		}
	}
	return p, nil
}

// prepare makes ready what a module needs.
func (p *Prober) prepare(m *Module) error {
	if m.Resolver != "" && p.resolvers[m.Resolver] == nil {
		r, err := newResolver(m.Resolver)
		if err != nil {
			return err
		}
		p.resolvers[m.Resolver] = r
	}
	for _, expression := range []string{m.HTTP.BodyMatchesCEL, m.HTTP.BodyNotMatchesCEL} {
		if expression == "" || p.cel[expression] != nil || p.o.Features.CEL == nil {
			continue
		}
		program, err := p.o.Features.CEL(expression)
		if err != nil {
			return err
		}
		p.cel[expression] = program
	}
	return nil
}

// Register counts in set from now on.
func (p *Prober) Register(set *stats.Set) {
	p.denied = set.CounterVec("narthex_probe_denied_total", "Connections of probes that the guard has denied, by reason.", "reason")
}

func (p *Prober) countDenied(d denial) { p.denied(string(d)).Add(1) }

// sorted returns modules in the order of their names.
func sorted(modules map[string]*Module) []*Module {
	return slices.SortedFunc(maps.Values(modules), func(a, b *Module) int { return cmp.Compare(a.Name, b.Name) })
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

	// Cold says that it was its process's first probe, Wait for how long of it the
	// process was kept from the CPU. A [Runner] sets them.
	Cold bool
	Wait time.Duration
}
