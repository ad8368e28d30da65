package remotewrite

import (
	"encoding/binary"

	"narthex"
	"narthex/internal/protowire"
)

// The fields of io.prometheus.write.v2.Request and what is in it (2.0-rc.4).
const (
	v2Symbols, v2Timeseries = 4, 5
	// TimeSeries.
	v2Labels, v2Samples, v2Histograms, v2Exemplars, v2Metadata = 1, 2, 3, 4, 5
	// Exemplar.
	v2ExemplarLabels = 1
	// Metadata.
	v2MetaType, v2MetaHelp, v2MetaUnit = 1, 3, 4
)

func (e *encoder) addV2(p *part) {
	dst := protowire.AppendTag(e.body, v2Timeseries, protowire.Bytes)
	begin := len(dst)
	dst = e.appendRefs(dst, v2Labels, p.series.Labels)
	dst = e.appendSamples(dst, p, v2Samples, v2Histograms)
	for i := range p.exemplars {
		x := &p.exemplars[i]
		dst = protowire.AppendTag(dst, v2Exemplars, protowire.Bytes)
		start := len(dst)
		dst = e.appendRefs(dst, v2ExemplarLabels, x.Labels)
		dst = appendExemplar(dst, x)
		dst = protowire.AppendLength(dst, start)
	}
	dst = e.appendMetadata(dst, p.series)
	e.body = protowire.AppendLength(dst, begin)
}

// appendRefs appends labels as a packed list of their symbols' numbers.
func (e *encoder) appendRefs(dst []byte, num int, ls narthex.Labels) []byte {
	if len(ls) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.Bytes)
	start := len(dst)
	for i := range ls {
		dst = binary.AppendUvarint(dst, uint64(e.refAt(2*i, ls[i].Name)))
		dst = binary.AppendUvarint(dst, uint64(e.refAt(2*i+1, ls[i].Value)))
	}
	return protowire.AppendLength(dst, start)
}

func (e *encoder) appendMetadata(dst []byte, s *narthex.Series) []byte {
	if e.bare || s.Type == narthex.TypeUnknown && s.Help == "" && s.Unit == "" {
		return dst
	}
	dst = protowire.AppendTag(dst, v2Metadata, protowire.Bytes)
	start := len(dst)
	if s.Type != narthex.TypeUnknown {
		dst = protowire.AppendUint(dst, v2MetaType, uint64(s.Type))
	}
	if s.Help != "" {
		dst = protowire.AppendUint(dst, v2MetaHelp, uint64(e.ref(s.Help)))
	}
	if s.Unit != "" {
		dst = protowire.AppendUint(dst, v2MetaUnit, uint64(e.ref(s.Unit)))
	}
	return protowire.AppendLength(dst, start)
}

// refAt is ref for a string at a place in the labels, where the series before had
// the same most often.
func (e *encoder) refAt(place int, s string) uint32 {
	if place == len(e.last) {
		e.last = append(e.last, symbol{}) // the empty string, which is number 0
	}
	at := &e.last[place]
	if at.text != s {
		*at = symbol{s, e.ref(s)}
	}
	return at.n
}

// ref returns the number of a symbol, and adds it to the table if it is new.
func (e *encoder) ref(s string) uint32 {
	n, known := e.refs[s]
	if !known {
		n = uint32(len(e.names))
		e.refs[s] = n
		e.names = append(e.names, s)
		e.symbols = protowire.AppendString(e.symbols, v2Symbols, s)
	}
	return n
}
