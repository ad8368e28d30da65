package openmetrics_test

import (
	"math"
	"slices"
	"strings"

	"narthex"
	"narthex/openmetrics"
)

// carried returns what is left of families, which were read from format in,
// after a way through format out. It returns false if out can't hold them.
func carried(families []openmetrics.Family, in, out openmetrics.Format) ([]openmetrics.Family, bool) {
	if in == out {
		return families, true
	}
	var want []openmetrics.Family
	for _, f := range families {
		f.Metrics = slices.Clone(f.Metrics)
		switch out {
		case openmetrics.Text:
			f.Unit, f.Help = "", strings.TrimLeft(f.Help, " \t")
			f.Type = textTypes[f.Type]
		case openmetrics.OpenMetrics:
			if f.Type == narthex.TypeCounter && (!strings.HasSuffix(f.Name, "_total") || f.Name == "_total") {
				f.Type = narthex.TypeUnknown
			}
			base := strings.TrimSuffix(f.Name, "_total")
			if f.Type != narthex.TypeCounter {
				base = f.Name
			}
			if f.Unit != "" && !strings.HasSuffix(base, "_"+f.Unit) {
				f.Unit = ""
			}
		case openmetrics.Protobuf:
			f.Type = protoTypes[f.Type]
		}
		for i := range f.Metrics {
			m := &f.Metrics[i]
			if i > 0 && slices.Equal(m.Labels, f.Metrics[i-1].Labels) {
				return nil, false // two points of one metric: only OpenMetrics has them
			}
			if !carriedMetric(m, f.Type, out) {
				return nil, false
			}
		}
		want = append(want, f)
	}
	return want, true
}

var textTypes = []narthex.Type{
	narthex.TypeUnknown: narthex.TypeUnknown, narthex.TypeCounter: narthex.TypeCounter, narthex.TypeGauge: narthex.TypeGauge,
	narthex.TypeHistogram: narthex.TypeHistogram, narthex.TypeGaugeHistogram: narthex.TypeHistogram,
	narthex.TypeSummary: narthex.TypeSummary, narthex.TypeInfo: narthex.TypeGauge, narthex.TypeStateSet: narthex.TypeGauge,
}

var protoTypes = []narthex.Type{
	narthex.TypeUnknown: narthex.TypeUnknown, narthex.TypeCounter: narthex.TypeCounter, narthex.TypeGauge: narthex.TypeGauge,
	narthex.TypeHistogram: narthex.TypeHistogram, narthex.TypeGaugeHistogram: narthex.TypeGaugeHistogram,
	narthex.TypeSummary: narthex.TypeSummary, narthex.TypeInfo: narthex.TypeGauge, narthex.TypeStateSet: narthex.TypeGauge,
}

// carriedMetric changes m, of the type that it has afterwards, to what is left.
func carriedMetric(m *openmetrics.Metric, typ narthex.Type, out openmetrics.Format) bool {
	if m.Histogram != nil && m.Histogram.Schema != narthex.CustomBounds && out != openmetrics.Protobuf {
		m.Histogram, m.Exemplars = m.Classic, nil
		m.Classic = nil
		if m.Histogram == nil {
			return false // only the count and the sum: a table test has it
		}
	}
	switch out {
	case openmetrics.Text:
		m.Start, m.Exemplars = 0, nil
	case openmetrics.OpenMetrics:
		for _, e := range m.Exemplars {
			n := 0
			for _, l := range e.Labels {
				n += len([]rune(l.Name)) + len([]rune(l.Value))
			}
			if n > 128 || !second(e.Time) {
				return false
			}
		}
		if typ == narthex.TypeGaugeHistogram {
			m.Start = 0
		}
		if typ == narthex.TypeUnknown {
			m.Start, m.Exemplars = 0, nil
		}
		if typ == narthex.TypeCounter && !(m.Value >= 0) || !second(m.Time) || !second(m.Start) {
			return false
		}
	case openmetrics.Protobuf:
		if m.Summary != nil && m.Summary.Count != math.Trunc(m.Summary.Count) || m.Summary != nil && m.Summary.Count >= 1<<53 {
			return false
		}
	}
	return true
}

// second reports whether a time is one that OpenMetrics can be read of.
func second(ms int64) bool { return ms >= -1e15 && ms <= 1e15 }
