package openmetrics

import (
	"io"

	"narthex"
	"narthex/internal/protowire"
)

// WriteProtobuf writes families as delimited io.prometheus.client.MetricFamily
// messages. An info and a state become gauges, an unknown is untyped, and a
// summary's count is cut to a whole number.
func WriteProtobuf(w io.Writer, families []Family) error {
	var buf []byte
	for i := range families {
		if err := families[i].check(); err != nil {
			return err
		}
		start := len(buf)
		buf = protowire.AppendLength(appendFamily(buf, &families[i]), start)
		if len(buf) > enough || i == len(families)-1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

func appendFamily(dst []byte, f *Family) []byte {
	dst = protowire.AppendString(dst, 1, f.Name)
	if f.Help != "" {
		dst = protowire.AppendString(dst, 2, f.Help)
	}
	kind := protoKind(f.Type)
	dst = protowire.AppendUint(dst, 3, uint64(kind))
	for i := range f.Metrics {
		dst = protowire.AppendTag(dst, 4, protowire.Bytes)
		start := len(dst)
		dst = protowire.AppendLength(appendMetric(dst, &f.Metrics[i], kind), start)
	}
	if f.Unit != "" {
		dst = protowire.AppendString(dst, 5, f.Unit)
	}
	return dst
}

// protoKind returns the MetricType that comes closest.
func protoKind(t narthex.Type) int {
	switch t {
	case narthex.TypeCounter:
		return protoCounter
	case narthex.TypeGauge, narthex.TypeInfo, narthex.TypeStateSet:
		return protoGauge
	case narthex.TypeSummary:
		return protoSummary
	case narthex.TypeHistogram:
		return protoHistogramType
	case narthex.TypeGaugeHistogram:
		return protoGaugeHistogram
	}
	return protoUntyped
}

func appendMetric(dst []byte, m *Metric, kind int) []byte {
	dst = appendLabels(dst, m.Labels)
	// The numbers of the fields that hold the values, by kind.
	num := [...]int{protoCounter: 3, protoGauge: 2, protoSummary: 4, protoUntyped: 5, protoHistogramType: 7, protoGaugeHistogram: 7}[kind]
	dst = protowire.AppendTag(dst, num, protowire.Bytes)
	start := len(dst)
	switch kind {
	case protoHistogramType, protoGaugeHistogram:
		dst = appendHistogram(dst, m)
	case protoSummary:
		dst = appendSummary(dst, m)
	default:
		dst = protowire.AppendDouble(dst, 1, m.Value)
		if n := len(m.Exemplars); n > 0 && kind == protoCounter {
			dst = appendExemplar(dst, 2, m.Exemplars[n-1])
		}
		if m.Start != 0 && kind == protoCounter {
			dst = appendTimestamp(dst, 3, m.Start)
		}
	}
	dst = protowire.AppendLength(dst, start)
	if m.Time != 0 {
		dst = protowire.AppendUint(dst, 6, uint64(m.Time))
	}
	return dst
}

// appendLabels appends LabelPairs as field 1.
func appendLabels(dst []byte, labels narthex.Labels) []byte {
	for _, l := range labels {
		dst = protowire.AppendTag(dst, 1, protowire.Bytes)
		start := len(dst)
		dst = protowire.AppendLength(protowire.AppendString(protowire.AppendString(dst, 1, l.Name), 2, l.Value), start)
	}
	return dst
}

func appendSummary(dst []byte, m *Metric) []byte {
	dst = protowire.AppendUint(dst, 1, uint64(m.Summary.Count))
	dst = protowire.AppendDouble(dst, 2, m.Summary.Sum)
	for _, q := range m.Summary.Quantiles {
		dst = protowire.AppendTag(dst, 3, protowire.Bytes)
		start := len(dst)
		dst = protowire.AppendLength(protowire.AppendDouble(protowire.AppendDouble(dst, 1, q.Quantile), 2, q.Value), start)
	}
	if m.Start != 0 {
		dst = appendTimestamp(dst, 4, m.Start)
	}
	return dst
}

// appendTimestamp appends a google.protobuf.Timestamp.
func appendTimestamp(dst []byte, num int, ms int64) []byte {
	seconds, rest := ms/1000, ms%1000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1000
	}
	dst = protowire.AppendTag(dst, num, protowire.Bytes)
	start := len(dst)
	dst = protowire.AppendUint(dst, 1, uint64(seconds))
	if rest != 0 {
		dst = protowire.AppendUint(dst, 2, uint64(rest*1e6))
	}
	return protowire.AppendLength(dst, start)
}

func appendExemplar(dst []byte, num int, e narthex.Exemplar) []byte {
	dst = protowire.AppendTag(dst, num, protowire.Bytes)
	start := len(dst)
	dst = protowire.AppendDouble(appendLabels(dst, e.Labels), 2, e.Value)
	if e.Time != 0 {
		dst = appendTimestamp(dst, 3, e.Time)
	}
	return protowire.AppendLength(dst, start)
}

// appendHistogram appends the fields of a Histogram: the classic buckets, the
// native ones, or both.
func appendHistogram(dst []byte, m *Metric) []byte {
	h, buckets := m.Histogram, m.Histogram
	if native := h.Schema != narthex.CustomBounds; native {
		buckets = m.Classic
	}
	integer := protowire.WholeCounts(h) && (buckets == nil || protowire.WholeCounts(buckets))
	dst = appendEither(dst, 1, 4, h.Count, integer)
	dst = protowire.AppendDouble(dst, 2, h.Sum)
	if buckets == h {
		dst = appendClassic(dst, h, m.Exemplars, integer)
	} else {
		if buckets != nil {
			dst = appendClassic(dst, buckets, nil, integer)
		}
		dst = appendNative(dst, h, integer)
		for _, e := range m.Exemplars {
			dst = appendExemplar(dst, 16, e)
		}
	}
	if m.Start != 0 {
		dst = appendTimestamp(dst, 15, m.Start)
	}
	return dst
}

// appendEither appends a count as a field of whole numbers or one of floats.
func appendEither(dst []byte, num, floatNum int, f float64, integer bool) []byte {
	if integer {
		return protowire.AppendUint(dst, num, uint64(f))
	}
	return protowire.AppendDouble(dst, floatNum, f)
}

func appendClassic(dst []byte, h *narthex.Histogram, exemplars []narthex.Exemplar, integer bool) []byte {
	at := place(exemplars, h.Bounds)
	cum := 0.0
	for i := range len(h.Bounds) + 1 {
		exemplar := len(at) > 0 && at[0] == i
		if i == len(h.Bounds) && !exemplar && i > 0 {
			break // the +Inf bucket is the count
		}
		cum = cumulate(h, i, cum)
		dst = protowire.AppendTag(dst, 3, protowire.Bytes)
		start := len(dst)
		dst = appendEither(dst, 1, 4, cum, integer)
		dst = protowire.AppendDouble(dst, 2, bound(h, i))
		if exemplar {
			dst = appendExemplar(dst, 3, exemplars[len(exemplars)-len(at)])
			at = at[1:]
		}
		dst = protowire.AppendLength(dst, start)
	}
	return dst
}

// appendNative appends the fields of a native histogram.
func appendNative(dst []byte, h *narthex.Histogram, integer bool) []byte {
	dst = protowire.AppendSint(dst, 5, int64(h.Schema))
	dst = protowire.AppendDouble(dst, 6, h.ZeroThreshold)
	dst = appendEither(dst, 7, 8, h.ZeroCount, integer)
	dst = protowire.AppendSide(dst, 9, h.Negative, integer)
	dst = protowire.AppendSide(dst, 12, h.Positive, integer)
	if len(h.Positive.Spans) == 0 && len(h.Negative.Spans) == 0 && h.ZeroThreshold == 0 && (h.ZeroCount == 0 || !integer) {
		// A span of nothing tells it from a classic histogram. (Prometheus
		// doesn't look at the zero bucket's count if it is a float.)
		dst = protowire.AppendString(dst, 12, "")
	}
	return dst
}
