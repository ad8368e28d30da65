package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/probe"
)

const probeHelp = `usage: narthex probe TARGET [flags]
       narthex probe --list-modules
       narthex probe --write-scrape-config [TARGET]… [flags]
       narthex probe --write-rules --config FILE

Probes a target once and says on one screen how it is: the phases, the certificate,
and, if it is down, why and what to look at. Without a module, one is chosen by the
target: https://shop.example for http_2xx, host:port for tcp_connect (tls_connect for
443), wss://… for websocket.

  -m, --module NAME     how to probe: a module of --modules, of the configuration, or one
                        of those that are built in
  --modules FILE        modules in the blackbox exporter's format
  --config FILE         a configuration: its modules, its guard, its targets
  --hostname NAME       the Host, and the name that the certificate is checked for
  --timeout D           give up after this long (default 15s)
  --debug               then each step, the metrics and the module
  --json                the result as JSON (docs/probes.md)
  --watch               probe again and again, a line each, until Ctrl-C
  --every D             how often, with --watch (default 5s)

  --list-modules        the modules that there are
  --write-scrape-config print the job with which a Prometheus has the targets probed
                        through a narthex: those given, or those of its configuration
  --at [REGION=]URL     where that narthex is (default: where the configuration has it
                        listen); several for several regions
  --bearer-token-file FILE
                        the token that Prometheus sends, for the scope probe
  --write-rules         print alerting rules for the targets of the configuration, for
                        Prometheus or Amazon Managed Prometheus: down, did not run,
                        certificate, slow

Exit codes: 0 the target is well (or what was asked for is printed), 1 it is not,
2 wrong usage, modules or configuration.
`

// probeFlags are the flags of narthex probe.
type probeFlags struct {
	module, modules, config, hostname, tokenFile string
	timeout, every                               time.Duration
	debug, json, watch, list, scrape, rules      bool
	at                                           []string
	targets                                      []string
}

// probeCommand probes a target.
func probeCommand(ctx context.Context, args []string, t terminal) error {
	o, err := parseProbe(args, t)
	if err != nil {
		return err
	}
	c, err := load(o.config)
	if err != nil {
		return err
	}
	if o.modules != "" {
		c.ModulesFile, c.Modules = o.modules, nil
	}
	modules, err := app.Modules(c, probeFeatures(), os.LookupEnv)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	switch {
	case o.list:
		return listModules(t.out, modules)
	case o.scrape:
		return o.writeScrapeConfig(t.out, c)
	case o.rules:
		return writeRules(t.out, c)
	}
	if err := o.choose(modules); err != nil {
		return err
	}
	p, err := app.Prober(c, map[string]*probe.Module{o.module: modules[o.module]}, probeFeatures(), slog.New(slog.DiscardHandler))
	if err != nil {
		return &exitError{exitUsage, err}
	}
	return o.run(ctx, probe.NewRunner(probe.RunnerOptions{Prober: p}), modules[o.module], t)
}

func parseProbe(args []string, t terminal) (*probeFlags, error) {
	o := new(probeFlags)
	f := flags("probe", t)
	f.StringVar(&o.module, "module", "", "")
	f.StringVar(&o.module, "m", "", "")
	f.StringVar(&o.modules, "modules", "", "")
	f.StringVar(&o.config, "config", "", "")
	f.StringVar(&o.hostname, "hostname", "", "")
	f.StringVar(&o.tokenFile, "bearer-token-file", "", "")
	f.DurationVar(&o.timeout, "timeout", 15*time.Second, "")
	f.DurationVar(&o.every, "every", 5*time.Second, "")
	f.BoolVar(&o.debug, "debug", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.watch, "watch", false, "")
	f.BoolVar(&o.list, "list-modules", false, "")
	f.BoolVar(&o.scrape, "write-scrape-config", false, "")
	f.BoolVar(&o.rules, "write-rules", false, "")
	f.Func("at", "", func(s string) error { o.at = append(o.at, s); return nil })
	for { // flags may stand on both sides of the target
		if err := parse(f, args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		o.targets, args = append(o.targets, f.Arg(0)), f.Args()[1:]
	}
	prints := o.list || o.scrape || o.rules
	switch {
	case !prints && len(o.targets) != 1:
		return nil, usageError("it probes one target, such as https://shop.example; narthex help probe tells more")
	case o.rules && o.config == "":
		return nil, usageError("--write-rules wants --config: the rules are made of its targets")
	case (o.list || o.rules) && len(o.targets) > 0:
		return nil, usageError("it takes no target here, but got %q", o.targets[0])
	case o.timeout <= 0 || o.timeout > 10*time.Minute:
		return nil, usageError("--timeout is %s: want up to 10m", o.timeout)
	case o.every < 100*time.Millisecond:
		return nil, usageError("--every is %s: want at least 100ms", o.every)
	}
	return o, nil
}

// choose settles the module.
func (o *probeFlags) choose(modules map[string]*probe.Module) error {
	chosen := o.module == ""
	if chosen {
		o.module = moduleFor(o.targets[0])
	}
	if modules[o.module] != nil {
		return nil
	}
	if chosen {
		return usageError("say with -m how %s is to be probed; there are %s", o.targets[0], strings.Join(slices.Sorted(maps.Keys(modules)), ", "))
	}
	return usageError("there is no module %q; there are %s", o.module, strings.Join(slices.Sorted(maps.Keys(modules)), ", "))
}

// moduleFor guesses the module that fits a target.
func moduleFor(target string) string {
	scheme, _, hasScheme := strings.Cut(target, "://")
	switch _, port, err := net.SplitHostPort(target); {
	case hasScheme && (scheme == "ws" || scheme == "wss"):
		return "websocket"
	case hasScheme || err != nil:
		return "http_2xx"
	case port == "443" || port == "8443":
		return "tls_connect"
	}
	return "tcp_connect"
}

// run probes, once or again and again.
func (o *probeFlags) run(ctx context.Context, r *probe.Runner, m *probe.Module, t terminal) error {
	what := probe.Request{Target: o.targets[0], Module: o.module, Hostname: o.hostname, Timeout: o.timeout}
	if o.watch {
		return o.again(ctx, r, what, t.out)
	}
	result, err := r.Run(ctx, what)
	if err != nil {
		return probeError(err)
	}
	switch {
	case o.json:
		report := probe.NewReport(&probe.Seen{Result: result}, true)
		if !o.debug {
			report.Log = ""
		}
		enc := json.NewEncoder(t.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	default:
		if err = printProbe(t.out, result); err == nil && o.debug {
			err = printDebug(t.out, result, m)
		}
	}
	if err == nil && !result.Success {
		return &exitError{exitFailed, nil} // it is said on the screen
	}
	return err
}

func probeError(err error) error {
	if narthex.KindOf(err) == narthex.Invalid {
		return &exitError{exitUsage, err}
	}
	return err
}

// again probes until ctx ends, a line each.
func (o *probeFlags) again(ctx context.Context, r *probe.Runner, what probe.Request, w io.Writer) error {
	failed, n := 0, 0
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		result, err := r.Run(ctx, what)
		if err != nil {
			return probeError(err)
		}
		if ctx.Err() != nil { // it was stopped, and says nothing of the target
			break
		}
		if n++; !result.Success {
			failed++
		}
		if err := o.line(w, result); err != nil {
			return err
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		break
	}
	if !o.json {
		fmt.Fprintf(w, "%d probes, %d failed\n", n, failed)
	}
	if failed > 0 {
		return &exitError{exitFailed, nil}
	}
	return nil
}

func (o *probeFlags) line(w io.Writer, r *probe.Result) error {
	if o.json {
		return json.NewEncoder(w).Encode(probe.NewReport(&probe.Seen{Result: r}, false))
	}
	line := r.Start.Format("15:04:05") + "  up    " + milliseconds(r.Duration.Seconds())
	if f := r.Failure; f != nil {
		line = r.Start.Format("15:04:05") + "  DOWN  " + milliseconds(r.Duration.Seconds()) + "  " + string(f.Phase) + ": " + string(f.Reason) + ": " + f.Err.Error()
	} else {
		for _, p := range reached(r) {
			line += "  " + p.Phase + " " + strings.TrimSpace(milliseconds(p.Seconds))
		}
	}
	if r.Throttled() {
		line += "  (kept from the CPU for " + strings.TrimSpace(milliseconds(r.Wait.Seconds())) + ")"
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

func listModules(w io.Writer, modules map[string]*probe.Module) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODULE\tPROBER\tTIMEOUT\tTARGETS")
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		timeout, allowed := "-", "any"
		if m.Timeout > 0 {
			timeout = m.Timeout.String()
		}
		switch {
		case len(m.AllowedTargets) > 0:
			allowed = strings.Join(m.AllowedTargets, ", ")
		case m.HasCredentials():
			allowed = "those of the configuration (it has credentials)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, m.Prober, timeout, allowed)
	}
	return t.Flush()
}

// writeRules prints the rules for the configuration's targets.
func writeRules(w io.Writer, c *config.Config) error {
	if len(c.Probes.Targets) == 0 {
		return usageError("the configuration has no probes.targets: there is nothing to make rules for")
	}
	o := probe.RuleOptions{Job: c.Probes.Job}
	for _, t := range c.Probes.Targets {
		o.Targets = append(o.Targets, probe.RuleTarget{
			Target:  probe.Target{Name: t.Name, Target: t.Target, Module: t.Module, Every: t.Every, Timeout: t.Timeout, Labels: t.Labels},
			Regions: t.Regions,
		})
	}
	return probe.WriteRules(w, o)
}

// writeScrapeConfig prints Prometheus's job.
func (o *probeFlags) writeScrapeConfig(w io.Writer, c *config.Config) error {
	s := probe.ScrapeConfig{Job: c.Probes.Job, Targets: o.targets, Module: o.module, TokenFile: o.tokenFile}
	if len(o.at) == 0 {
		s.At = []probe.Place{{URL: "http://" + c.Listen}}
	}
	for _, at := range o.at {
		region, url, named := strings.Cut(at, "=")
		if !named || strings.Contains(region, ":") {
			region, url = "", at
		}
		s.At = append(s.At, probe.Place{Region: region, URL: url})
	}
	if err := probe.WriteScrapeConfig(w, s); err != nil {
		return probeError(err)
	}
	return nil
}
