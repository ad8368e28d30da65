package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"narthex"
	"narthex/auth"
	"narthex/config"
	"narthex/internal/yamldoc"
	"narthex/probe"
	"narthex/state"
)

// Modules returns the modules of probes: those of the configuration's file, or those
// in the configuration itself and besides the ones that are built in. Its errors are of the file that has
// them, with lines.
func Modules(c *config.Config, f probe.Features, env func(string) (string, bool)) (map[string]*probe.Module, error) {
	switch {
	case c.Modules != nil:
		own, err := probe.ReadModules(c.Name(), c.Modules, env)
		if err != nil {
			return nil, err
		}
		all := probe.DefaultModules(f)
		maps.Copy(all, own)
		return all, nil
	case c.ModulesFile != "":
		data, err := readBounded(c.ModulesFile)
		if err != nil {
			return nil, fmt.Errorf("modules_file: %w", err)
		}
		return probe.ParseModules(c.ModulesFile, data, env)
	}
	return probe.DefaultModules(f), nil
}

// Targets returns the configured targets that are probed here. An error names one
// whose module there is not.
func Targets(c *config.Config, modules map[string]*probe.Module) ([]probe.Target, error) {
	var out []probe.Target
	var problems yamldocProblems
	for _, t := range c.Probes.Targets {
		if modules[t.Module] == nil {
			problems.add(c.Name(), t.Line, t)
		}
		if t.In(c.Probes.Region) {
			out = append(out, probe.Target{
				Name: t.Name, Target: t.Target, Module: t.Module, Hostname: t.Hostname, Every: t.Every, Timeout: t.Timeout, Labels: t.Labels,
			})
		}
	}
	return out, problems.err()
}

// yamldocProblems collects targets without a module.
type yamldocProblems struct{ r *yamldoc.Reader }

func (p *yamldocProblems) add(file string, line int, t config.ProbeTarget) {
	if p.r == nil {
		p.r = yamldoc.NewReader(file)
	}
	p.r.Add(line, fmt.Sprintf("probes.targets: %s wants the module %q, which there is not: narthex probe --list-modules tells those that there are", t.Name, t.Module))
}

func (p *yamldocProblems) err() error {
	if p.r == nil {
		return nil
	}
	return p.r.Err()
}

// Prober returns what probes by the configuration.
func Prober(c *config.Config, modules map[string]*probe.Module, f probe.Features, log *slog.Logger) (*probe.Prober, error) {
	g := c.Probes.Guard
	return probe.New(probe.Options{
		Modules: modules, Features: f, Region: c.Probes.Region, Logger: log,
		Guard: probe.Guard{Private: g.Private, Loopback: g.Loopback, Allow: g.Allow, Deny: g.Deny},
	})
}

// CheckProbes reads what the configuration says of probes, as far as that can be
// done without the network.
func CheckProbes(c *config.Config, f probe.Features) error {
	modules, err := Modules(c, f, os.LookupEnv)
	if err != nil {
		return err
	}
	if _, err := Targets(c, modules); err != nil {
		return err
	}
	_, err = Prober(c, modules, f, nil)
	return err
}

// probes are the parts that probe.
type probes struct {
	modules map[string]*probe.Module
	targets []probe.Target
	runner  *probe.Runner
	history probe.History
	*probe.Schedule
}

// newProbes reads the modules and makes what probes.
func (a *App) newProbes(ctx context.Context) error {
	c := a.o.Config
	modules, err := Modules(c, a.o.Probes, os.LookupEnv)
	if err != nil {
		return err
	}
	targets, err := Targets(c, modules)
	if err != nil {
		return err
	}
	p, err := Prober(c, modules, a.o.Probes, a.o.Logger)
	if err != nil {
		return err
	}
	p.Register(&a.stats)
	a.probes = &probes{
		modules: modules, targets: targets,
		runner: probe.NewRunner(probe.RunnerOptions{Prober: p, Concurrency: c.Probes.Concurrency, Stats: &a.stats}),
	}
	keep, err := state.OpenFile(filepath.Join(c.Data, "state"))
	if err != nil {
		return err
	}
	a.probes.Schedule, err = probe.NewSchedule(ctx, probe.ScheduleOptions{
		Targets: targets, Runner: a.probes.runner, History: &a.probes.history, Job: c.Probes.Job, Region: c.Probes.Region,
		Samples: a.foreign(), Counts: a.ledger, Keep: keep, Logger: a.o.Logger, Now: a.o.Now, Stats: &a.stats,
	})
	return err
}

// foreign is where samples go that have times of their own and that narthex has
// fetched itself: past the limits that bound senders. With nothing but the embedded
// store, they go straight there.
func (a *App) foreign() narthex.Sink {
	if _, ok := a.o.Sink.(store); ok && len(a.outlets) == 0 {
		return narthex.SinkFunc(a.direct)
	}
	return a.ledger
}

// mountProbes adds the doors of probes.
func (a *App) mountProbes(mux *http.ServeMux) {
	c := a.o.Config
	local := IsLoopback(c.Listen)
	probe.Mount(mux, probe.Doors{
		Modules: a.probes.modules, Runner: a.probes.runner, History: &a.probes.history, Targets: a.probes.targets,
		Allowed: c.Probes.AllowedTargets, Region: c.Probes.Region, Stats: &a.stats, TimeoutOffset: 500 * time.Millisecond,
		Free: func(r *http.Request) bool {
			id, known := auth.FromContext(r.Context())
			return known && id.Scopes.Has(auth.Admin) || !known && local && !a.o.Access.Required()
		},
	})
}
