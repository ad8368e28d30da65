package openmetrics

import (
	"io"
	"strconv"

	"narthex"
)

// printer writes the lines of a text format.
type printer struct {
	w   io.Writer
	err error
	buf []byte
	om  bool // OpenMetrics, not 0.0.4
}

// enough is how many bytes are written at once, about.
const enough = 1 << 15

func (p *printer) flush(limit int) {
	if len(p.buf) <= limit {
		return
	}
	if p.err == nil {
		_, p.err = p.w.Write(p.buf)
	}
	p.buf = p.buf[:0]
}

// metadata writes a line such as # TYPE name counter.
func (p *printer) metadata(keyword, name, text string) {
	p.buf = append(append(p.buf, "# "...), keyword...)
	p.buf = appendName(append(p.buf, ' '), name, true)
	p.buf = append(p.buf, ' ')
	p.buf = appendEscaped(p.buf, text, p.om)
	p.buf = append(p.buf, '\n')
}

// appendName appends a name, quoted if it is outside the legacy set.
func appendName(dst []byte, name string, colons bool) []byte {
	if legacy(name, colons) {
		return append(dst, name...)
	}
	return appendQuoted(dst, name)
}

func appendQuoted(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s, true), '"')
}

// appendEscaped appends s with a backslash before each backslash and, if
// asked, double quote, and \n for a line feed.
func appendEscaped(dst []byte, s string, quotes bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == '"' && quotes:
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// series writes name+suffix{labels}, with le or quantile behind the labels if
// extra names it.
func (p *printer) series(name, suffix string, labels narthex.Labels, extra string, at float64) {
	p.flush(enough)
	sep := byte('{')
	if legacy(name, true) {
		p.buf = append(append(p.buf, name...), suffix...)
	} else {
		p.buf = appendQuoted(append(p.buf, sep), name+suffix)
		sep = ','
	}
	for _, l := range labels {
		p.buf = appendName(append(p.buf, sep), l.Name, false)
		p.buf = appendQuoted(append(p.buf, '='), l.Value)
		sep = ','
	}
	if extra != "" {
		p.buf = append(append(p.buf, sep), extra...)
		p.buf = append(narthex.AppendBound(append(p.buf, '=', '"'), at), '"')
		sep = ','
	}
	if sep == ',' {
		p.buf = append(p.buf, '}')
	}
	p.buf = append(p.buf, ' ')
}

// value writes a sample's value.
func (p *printer) value(f float64) { p.buf = appendValue(p.buf, f, p.om) }

// end writes a sample's time, its exemplar if there is one, and the line's end.
func (p *printer) end(time int64, e *narthex.Exemplar) {
	p.time(time)
	if e != nil && p.om {
		p.buf = append(p.buf, " # {"...)
		for i, l := range e.Labels {
			if i > 0 {
				p.buf = append(p.buf, ',')
			}
			p.buf = appendName(p.buf, l.Name, false)
			p.buf = appendQuoted(append(p.buf, '='), l.Value)
		}
		p.buf = append(p.buf, "} "...)
		p.value(e.Value)
		p.time(e.Time)
	}
	p.buf = append(p.buf, '\n')
}

func (p *printer) time(ms int64) {
	switch {
	case ms == 0:
	case p.om:
		p.buf = appendSeconds(append(p.buf, ' '), ms)
	default:
		p.buf = strconv.AppendInt(append(p.buf, ' '), ms, 10)
	}
}

// histogram writes the samples of a classic histogram. Of a native histogram
// alone the formats can express the count and the sum.
func (p *printer) histogram(name string, m *Metric, count, sum string) {
	h, exemplars := m.Histogram, m.Exemplars
	if h.Schema != narthex.CustomBounds {
		exemplars = nil
		if h = m.Classic; h == nil {
			h = &narthex.Histogram{Count: m.Histogram.Count, Sum: m.Histogram.Sum}
		}
	}
	at := place(exemplars, h.Bounds)
	cum := 0.0
	for i := range len(h.Bounds) + 1 {
		cum = cumulate(h, i, cum)
		p.series(name, "_bucket", m.Labels, "le", bound(h, i))
		p.buf = appendCount(p.buf, cum)
		var e *narthex.Exemplar
		if len(at) > 0 && at[0] == i {
			e, at = &exemplars[len(exemplars)-len(at)], at[1:]
		}
		p.end(m.Time, e)
	}
	p.countSum(name, m, count, h.Count, sum, h.Sum)
}

func (p *printer) summary(name string, m *Metric) {
	for _, q := range m.Summary.Quantiles {
		p.series(name, "", m.Labels, "quantile", q.Quantile)
		p.value(q.Value)
		p.end(m.Time, nil)
	}
	p.countSum(name, m, "_count", m.Summary.Count, "_sum", m.Summary.Sum)
}

func (p *printer) countSum(name string, m *Metric, count string, n float64, sum string, s float64) {
	p.series(name, count, m.Labels, "", 0)
	p.buf = appendCount(p.buf, n)
	p.end(m.Time, nil)
	p.series(name, sum, m.Labels, "", 0)
	p.value(s)
	p.end(m.Time, nil)
}
