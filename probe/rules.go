package probe

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// RuleOptions say what rules are made of.
type RuleOptions struct {
	Job     string
	Targets []RuleTarget
}

// RuleTarget is a target, and the regions where it is probed, if they are known.
type RuleTarget struct {
	Target
	Regions []string
}

// rule is an alerting rule of Prometheus.
//
// Source: Prometheus, "Alerting rules".
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

// WriteRules writes rules that alert when a target is down in most of the regions
// that look at it, was not probed, has a certificate that expires soon, or is slow.
// Whoever evaluates them (Prometheus, Amazon Managed Prometheus) needs nothing but
// the series of the probes.
func WriteRules(w io.Writer, o RuleOptions) error {
	if o.Job == "" {
		o.Job = "probe"
	}
	groups := []ruleGroup{{Name: "narthex-probes"}}
	g := &groups[0]
	every := o.classes(func(t *Target) time.Duration { return t.Every })
	for _, d := range slices.Sorted(maps.Keys(every)) {
		g.Rules = append(g.Rules, o.down(d, o.matcher(every[d], len(every) > 1)))
	}
	g.Rules = append(g.Rules, o.expires("warning", 14), o.expires("critical", 3))
	slow := o.classes(func(t *Target) time.Duration { return t.Timeout / 2 })
	for _, d := range slices.Sorted(maps.Keys(slow)) {
		if d > 0 {
			g.Rules = append(g.Rules, o.slow(d, o.matcher(slow[d], len(slow) > 1)))
		}
	}
	g.Rules = append(g.Rules, o.skipped())
	groups = append(groups, ruleGroup{Name: "narthex-probes-absent", Rules: o.absent()})
	if _, err := io.WriteString(w, rulesHead); err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(map[string]any{"groups": groups}); err != nil {
		return fmt.Errorf("write the rules: %w", err)
	}
	return enc.Close()
}

const rulesHead = `# Printed by narthex probe --write-rules: print it again when the targets change.
`

// classes returns the targets' names by what of returns.
func (o *RuleOptions) classes(of func(*Target) time.Duration) map[time.Duration][]string {
	out := make(map[time.Duration][]string)
	for i := range o.Targets {
		t := &o.Targets[i].Target
		out[of(t)] = append(out[of(t)], t.Name)
	}
	return out
}

// matcher selects targets by job, and by name if there are others.
func (o *RuleOptions) matcher(names []string, others bool) string {
	m := "job=" + strconv.Quote(o.Job)
	if others {
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = quoteRegexp(n)
		}
		slices.Sort(quoted)
		m += ", name=~" + strconv.Quote(strings.Join(slices.Compact(quoted), "|"))
	}
	return m
}

// quoteRegexp escapes what means something in a regular expression.
func quoteRegexp(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// who are the labels that name a target.
const who = "job, name, instance, module"

// down alerts when a target failed at each probe of two and a half intervals, in
// more than half of the regions that say anything.
func (o *RuleOptions) down(every time.Duration, match string) rule {
	window := promDuration((every*5/2 + 5*time.Second).Round(time.Second))
	return rule{
		Alert:  "ProbeDown",
		Expr:   fmt.Sprintf("avg by (%s) (max_over_time(probe_success{%s}[%s])) < 0.5", who, match, window),
		For:    promDuration(every),
		Labels: map[string]string{"severity": "critical", "every": promDuration(every)},
		Annotations: map[string]string{
			"summary":     "{{ $labels.name }} is down",
			"description": "{{ $labels.instance }} ({{ $labels.module }}) has failed for " + window + " in more than half of the regions: {{ $value | humanizePercentage }} of them say that it is up. probe_failure_info tells where and why.",
		},
	}
}

func (o *RuleOptions) expires(severity string, days int) rule {
	return rule{
		Alert:  "ProbeCertificateExpires",
		Expr:   fmt.Sprintf("min by (%s) (probe_ssl_earliest_cert_expiry{job=%q}) - time() < %d * 86400", who, o.Job, days),
		For:    "10m",
		Labels: map[string]string{"severity": severity},
		Annotations: map[string]string{
			"summary":     "The certificate of {{ $labels.name }} expires in less than " + strconv.Itoa(days) + " days",
			"description": "{{ $labels.instance }}: {{ $value | humanizeDuration }} are left.",
		},
	}
}

// slow alerts when a target takes more than half of what it may, from wherever it
// is looked at. What a runner without CPU measures does not count.
func (o *RuleOptions) slow(limit time.Duration, match string) rule {
	return rule{
		Alert: "ProbeSlow",
		Expr: fmt.Sprintf("min by (%s) (\n  avg_over_time(probe_duration_seconds{%s}[10m])\n  unless on (%s, region) avg_over_time(narthex_runner_throttled{%s}[10m]) > 0.5\n) > %s",
			who, match, who, match, strconv.FormatFloat(limit.Seconds(), 'g', -1, 64)),
		For:    "10m",
		Labels: map[string]string{"severity": "warning", "limit": limit.String()},
		Annotations: map[string]string{
			"summary":     "{{ $labels.name }} is slow",
			"description": "{{ $labels.instance }} took {{ $value | humanizeDuration }} on average over 10m, wherever it is looked at from.",
		},
	}
}

// skipped alerts when probes were due and not made, though something runs.
func (o *RuleOptions) skipped() rule {
	return rule{
		Alert:  "ProbeNotMade",
		Expr:   fmt.Sprintf("(increase(probe_scheduled_total{job=%q}[30m]) - increase(probe_all_success_count{job=%q}[30m]))\n  / increase(probe_scheduled_total{job=%q}[30m]) > 0.2", o.Job, o.Job, o.Job),
		For:    "15m",
		Labels: map[string]string{"severity": "warning"},
		Annotations: map[string]string{
			"summary":     "{{ $labels.name }} is not probed as often as it should be",
			"description": "{{ $value | humanizePercentage }} of the probes that were due within 30m were not made: the runner is too busy, or its round is called less often than the target's interval.",
		},
	}
}

// mostAbsent is up to how many targets each has a rule of its own.
const mostAbsent = 200

// absent alerts when there is no sample at all of a target that there should be.
func (o *RuleOptions) absent() []rule {
	var out []rule
	if len(o.Targets) > mostAbsent {
		return []rule{o.absentSome()}
	}
	for _, t := range o.Targets {
		regions := t.Regions
		if len(regions) == 0 {
			regions = []string{""}
		}
		for _, region := range regions {
			match := fmt.Sprintf("job=%q, name=%q, instance=%q, module=%q", o.Job, t.Name, t.Target.Target, t.Module)
			where, labels := "", map[string]string{"severity": "critical", "name": t.Name, "instance": t.Target.Target, "module": t.Module}
			if region != "" {
				labels["region"] = region
				match += fmt.Sprintf(", region=%q", region)
				where = " in " + region
			}
			window := promDuration(max(t.Every*3+30*time.Second, 2*time.Minute))
			out = append(out, rule{
				Alert: "ProbeDidNotRun", Expr: fmt.Sprintf("absent_over_time(probe_success{%s}[%s])", match, window),
				For: promDuration(t.Every), Labels: labels,
				Annotations: map[string]string{
					"summary":     t.Name + " is not probed" + where,
					"description": "There was no result for " + window + ": whether it is up is not known. Look at what should probe it, and at the way from there to this store.",
				},
			})
		}
	}
	return out
}

// absentSome is absent for so many targets that they are only counted.
func (o *RuleOptions) absentSome() rule {
	n, longest := 0, time.Duration(0)
	for _, t := range o.Targets {
		n += max(len(t.Regions), 1)
		longest = max(longest, t.Every)
	}
	window := promDuration(longest*3 + 30*time.Second)
	return rule{
		Alert:  "ProbeDidNotRun",
		Expr:   fmt.Sprintf("(count(present_over_time(probe_success{job=%q}[%s])) or vector(0)) < %d", o.Job, window, n),
		For:    promDuration(longest),
		Labels: map[string]string{"severity": "critical"},
		Annotations: map[string]string{
			"summary":     "Targets are not probed",
			"description": "Of " + strconv.Itoa(n) + " targets {{ $value }} have a result of the last " + window + ".",
		},
	}
}

// promDuration writes a duration as Prometheus reads it, to the millisecond.
func promDuration(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d > 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}
