package probe

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"

	"narthex"
	"narthex/openmetrics"
)

// trial is one run of a prober: what it is to probe, with what, and what it has
// found out so far.
type trial struct {
	*metrics
	prober   *Prober
	target   string
	hostname string
	module   *Module
	net      *network
	log      *slog.Logger
	text     *bytes.Buffer
}

func (p *Prober) newTrial(r Request, m *Module) *trial {
	text := new(bytes.Buffer)
	log := slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &trial{
		metrics: newMetrics(), prober: p, target: r.Target, hostname: r.Hostname, module: m,
		net: &network{guard: &p.o.Guard}, log: log, text: text,
	}
}

// finish adds what every probe has and returns the metrics and the log.
func (t *trial) finish(r *Result) ([]openmetrics.Family, []byte) {
	t.gauge("probe_success", "Displays whether or not the probe was a success").Set(oneIf(r.Success))
	t.gauge("probe_duration_seconds", "Returns how long the probe took to complete in seconds").Set(r.Duration.Seconds())
	t.gauge("probe_timeout_seconds", "Returns how long the probe timeout is in seconds").Set(r.Timeout.Seconds())
	if f := r.Failure; f != nil {
		t.gauge("probe_failure_info", "Where and why the probe failed", "phase", "reason").With(string(f.Phase), string(f.Reason)).Set(1)
	}
	return t.families(), t.text.Bytes()
}

// metrics are the gauges of one probe. A gauge that is asked for a second time is
// the same one, so that no prober can register a metric twice.
type metrics struct {
	byName map[string]*gauge
}

func newMetrics() *metrics { return &metrics{byName: make(map[string]*gauge)} }

// gauge is a metric: one value, or one for each value of its labels.
type gauge struct {
	name, help string
	labels     []string
	values     []*gaugeValue
}

type gaugeValue struct {
	labels []string
	value  float64
}

// gauge returns the metric with that name. It is exposed once it has a value.
func (m *metrics) gauge(name, help string, labels ...string) *gauge {
	g := m.byName[name]
	if g == nil {
		g = &gauge{name: name, help: help, labels: labels}
		m.byName[name] = g
	}
	return g
}

// Set sets the value of a gauge without labels.
func (g *gauge) Set(v float64) { g.With().Set(v) }

// Add adds to the value of a gauge without labels.
func (g *gauge) Add(v float64) { g.With().Add(v) }

// With returns the value for the labels' values, in the order of their names; it
// is 0 until it is set.
func (g *gauge) With(values ...string) *gaugeValue {
	for _, v := range g.values {
		if slices.Equal(v.labels, values) {
			return v
		}
	}
	v := &gaugeValue{labels: slices.Clone(values)}
	g.values = append(g.values, v)
	return v
}

// Set sets the value.
func (v *gaugeValue) Set(to float64) { v.value = to }

// Add adds to the value.
func (v *gaugeValue) Add(by float64) { v.value += by }

// families returns the metrics by name, each with its series by labels.
func (m *metrics) families() []openmetrics.Family {
	var out []openmetrics.Family
	for _, g := range m.byName {
		if len(g.values) == 0 {
			continue
		}
		f := openmetrics.Family{Name: g.name, Help: g.help, Type: narthex.TypeGauge}
		for _, v := range g.values {
			var ls narthex.Labels
			for i, name := range g.labels {
				if v.labels[i] != "" {
					ls = ls.With(name, v.labels[i])
				}
			}
			f.Metrics = append(f.Metrics, openmetrics.Metric{Labels: ls, Value: v.value})
		}
		slices.SortFunc(f.Metrics, func(a, b openmetrics.Metric) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b openmetrics.Family) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
