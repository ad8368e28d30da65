package openmetrics

import (
	"math"
	"slices"
	"unicode/utf8"

	"narthex"
)

// maxExemplarLabels is how many characters the labels of an exemplar may have,
// names and values together.
const maxExemplarLabels = 128

// metric returns the metric that the sample whose labels are in p.labels
// belongs to. Points of the same labels have increasing times.
func (p *omParser) metric(r role, time int64) (int, error) {
	metrics := p.families[p.cur].Metrics
	last := len(metrics) - 1
	i := p.find(p.labels)
	switch {
	case i >= 0 && i != last:
		return 0, narthex.Errorf(narthex.Invalid, "%s goes on after another one: all samples of a metric must stand together", p.describe(i))
	case i >= 0 && (metrics[i].Time == time || r == asCreated && time == 0):
		return i, nil
	case i >= 0 && p.open[i].has == asCreated && metrics[i].Time == 0:
		metrics[i].Time = time
		return i, nil
	case i >= 0 && (metrics[i].Time == 0 || time <= metrics[i].Time):
		return 0, narthex.Errorf(narthex.Invalid, "%s has points whose times (in whole milliseconds) do not increase", p.describe(i))
	}
	p.add(p.labels).Time = time
	return last + 1, nil
}

// put gives a sample to its metric.
func (p *omParser) put(metric int, r role, at, value float64) error {
	m := &p.families[p.cur].Metrics[metric]
	bad := false
	switch {
	case r == asCreated:
		start, err := milliseconds(value)
		if err != nil {
			return narthex.Errorf(narthex.Invalid, "%s: _created: %w", p.describe(metric), err)
		}
		m.Start = start
		return p.once(metric, asCreated)
	case r != asValue:
	case p.block.typ == narthex.TypeCounter:
		bad = !(value >= 0)
	case p.block.typ == narthex.TypeInfo:
		bad = value != 1
	case p.block.typ == narthex.TypeStateSet:
		if m.Labels.Get(p.block.base) == "" {
			return narthex.Errorf(narthex.Invalid, "%s has no label that is named like it and says the state", p.describe(metric))
		}
		bad = value != 0 && value != 1
	}
	if bad {
		return narthex.Errorf(narthex.Invalid, "%s cannot have the value %v", p.describe(metric), value)
	}
	return p.set(metric, r, at, value)
}

// exemplar reads what stands behind a sample's value and time.
func (p *omParser) exemplar(metric int, r role, at float64) error {
	const mark = " # {"
	if len(p.s)-p.i < len(mark) || p.s[p.i:p.i+len(mark)] != mark {
		return p.errorf("found %q after the sample", clip(p.s[p.i:]))
	}
	if r != asBucket && (r != asValue || p.block.typ != narthex.TypeCounter) {
		return p.errorf("%s has an exemplar, which only counters and buckets may have", p.describe(metric))
	}
	p.i += len(mark) - 1
	if _, err := p.labelList("", false); err != nil {
		return err
	}
	chars := 0
	for _, l := range p.labels {
		chars += utf8.RuneCountInString(l.Name) + utf8.RuneCountInString(l.Value)
	}
	if chars > maxExemplarLabels {
		return p.errorf("the labels of an exemplar have %d characters, %d are allowed", chars, maxExemplarLabels)
	}
	var e narthex.Exemplar
	var err error
	if e.Value, err = p.value(); err != nil {
		return err
	}
	if e.Time, err = p.time(); err != nil {
		return err
	}
	if !p.end() {
		return p.errorf("found %q after the exemplar", clip(p.s[p.i:]))
	}
	if r == asBucket && !within(e.Value, at) {
		return p.errorf(`bucket le="%s" has an exemplar of value %v, which is not in it`, narthex.FormatBound(at), e.Value)
	}
	e.Labels = p.keep(p.labels)
	m := &p.families[p.cur].Metrics[metric]
	m.Exemplars = append(m.Exemplars, e)
	return nil
}

// within reports whether a bucket counts the value. NaN is in the last.
func within(value, le float64) bool { return value <= le || math.IsInf(le, 1) }

// place returns for each exemplar of a classic histogram the index of its
// bucket: the lowest that counts its value, above that of the exemplar before.
// It is len(counts) or more where there is none left.
func place(exemplars []narthex.Exemplar, bounds []float64) []int {
	at, next := make([]int, len(exemplars)), 0
	for i, e := range exemplars {
		b := len(bounds)
		if !math.IsNaN(e.Value) {
			b, _ = slices.BinarySearch(bounds, e.Value)
		}
		at[i] = max(b, next)
		next = at[i] + 1
	}
	return at
}
