package openmetrics

import (
	"math"
	"unicode/utf8"

	"narthex"
	"narthex/internal/protowire"
)

// protoParser reads delimited io.prometheus.client.MetricFamily messages. The
// numbers of fields are those of metrics.proto in prometheus/client_model.
type protoParser struct {
	*builder
	labels []narthex.Label // reused
	m      protoMetric     // reused
}

// protoMetric is a Metric message as it stands.
type protoMetric struct {
	has       uint8                     // the value messages that are there, by number, as bits
	values    [protoUntyped + 1]float64 // of counter, gauge and untyped
	count     uint64
	sum       float64
	quantiles []Quantile
	hist      protoHistogram
	exemplars []narthex.Exemplar
	start     int64 // of counter and summary
	time      uint64
}

// The values of MetricType, which are also those of the bits in has.
const (
	protoCounter = iota
	protoGauge
	protoSummary
	protoUntyped
	protoHistogramType
	protoGaugeHistogram
)

func parseProtobuf(text string, limits Limits) ([]Family, error) {
	p := protoParser{builder: newBuilder(limits)}
	rest := protowire.Message(text)
	for n := 1; rest != ""; n++ {
		body, ok := rest.Bytes()
		if !ok {
			return nil, narthex.Errorf(narthex.Invalid, "metric %d: its length is protowire.Damaged or more than what follows: was the body cut off, or is it not delimited protobuf?", n)
		}
		name, err := p.readFamily(protowire.Message(body))
		if err != nil {
			return nil, narthex.Errorf(narthex.KindOf(err), "metric %d (%q): %w", n, clip(name), err)
		}
	}
	return p.result()
}

// readFamily reads a MetricFamily. The metrics come in a second pass, as the
// family's type may stand behind them.
func (p *protoParser) readFamily(body protowire.Message) (name string, err error) {
	var f protowire.Field
	var fam Family
	var typ uint64
	for m := body; m.Next(&f, &err); {
		switch f.Num {
		case 1:
			f.Text(&fam.Name, &err)
		case 2:
			f.Text(&fam.Help, &err)
		case 3:
			f.Uint(&typ, &err)
		case 5:
			f.Text(&fam.Unit, &err)
		}
	}
	if err == nil {
		fam.Type, err = protoType(typ)
	}
	if err != nil {
		return fam.Name, err
	}
	if fam.Name == "" || !utf8.ValidString(fam.Name) || !utf8.ValidString(fam.Help) || !utf8.ValidString(fam.Unit) {
		return fam.Name, narthex.Errorf(narthex.Invalid, "its name is empty, or its name, help or unit is not UTF-8")
	}
	if _, known := p.names[fam.Name]; known {
		return fam.Name, narthex.Errorf(narthex.Invalid, "the metric is there twice")
	}
	i, err := p.family(fam)
	if err != nil {
		return fam.Name, err
	}
	p.enter(i)
	for m := body; m.Next(&f, &err); {
		if f.Num == 4 {
			p.readMetric(f.Message(&err), uint8(typ), &err)
		}
	}
	if err == nil {
		err = p.leave(false)
	}
	return fam.Name, err
}

// protoType returns the type that a MetricType stands for.
func protoType(n uint64) (narthex.Type, error) {
	switch n {
	case protoCounter:
		return narthex.TypeCounter, nil
	case protoGauge:
		return narthex.TypeGauge, nil
	case protoSummary:
		return narthex.TypeSummary, nil
	case protoUntyped:
		return narthex.TypeUnknown, nil
	case protoHistogramType:
		return narthex.TypeHistogram, nil
	case protoGaugeHistogram:
		return narthex.TypeGaugeHistogram, nil
	}
	return 0, narthex.Errorf(narthex.Invalid, "its type is %d, which is not one", n)
}

// readMetric reads a Metric of a family of type typ. Like all that read a
// message it does nothing if *err is set, and sets it if it fails.
func (p *protoParser) readMetric(m protowire.Message, typ uint8, err *error) {
	p.labels = p.labels[:0]
	p.m.reset()
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			p.readLabel(f.Message(err), err)
		case 2:
			p.m.readValue(f.Message(err), protoGauge, err)
		case 3:
			p.m.readValue(f.Message(err), protoCounter, err)
		case 4:
			p.m.readSummary(f.Message(err), err)
		case 5:
			p.m.readValue(f.Message(err), protoUntyped, err)
		case 6:
			f.Uint(&p.m.time, err)
		case 7:
			p.m.readHistogram(f.Message(err), err)
		}
	}
	if *err == nil {
		*err = p.put(typ)
	}
}

func (pm *protoMetric) reset() {
	*pm = protoMetric{quantiles: pm.quantiles[:0], exemplars: pm.exemplars[:0], hist: pm.hist}
	pm.hist.reset()
}

// readLabel reads a LabelPair of a metric.
func (p *protoParser) readLabel(m protowire.Message, err *error) {
	l := readLabelPair(m, err)
	switch {
	case *err != nil:
	case l.Name == narthex.MetricName:
		*err = narthex.Errorf(narthex.Invalid, "the label __name__ is reserved")
	case len(p.labels) >= p.limits.Labels:
		*err = narthex.Errorf(narthex.TooLarge, "a series has more than %d labels", p.limits.Labels)
	}
	p.labels = append(p.labels, l)
}

func readLabelPair(m protowire.Message, err *error) (l narthex.Label) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Text(&l.Name, err)
		case 2:
			f.Text(&l.Value, err)
		}
	}
	if *err == nil && (l.Name == "" || !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value)) {
		*err = narthex.Errorf(narthex.Invalid, "a label's name is empty, or a label's name or value is not UTF-8")
	}
	return l
}

// readValue reads a Gauge, a Counter or an Untyped.
func (pm *protoMetric) readValue(m protowire.Message, kind int, err *error) {
	pm.has |= 1 << kind
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch {
		case f.Num == 1:
			f.Float(&pm.values[kind], err)
		case f.Num == 2 && kind == protoCounter:
			pm.exemplars = readExemplar(pm.exemplars[:0], f.Message(err), err)
		case f.Num == 3 && kind == protoCounter:
			pm.start = readTimestamp(f.Message(err), err)
		}
	}
}

func (pm *protoMetric) readSummary(m protowire.Message, err *error) {
	pm.has |= 1 << protoSummary
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&pm.count, err)
		case 2:
			f.Float(&pm.sum, err)
		case 3:
			pm.quantiles = append(pm.quantiles, readQuantile(f.Message(err), err))
		case 4:
			pm.start = readTimestamp(f.Message(err), err)
		}
	}
}

func readQuantile(m protowire.Message, err *error) (q Quantile) {
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Float(&q.Quantile, err)
		case 2:
			f.Float(&q.Value, err)
		}
	}
	return q
}

// readTimestamp reads a google.protobuf.Timestamp as milliseconds.
func readTimestamp(m protowire.Message, err *error) int64 {
	var seconds, nanos uint64
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			f.Uint(&seconds, err)
		case 2:
			f.Uint(&nanos, err)
		}
	}
	s, n := int64(seconds), int64(nanos)
	if *err == nil && (math.Abs(float64(s)) > maxSeconds || n < 0 || n >= 1e9) {
		*err = narthex.Errorf(narthex.Invalid, "a timestamp has %d seconds and %d nanoseconds", s, n)
	}
	return s*1000 + n/1e6
}

// readExemplar reads an Exemplar and appends it.
func readExemplar(dst []narthex.Exemplar, m protowire.Message, err *error) []narthex.Exemplar {
	var e narthex.Exemplar
	var labels []narthex.Label
	for f := (protowire.Field{}); m.Next(&f, err); {
		switch f.Num {
		case 1:
			labels = append(labels, readLabelPair(f.Message(err), err))
		case 2:
			f.Float(&e.Value, err)
		case 3:
			e.Time = readTimestamp(f.Message(err), err)
		}
	}
	if name, ok := canonical(&labels); !ok && *err == nil {
		*err = narthex.Errorf(narthex.Invalid, "label %q of an exemplar is given twice", clip(name))
	}
	if len(labels) > 0 {
		e.Labels = labels
	}
	return append(dst, e)
}

// put adds what has been read to the family, which is of type typ.
func (p *protoParser) put(typ uint8) error {
	fam, m := &p.families[p.cur], &p.m
	if typ == protoGaugeHistogram {
		typ = protoHistogramType
	}
	if m.has&(1<<typ) == 0 {
		return narthex.Errorf(narthex.Invalid, "a metric has no value of the type %s", fam.Type)
	}
	if name, ok := canonical(&p.labels); !ok {
		return narthex.Errorf(narthex.Invalid, "label %q is given twice", clip(name))
	}
	series := 1
	switch fam.Type {
	case narthex.TypeSummary:
		series = 2 + len(m.quantiles)
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		series = 3 + len(m.hist.buckets)
	}
	if err := p.spend(series, len(p.labels)); err != nil {
		return err
	}
	if name := reserved(fam.Type); name != "" {
		if _, given := take(&p.labels, name); given {
			return narthex.Errorf(narthex.Invalid, "the %s has the label %s, which is reserved", fam.Type, name)
		}
	}
	if i := p.find(p.labels); i >= 0 {
		return narthex.Errorf(narthex.Invalid, "%s is there twice", p.describe(i))
	}
	metric := p.add(p.labels)
	metric.Time = int64(m.time)
	i := len(p.open) - 1
	switch fam.Type {
	case narthex.TypeSummary:
		metric.Start = m.start
		return p.putSummary(i)
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		metric.Start = m.hist.start
		return p.putHistogram(i)
	}
	if fam.Type == narthex.TypeCounter {
		metric.Exemplars, metric.Start = append(metric.Exemplars, m.exemplars...), m.start
	}
	return p.set(i, asValue, 0, m.values[typ])
}

// reserved returns the label that only the series of a type may have.
func reserved(t narthex.Type) string {
	switch t {
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		return "le"
	case narthex.TypeSummary:
		return "quantile"
	}
	return ""
}

func (p *protoParser) putSummary(metric int) error {
	for _, q := range p.m.quantiles {
		if err := p.quantile(metric, q.Quantile, q.Value); err != nil {
			return err
		}
	}
	if err := p.count(metric, float64(p.m.count)); err != nil {
		return err
	}
	return p.sum(metric, p.m.sum)
}
