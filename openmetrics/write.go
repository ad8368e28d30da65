package openmetrics

import (
	"io"
	"strings"

	"narthex"
)

// Write writes families in format f.
func (f Format) Write(w io.Writer, families []Family) error {
	switch f {
	case OpenMetrics:
		return WriteOpenMetrics(w, families)
	case Protobuf:
		return WriteProtobuf(w, families)
	}
	return WriteText(w, families)
}

// check returns an error if a metric lacks what its family's type says.
func (f *Family) check() error {
	if f.Name == "" {
		return narthex.Errorf(narthex.Invalid, "a metric to be written has no name")
	}
	for i := range f.Metrics {
		missing := false
		switch m := &f.Metrics[i]; f.Type {
		case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
			missing = m.Histogram == nil
			for _, h := range []*narthex.Histogram{m.Histogram, m.Classic} {
				missing = missing || h != nil && h.Schema == narthex.CustomBounds && len(h.Positive.Counts) != len(h.Bounds)+1
			}
		case narthex.TypeSummary:
			missing = m.Summary == nil
		}
		if missing {
			return narthex.Errorf(narthex.Invalid, "the %s %q to be written has a metric without one, or with a wrong number of buckets", f.Type, clip(f.Name))
		}
	}
	return nil
}

// WriteText writes families in text format 0.0.4. The format has no start
// times, units and exemplars; an info and a state become gauges, a gauge
// histogram becomes a histogram, and a native histogram without classic
// buckets its count and sum. Help loses blanks at its beginning.
func WriteText(w io.Writer, families []Family) error {
	p := printer{w: w}
	for i := range families {
		f := &families[i]
		if err := f.check(); err != nil {
			return err
		}
		if f.Help != "" {
			p.metadata("HELP", f.Name, f.Help)
		}
		p.metadata("TYPE", f.Name, textType(f.Type))
		for j := range f.Metrics {
			switch m := &f.Metrics[j]; f.Type {
			case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
				p.histogram(f.Name, m, "_count", "_sum")
			case narthex.TypeSummary:
				p.summary(f.Name, m)
			default:
				p.series(f.Name, "", m.Labels, "", 0)
				p.value(m.Value)
				p.end(m.Time, nil)
			}
		}
	}
	p.flush(0)
	return p.err
}

// textType returns the type in text 0.0.4 that comes closest.
func textType(t narthex.Type) string {
	switch t {
	case narthex.TypeUnknown:
		return "untyped"
	case narthex.TypeGaugeHistogram:
		return "histogram"
	case narthex.TypeInfo, narthex.TypeStateSet:
		return "gauge"
	}
	return t.String()
}

// WriteOpenMetrics writes families in OpenMetrics text 1.0. A counter whose
// name does not end in _total, or an info whose name does not end in _info,
// becomes unknown; a unit that the name does not end in is left out, and so
// is a native histogram but for its count and sum if it has no classic buckets.
func WriteOpenMetrics(w io.Writer, families []Family) error {
	p := printer{w: w, om: true}
	for i := range families {
		if err := families[i].check(); err != nil {
			return err
		}
		p.openMetrics(&families[i])
	}
	p.buf = append(p.buf, "# EOF\n"...)
	p.flush(0)
	return p.err
}

func (p *printer) openMetrics(f *Family) {
	base, suffix, typ := omName(f)
	p.metadata("TYPE", base, typ.String())
	if f.Unit != "" && hasUnit(base, f.Unit) && typ != narthex.TypeInfo && typ != narthex.TypeStateSet {
		p.metadata("UNIT", base, f.Unit)
	}
	if f.Help != "" {
		p.metadata("HELP", base, f.Help)
	}
	for i := range f.Metrics {
		m := &f.Metrics[i]
		switch typ {
		case narthex.TypeHistogram:
			p.histogram(base, m, "_count", "_sum")
		case narthex.TypeGaugeHistogram:
			p.histogram(base, m, "_gcount", "_gsum")
			continue // it has no _created
		case narthex.TypeSummary:
			p.summary(base, m)
		default:
			p.series(base, suffix, m.Labels, "", 0)
			p.value(m.Value)
			var e *narthex.Exemplar
			if n := len(m.Exemplars); n > 0 && typ == narthex.TypeCounter {
				e = &m.Exemplars[n-1]
			}
			p.end(m.Time, e)
		}
		if m.Start != 0 && (typ == narthex.TypeHistogram || typ == narthex.TypeSummary || typ == narthex.TypeCounter) {
			p.series(base, "_created", m.Labels, "", 0)
			p.buf = appendSeconds(p.buf, m.Start)
			p.end(m.Time, nil)
		}
	}
}

// omName returns what OpenMetrics' metadata calls a family, the suffix of its
// samples, and its type.
func omName(f *Family) (base, suffix string, typ narthex.Type) {
	switch f.Type {
	case narthex.TypeCounter:
		suffix = "_total"
	case narthex.TypeInfo:
		suffix = "_info"
	default:
		return f.Name, "", f.Type
	}
	base, ok := strings.CutSuffix(f.Name, suffix)
	if !ok || base == "" {
		return f.Name, "", narthex.TypeUnknown
	}
	return base, suffix, f.Type
}
