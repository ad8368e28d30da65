package otlp_test

import (
	"encoding/hex"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"narthex/otlp"
)

// modelOf is what the codec should make of a request that pdata has read.
func modelOf(md pmetric.Metrics) *otlp.Metrics {
	out := &otlp.Metrics{Points: md.DataPointCount()}
	for _, rm := range md.ResourceMetrics().All() {
		r := otlp.Resource{Attributes: attributesOf(rm.Resource().Attributes())}
		for _, sm := range rm.ScopeMetrics().All() {
			s := otlp.Scope{
				Name: sm.Scope().Name(), Version: sm.Scope().Version(), SchemaURL: sm.SchemaUrl(),
				Attributes: attributesOf(sm.Scope().Attributes()),
			}
			for _, m := range sm.Metrics().All() {
				s.Metrics = append(s.Metrics, metricOf(m))
			}
			r.Scopes = append(r.Scopes, s)
		}
		out.Resources = append(out.Resources, r)
	}
	return out
}

func attributesOf(m pcommon.Map) (out []otlp.Attribute) {
	for k, v := range m.All() {
		out = append(out, otlp.Attribute{Key: k, Value: v.AsString()})
	}
	return out
}

func metricOf(m pmetric.Metric) otlp.Metric {
	out := otlp.Metric{Name: m.Name(), Description: m.Description(), Unit: m.Unit()}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		out.Kind, out.Points = otlp.KindGauge, numbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		out.Kind, out.Points = otlp.KindSum, numbers(m.Sum().DataPoints())
		out.Temporality, out.Monotonic = temporalityOf(m.Sum().AggregationTemporality()), m.Sum().IsMonotonic()
	case pmetric.MetricTypeHistogram:
		out.Kind, out.Temporality = otlp.KindHistogram, temporalityOf(m.Histogram().AggregationTemporality())
		for _, p := range m.Histogram().DataPoints().All() {
			out.Points = append(out.Points, otlp.Point{
				Attributes: attributesOf(p.Attributes()), Start: uint64(p.StartTimestamp()), Time: uint64(p.Timestamp()),
				NoValue: p.Flags().NoRecordedValue(), Exemplars: examples(p.Exemplars()),
				Dist: &otlp.Distribution{
					Count: p.Count(), Sum: p.Sum(), HasSum: p.HasSum(),
					Counts: p.BucketCounts().AsRaw(), Bounds: p.ExplicitBounds().AsRaw(),
				},
			})
		}
	case pmetric.MetricTypeExponentialHistogram:
		out.Kind, out.Temporality = otlp.KindExponential, temporalityOf(m.ExponentialHistogram().AggregationTemporality())
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			out.Points = append(out.Points, otlp.Point{
				Attributes: attributesOf(p.Attributes()), Start: uint64(p.StartTimestamp()), Time: uint64(p.Timestamp()),
				NoValue: p.Flags().NoRecordedValue(), Exemplars: examples(p.Exemplars()),
				Dist: &otlp.Distribution{
					Count: p.Count(), Sum: p.Sum(), HasSum: p.HasSum(), Scale: p.Scale(), Zero: p.ZeroCount(),
					Positive: otlp.Run{Offset: p.Positive().Offset(), Counts: p.Positive().BucketCounts().AsRaw()},
					Negative: otlp.Run{Offset: p.Negative().Offset(), Counts: p.Negative().BucketCounts().AsRaw()},
				},
			})
		}
	case pmetric.MetricTypeSummary:
		out.Kind = otlp.KindSummary
		for _, p := range m.Summary().DataPoints().All() {
			d := &otlp.Distribution{Count: p.Count(), Sum: p.Sum()}
			for _, q := range p.QuantileValues().All() {
				d.Quantiles = append(d.Quantiles, otlp.Quantile{Quantile: q.Quantile(), Value: q.Value()})
			}
			out.Points = append(out.Points, otlp.Point{
				Attributes: attributesOf(p.Attributes()), Start: uint64(p.StartTimestamp()), Time: uint64(p.Timestamp()),
				NoValue: p.Flags().NoRecordedValue(), Dist: d,
			})
		}
	}
	return out
}

func temporalityOf(t pmetric.AggregationTemporality) otlp.Temporality {
	switch t {
	case pmetric.AggregationTemporalityDelta:
		return otlp.Delta
	case pmetric.AggregationTemporalityCumulative:
		return otlp.Cumulative
	}
	return otlp.Unspecified
}

func numbers(points pmetric.NumberDataPointSlice) (out []otlp.Point) {
	for _, p := range points.All() {
		v := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(p.IntValue())
		}
		out = append(out, otlp.Point{
			Attributes: attributesOf(p.Attributes()), Start: uint64(p.StartTimestamp()), Time: uint64(p.Timestamp()),
			NoValue: p.Flags().NoRecordedValue(), Value: v, Exemplars: examples(p.Exemplars()),
		})
	}
	return out
}

func examples(from pmetric.ExemplarSlice) (out []otlp.Exemplar) {
	for _, e := range from.All() {
		x := otlp.Exemplar{Attributes: attributesOf(e.FilteredAttributes()), Time: uint64(e.Timestamp())}
		switch e.ValueType() {
		case pmetric.ExemplarValueTypeInt:
			x.Value = float64(e.IntValue())
		case pmetric.ExemplarValueTypeDouble:
			x.Value = e.DoubleValue()
		default:
			x.NoValue = true
		}
		if id := e.TraceID(); !id.IsEmpty() {
			x.TraceID = hex.EncodeToString(id[:])
		}
		if id := e.SpanID(); !id.IsEmpty() {
			x.SpanID = hex.EncodeToString(id[:])
		}
		out = append(out, x)
	}
	return out
}
