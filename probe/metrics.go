package probe

import (
	"slices"
	"strings"
	"sync"

	"narthex"
	"narthex/openmetrics"
)

// metrics are the gauges of one probe. A gauge that is asked for a second time is
// the same one, so that no prober can register a metric twice. All methods, those
// of the gauges too, may be called from several goroutines.
type metrics struct {
	guard  sync.Mutex
	byName map[string]*gauge
}

func newMetrics() *metrics { return &metrics{byName: make(map[string]*gauge, 24)} }

// gauge is a metric: one value, or one for each value of its labels.
type gauge struct {
	of         *metrics
	name, help string
	labels     []string
	values     []*gaugeValue
}

type gaugeValue struct {
	of     *metrics
	labels []string
	value  float64
}

// gauge returns the metric with that name. It is exposed once it has a value.
func (m *metrics) gauge(name, help string, labels ...string) *gauge {
	m.guard.Lock()
	defer m.guard.Unlock()
	g := m.byName[name]
	if g == nil {
		g = &gauge{of: m, name: name, help: help, labels: labels}
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
	g.of.guard.Lock()
	defer g.of.guard.Unlock()
	for _, v := range g.values {
		if slices.Equal(v.labels, values) {
			return v
		}
	}
	v := &gaugeValue{of: g.of, labels: slices.Clone(values)}
	g.values = append(g.values, v)
	return v
}

// Set sets the value.
func (v *gaugeValue) Set(to float64) {
	v.of.guard.Lock()
	defer v.of.guard.Unlock()
	v.value = to
}

// Add adds to the value.
func (v *gaugeValue) Add(by float64) {
	v.of.guard.Lock()
	defer v.of.guard.Unlock()
	v.value += by
}

// families returns the metrics by name, each with its series by labels.
func (m *metrics) families() []openmetrics.Family {
	m.guard.Lock()
	defer m.guard.Unlock()
	out := make([]openmetrics.Family, 0, len(m.byName))
	for _, g := range m.byName {
		if len(g.values) > 0 {
			out = append(out, g.family())
		}
	}
	slices.SortStableFunc(out, func(a, b openmetrics.Family) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// rewrite changes the values of all labels.
func (m *metrics) rewrite(change func(string) string) {
	m.guard.Lock()
	defer m.guard.Unlock()
	for _, g := range m.byName {
		for _, v := range g.values {
			for i := range v.labels {
				v.labels[i] = change(v.labels[i])
			}
		}
	}
}

func (g *gauge) family() openmetrics.Family {
	f := openmetrics.Family{Name: g.name, Help: g.help, Type: narthex.TypeGauge, Metrics: make([]openmetrics.Metric, 0, len(g.values))}
	for _, v := range g.values {
		var ls narthex.Labels
		for i, name := range g.labels {
			if v.labels[i] != "" {
				ls = ls.With(name, v.labels[i])
			}
		}
		f.Metrics = append(f.Metrics, openmetrics.Metric{Labels: ls, Value: v.value})
	}
	if len(f.Metrics) > 1 {
		slices.SortStableFunc(f.Metrics, func(a, b openmetrics.Metric) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	}
	return f
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
