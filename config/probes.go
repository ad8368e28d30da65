package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// Probes are what is probed on a schedule, and what may be probed on request.
type Probes struct {
	// Every is how often a target is probed that doesn't say it itself (every,
	// default 1m, from 1s to 1h).
	Every time.Duration
	// Timeout is how long a probe may take (timeout, default 10s or the interval).
	Timeout time.Duration
	// Region says where this program is, and is a label of all series (region,
	// default none; of the Lambda function, AWS_REGION).
	Region string
	// Job is the label job of all series (job, default probe).
	Job string
	// Concurrency is how many probes run at a time (concurrency, default 100).
	Concurrency int
	// Guard says which addresses may be dialled (guard).
	Guard Guard
	// AllowedTargets are patterns of what may be probed on request beyond the
	// targets: a star stands for any characters of one part of an address, * alone
	// for all (allowed_targets, default none; on loopback and for the scope admin all).
	AllowedTargets []string
	// Targets are probed on a schedule (targets).
	Targets []ProbeTarget
}

// Guard says which addresses may be dialled. Link-local addresses and the metadata
// services of clouds never are.
type Guard struct {
	// Private and Loopback allow addresses of private networks and of this machine
	// (private, loopback, default true; of the Lambda function false).
	Private, Loopback bool
	// Allow and Deny are networks that are allowed or denied besides; deny wins.
	Allow, Deny []netip.Prefix
}

// ProbeTarget is what is probed on a schedule.
type ProbeTarget struct {
	// Name is the label name (name, default the target).
	Name string
	// Target, Module and Hostname are as for GET /probe (target; module, default
	// http_2xx; hostname, default none).
	Target, Module, Hostname string
	// Every and Timeout are how often and how long (every, timeout; default those of
	// all).
	Every, Timeout time.Duration
	// Labels are added to its series (labels).
	Labels narthex.Labels
	// Regions are where it is probed (regions, default everywhere).
	Regions []string
	// Line is where the file has it.
	Line int
}

// In reports whether the target is probed in the region.
func (t *ProbeTarget) In(region string) bool {
	return len(t.Regions) == 0 || slices.Contains(t.Regions, region)
}

// targetWords is what a target may look like in a message.
const targetWords = "a list of {name: shop, target: https://shop.example, module: http_2xx, every: 1m} (docs/probes.md)"

type probeTargets struct{ p *[]ProbeTarget }

func (v probeTargets) read(r *reader, path string, n *yaml.Node) {
	var out []ProbeTarget
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) { out = append(out, r.probeTarget(path, n)) })
	*v.p = out
	r.later = append(r.later, func() { r.probeTargets(path, *v.p) })
}

func (v probeTargets) String() string {
	var parts []string
	for i, t := range *v.p {
		if i == 5 {
			parts = append(parts, fmt.Sprintf("%d more", len(*v.p)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%s every %s)", t.Name, t.Module, FormatDuration(t.Every)))
	}
	return orNone(strings.Join(parts, "; "))
}

func (v probeTargets) wants() string { return targetWords }

func (r *reader) probeTarget(path string, n *yaml.Node) ProbeTarget {
	t := ProbeTarget{Module: "http_2xx", Line: n.Line}
	ok := r.fields(path, n, "a target {target: https://shop.example}",
		r.word("name", "a name", &t.Name), r.word("target", "what is probed", &t.Target), r.word("module", "a module's name", &t.Module),
		r.word("hostname", "a host name", &t.Hostname),
		r.durationField("every", &t.Every, time.Second, time.Hour), r.durationField("timeout", &t.Timeout, 10*time.Millisecond, 10*time.Minute),
		r.words("regions", "a list of regions", &t.Regions), r.probeLabels(&t.Labels))
	if ok && t.Target == "" {
		r.errorf(n, path, "target is missing: say what is to be probed")
	}
	if t.Name == "" {
		t.Name = t.Target
	}
	return t
}

// probeLabels is the field labels, without those that a probe has itself.
func (r *reader) probeLabels(p *narthex.Labels) field {
	return field{"labels", func(path string, n *yaml.Node) {
		r.labels(path, n, "labels such as {team: shop}", func(name, value string) {
			if slices.Contains([]string{"job", "instance", "module", "name", "region", "phase", "reason", "le"}, name) {
				r.errorf(n, path, "the label %s is set by narthex: choose another name", name)
				return
			}
			*p = p.With(name, value)
		})
	}}
}

// probeTargets fills in what depends on the rest of the file, and checks names.
func (r *reader) probeTargets(path string, targets []ProbeTarget) {
	c := &r.config.Probes
	lines := make(map[string]int)
	for i := range targets {
		t := &targets[i]
		if t.Every == 0 {
			t.Every = c.Every
		}
		if t.Timeout == 0 {
			t.Timeout = min(c.Timeout, t.Every)
		}
		if t.Timeout > t.Every {
			r.add(t.Line, fmt.Sprintf("%s[%d]: timeout (%s) is above every (%s): two probes of a target would overlap", path, i, FormatDuration(t.Timeout), FormatDuration(t.Every)))
		}
		key := t.Name + "\x00" + t.Target + "\x00" + t.Module
		if line := lines[key]; line > 0 {
			r.add(t.Line, fmt.Sprintf("%s[%d]: the target %s is given twice, first in line %d: give them names of their own", path, i, message.Quote(t.Name), line))
		}
		lines[key] = t.Line
	}
}

// networks are prefixes of addresses.
type networks struct{ p *[]netip.Prefix }

func (v networks) read(r *reader, path string, n *yaml.Node) {
	var out []netip.Prefix
	for _, s := range r.oneOrMore(path, n, v.wants()) {
		p, err := netip.ParsePrefix(s)
		if a, err2 := netip.ParseAddr(s); err2 == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			r.errorf(n, path, "%s is no network: want one such as 10.0.0.0/8 or an address", message.Quote(s))
			continue
		}
		out = append(out, p.Masked())
	}
	*v.p = out
}

func (v networks) String() string {
	var parts []string
	for _, p := range *v.p {
		parts = append(parts, p.String())
	}
	return orNone(strings.Join(parts, ", "))
}

func (v networks) wants() string { return "a list of networks such as 10.0.0.0/8" }

// patterns are a list of texts.
type patterns struct{ p *[]string }

func (v patterns) read(r *reader, path string, n *yaml.Node) { *v.p = r.oneOrMore(path, n, v.wants()) }
func (v patterns) String() string                            { return orNone(strings.Join(*v.p, ", ")) }
func (v patterns) wants() string                             { return "a list of targets such as https://*.example/*" }

// region is where the program is.
type region struct{ p *string }

func (v region) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if ok && s != "" && !isWord(s, 64, "._-") {
		r.errorf(n, path, "%s can't be a region: want letters, digits, '.', '_' and '-'", message.Quote(s))
		return
	}
	*v.p = s
}
func (v region) String() string { return orNone(*v.p) }
func (v region) wants() string  { return "a name such as us-west-2" }

// modules are the modules of probes, as the blackbox exporter's file has them. What
// is in them is not this package's to read.
type modules struct{ p **yaml.Node }

func (v modules) read(r *reader, path string, n *yaml.Node) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.errorf(n, path, "want %s, got %s", v.wants(), kind(n))
		return
	}
	if len(n.Content) > 0 {
		*v.p = n
	}
	r.later = append(r.later, func() {
		if r.config.Modules != nil && r.config.ModulesFile != "" {
			r.errorf(n, path, "modules and modules_file are both given: keep one")
		}
	})
}

func (v modules) String() string {
	if *v.p == nil {
		return "none"
	}
	return fmt.Sprintf("%d modules", len((*v.p).Content)/2)
}

func (v modules) wants() string { return "a mapping of names to modules, as in the blackbox exporter" }
