package remotewrite

import (
	"math"

	"narthex"
	"narthex/internal/protowire"
)

// part is a run of one series' samples on their way: floats or histograms, not
// both, by time. Parts of the same series stand in their samples' order.
type part struct {
	series    *narthex.Series // its labels and what describes the metric
	hash      uint64          // of the labels
	samples   []narthex.Sample
	exemplars []narthex.Exemplar
}

// symbol is a string and its number.
type symbol struct {
	text string
	n    uint32
}

// encoder writes the message of a request into buffers that it uses again. It
// has no opinion: what it is given is in order and within the format's rules.
type encoder struct {
	version Version
	bare    bool   // of 2.0: no metadata
	body    []byte // of 1.0 the message, of 2.0 its series
	symbols []byte // of 2.0 the fields with the symbols
	refs    map[string]uint32
	names   []string // the symbols in their order
	last    []symbol // of the labels of the series before
	whole   []byte
}

// reset begins a message.
func (e *encoder) reset(v Version) {
	e.version = v
	e.body, e.symbols = e.body[:0], e.symbols[:0]
	if v == V2 {
		if e.refs == nil {
			e.refs = make(map[string]uint32)
		}
		e.forget()
		e.ref("") // the spec wants it first
	}
}

// forget drops what the encoder holds of a batch's strings.
func (e *encoder) forget() {
	clear(e.refs)
	clear(e.names)
	clear(e.last)
	e.names, e.last = e.names[:0], e.last[:0]
}

// add appends a series.
func (e *encoder) add(p *part) {
	if e.version == V2 {
		e.addV2(p)
	} else {
		e.addV1(p)
	}
}

// size returns the length of the message so far.
func (e *encoder) size() int { return len(e.symbols) + len(e.body) }

// message returns the message, which is valid until the next reset.
func (e *encoder) message() []byte {
	if e.version != V2 {
		return e.body
	}
	e.whole = append(append(e.whole[:0], e.symbols...), e.body...)
	return e.whole
}

// mark is a place in a message that can be returned to.
type mark struct{ body, symbols, names int }

func (e *encoder) mark() mark { return mark{len(e.body), len(e.symbols), len(e.names)} }

// rewind undoes what was added since m.
func (e *encoder) rewind(m mark) {
	e.body, e.symbols = e.body[:m.body], e.symbols[:m.symbols]
	if e.version == V2 {
		for _, s := range e.names[m.names:] {
			delete(e.refs, s)
		}
		clear(e.last)
		e.last, e.names = e.last[:0], e.names[:m.names]
	}
}

// The fields of the two messages that have the same number in both.
const (
	fieldSampleValue, fieldSampleTime, fieldSampleStart = 1, 2, 3
	fieldExemplarValue, fieldExemplarTime               = 2, 3
	// Histogram.
	fieldCountInt, fieldCountFloat, fieldSum         = 1, 2, 3
	fieldSchema, fieldZeroThreshold                  = 4, 5
	fieldZeroInt, fieldZeroFloat                     = 6, 7
	fieldNegative, fieldPositive                     = 8, 11
	fieldResetHint, fieldHistogramTime, fieldHistoST = 14, 15, 17

	resetHintGauge = 3
)

// appendSamples appends each sample as a message of its own.
func (e *encoder) appendSamples(dst []byte, p *part, floats, histograms int) []byte {
	for i := range p.samples {
		s := &p.samples[i]
		num := floats
		if s.Histogram != nil {
			num = histograms
		}
		dst = protowire.AppendTag(dst, num, protowire.Bytes)
		start := len(dst)
		if s.Histogram != nil {
			dst = e.appendHistogram(dst, s, p.series.Type)
		} else {
			dst = e.appendFloat(dst, s)
		}
		dst = protowire.AppendLength(dst, start)
	}
	return dst
}

// appendFloat appends a Sample's fields.
func (e *encoder) appendFloat(dst []byte, s *narthex.Sample) []byte {
	if math.Float64bits(s.Value) != 0 {
		dst = protowire.AppendDouble(dst, fieldSampleValue, s.Value)
	}
	dst = appendTime(dst, fieldSampleTime, s.Time)
	return e.appendStart(dst, fieldSampleStart, s)
}

// appendTime appends milliseconds, which may lie before 1970.
func appendTime(dst []byte, num int, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	return protowire.AppendUint(dst, num, uint64(ms))
}

// appendStart appends the start timestamp, which only 2.0 knows (rc.4). One
// after the sample's own time would be nonsense, and a marker of the end has none.
func (e *encoder) appendStart(dst []byte, num int, s *narthex.Sample) []byte {
	if e.version != V2 || s.Start <= 0 || s.Start > s.Time {
		return dst
	}
	return protowire.AppendUint(dst, num, uint64(s.Start))
}

// appendHistogram appends a Histogram's fields: whole counts as integers and
// differences, others as floats.
func (e *encoder) appendHistogram(dst []byte, s *narthex.Sample, t narthex.Type) []byte {
	h := s.Histogram
	integer := protowire.WholeCounts(h)
	// The counts are members of a oneof: which one is there says what kind of
	// histogram it is, even if it is zero.
	if integer {
		dst = protowire.AppendUint(dst, fieldCountInt, uint64(h.Count))
	} else {
		dst = protowire.AppendDouble(dst, fieldCountFloat, h.Count)
	}
	if math.Float64bits(h.Sum) != 0 {
		dst = protowire.AppendDouble(dst, fieldSum, h.Sum)
	}
	if h.Schema != 0 {
		dst = protowire.AppendSint(dst, fieldSchema, int64(h.Schema))
	}
	if h.ZeroThreshold != 0 {
		dst = protowire.AppendDouble(dst, fieldZeroThreshold, h.ZeroThreshold)
	}
	if integer {
		dst = protowire.AppendUint(dst, fieldZeroInt, uint64(h.ZeroCount))
	} else {
		dst = protowire.AppendDouble(dst, fieldZeroFloat, h.ZeroCount)
	}
	dst = protowire.AppendPackedSide(dst, fieldNegative, h.Negative, integer)
	dst = protowire.AppendPackedSide(dst, fieldPositive, h.Positive, integer)
	if t == narthex.TypeGaugeHistogram {
		dst = protowire.AppendUint(dst, fieldResetHint, resetHintGauge)
	}
	dst = appendTime(dst, fieldHistogramTime, s.Time)
	return e.appendStart(dst, fieldHistoST, s)
}
