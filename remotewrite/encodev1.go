package remotewrite

import (
	"encoding/binary"
	"math"

	"narthex"
	"narthex/internal/protowire"
)

// The fields of prometheus.WriteRequest and what is in it.
const (
	v1Timeseries, v1Metadata = 1, 3
	// TimeSeries.
	v1Labels, v1Samples, v1Exemplars, v1Histograms = 1, 2, 3, 4
	// Label.
	v1Name, v1Value = 1, 2
	// Exemplar.
	v1ExemplarLabels = 1
	// MetricMetadata.
	v1MetaType, v1MetaFamily, v1MetaHelp, v1MetaUnit = 1, 2, 4, 5
)

func (e *encoder) addV1(p *part) {
	dst := protowire.AppendTag(e.body, v1Timeseries, protowire.Bytes)
	begin := len(dst)
	dst = appendLabels(dst, v1Labels, p.series.Labels)
	dst = e.appendSamples(dst, p, v1Samples, v1Histograms)
	for i := range p.exemplars {
		x := &p.exemplars[i]
		dst = protowire.AppendTag(dst, v1Exemplars, protowire.Bytes)
		start := len(dst)
		dst = appendLabels(dst, v1ExemplarLabels, x.Labels)
		dst = appendExemplar(dst, x)
		dst = protowire.AppendLength(dst, start)
	}
	e.body = protowire.AppendLength(dst, begin)
}

// appendLabels appends each label as a message of its own.
func appendLabels(dst []byte, num int, ls narthex.Labels) []byte {
	for i := range ls {
		l := &ls[i]
		size := sizeString(l.Name) + sizeString(l.Value)
		dst = binary.AppendUvarint(protowire.AppendTag(dst, num, protowire.Bytes), uint64(size))
		dst = appendText(dst, v1Name, l.Name)
		dst = appendText(dst, v1Value, l.Value)
	}
	return dst
}

// sizeString returns how long a field of one byte's tag is.
func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeUvarint(uint64(len(s))) + len(s)
}

// appendText appends a string unless it is empty.
func appendText(dst []byte, num int, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(dst, num, s)
}

// appendExemplar appends what an exemplar has beside its labels.
func appendExemplar(dst []byte, x *narthex.Exemplar) []byte {
	if math.Float64bits(x.Value) != 0 {
		dst = protowire.AppendDouble(dst, fieldExemplarValue, x.Value)
	}
	return appendTime(dst, fieldExemplarTime, x.Time)
}

// addMetadata appends what describes a metric family, which 1.0 keeps apart from
// the series.
func (e *encoder) addMetadata(s *narthex.Series) {
	dst := protowire.AppendTag(e.body, v1Metadata, protowire.Bytes)
	start := len(dst)
	if s.Type != narthex.TypeUnknown {
		dst = protowire.AppendUint(dst, v1MetaType, uint64(s.Type))
	}
	dst = appendText(dst, v1MetaFamily, family(s))
	dst = appendText(dst, v1MetaHelp, s.Help)
	dst = appendText(dst, v1MetaUnit, s.Unit)
	e.body = protowire.AppendLength(dst, start)
}

// family returns the name that a series' metadata goes by.
func family(s *narthex.Series) string {
	if s.Family != "" {
		return s.Family
	}
	return s.Labels.Get(narthex.MetricName)
}
