package otlp

import (
	"unicode/utf8"

	"narthex"
)

// maxExemplarRunes is what OpenMetrics allows the labels of an exemplar.
const maxExemplarRunes = 128

// exemplarsOf returns a point's exemplars. The filtered attributes are left out
// where they would not fit.
func exemplarsOf(p *Point) []narthex.Exemplar {
	if len(p.Exemplars) == 0 {
		return nil
	}
	out := make([]narthex.Exemplar, 0, len(p.Exemplars))
	for i := range p.Exemplars {
		e := &p.Exemplars[i]
		if e.NoValue {
			continue
		}
		var ids []narthex.Label
		runes := 0
		for _, l := range []narthex.Label{{Name: "span_id", Value: e.SpanID}, {Name: "trace_id", Value: e.TraceID}} {
			if l.Value != "" {
				ids = append(ids, l)
				runes += len(l.Name) + len(l.Value)
			}
		}
		all := ids
		for _, a := range e.Attributes {
			runes += utf8.RuneCountInString(a.Key) + utf8.RuneCountInString(a.Value)
			if runes > maxExemplarRunes {
				break
			}
			all = append(all[:len(all):len(all)], narthex.Label{Name: a.Key, Value: a.Value})
		}
		labels := narthex.Labels(ids)
		if runes <= maxExemplarRunes {
			if ls, err := narthex.NewLabels(all...); err == nil {
				labels = ls
			}
		}
		out = append(out, narthex.Exemplar{Labels: labels, Time: ms(e.Time), Value: e.Value})
	}
	return out
}
