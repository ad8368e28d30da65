package remotewrite

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"narthex"
	"narthex/internal/message"
)

// check sorts the labels in place, drops empty values, and says what is wrong
// with the rest, or "".
func (d *decoder) check(ls []narthex.Label) (narthex.Labels, string) {
	if most := d.limits.LabelsPerSeries; most > 0 && len(ls) > most {
		return ls[:min(len(ls), 10)], fmt.Sprintf("it has %d labels, the limit is %d", len(ls), most)
	}
	ls = sorted(ls)
	named := false
	for i := range ls {
		l := &ls[i]
		switch {
		case l.Name == narthex.MetricName:
			named = true
		case l.Name == "":
			return ls, "the name of a label is empty"
		}
		if i > 0 && ls[i-1].Name == l.Name {
			return ls, fmt.Sprintf("label %q is given twice", message.Clip(l.Name, 80))
		}
		if !d.valid && (!utf8.ValidString(l.Name) || !utf8.ValidString(l.Value)) {
			return ls, fmt.Sprintf("label %q or its value is not UTF-8", message.Clip(l.Name, 80))
		}
		if most := d.limits.Name; most > 0 && len(l.Name) > most {
			return ls, fmt.Sprintf("the name of label %q has %d bytes, the limit is %d", message.Clip(l.Name, 80), len(l.Name), most)
		}
		if most := d.limits.Value; most > 0 && len(l.Value) > most {
			return ls, fmt.Sprintf("the value of label %q has %d bytes, the limit is %d", message.Clip(l.Name, 80), len(l.Value), most)
		}
	}
	if !named {
		return ls, "it has no metric name: set the label __name__"
	}
	return ls, ""
}

// sorted sorts the labels in place and drops those without a value.
func sorted(ls []narthex.Label) []narthex.Label {
	ordered := true
	for i := range ls {
		if ls[i].Value == "" {
			ls = slices.DeleteFunc(ls, func(l narthex.Label) bool { return l.Value == "" })
			break
		}
	}
	for i := 1; i < len(ls) && ordered; i++ {
		ordered = ls[i-1].Name < ls[i].Name
	}
	if !ordered {
		slices.SortStableFunc(ls, func(a, b narthex.Label) int { return strings.Compare(a.Name, b.Name) })
	}
	return ls
}

// familyOf returns the name of the metric that the series belongs to, "" if that
// is its own: a description of a classic histogram or a summary is of the whole.
func familyOf(s *narthex.Series) string {
	var parts []string
	switch s.Type {
	case narthex.TypeHistogram:
		parts = []string{"_bucket", "_count", "_sum"}
	case narthex.TypeGaugeHistogram:
		parts = []string{"_bucket", "_gcount", "_gsum"}
	case narthex.TypeSummary:
		parts = []string{"_count", "_sum"}
	default:
		return ""
	}
	name := s.Labels.Get(narthex.MetricName)
	if len(s.Samples) > 0 && s.Samples[0].Histogram != nil {
		return ""
	}
	for _, p := range parts {
		if base, ok := strings.CutSuffix(name, p); ok && base != "" {
			return base
		}
	}
	return ""
}
