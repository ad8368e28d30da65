package accesslog

import (
	"slices"
	"strings"
)

// A column is what a column or a key becomes.
type column struct {
	target
	extra int  // its slot among the columns that labels name, or none
	used  bool // whether the column matters
}

// set puts the column's text where it belongs.
func (c *column) set(r *request, b []byte, clock *clockwork) {
	if c.verb != verbSkip {
		c.target.set(r, b, clock)
	}
	if c.extra != none {
		r.extra[c.extra] = b
	}
}

// column returns the column that a name stands for in a dialect, and whether
// the dialect knows it.
func (p *plan) column(d dialect, name string) (column, bool) {
	meaning, known := d[name]
	c := column{extra: slices.IndexFunc(p.columns, func(s string) bool { return strings.EqualFold(s, name) })}
	if c.extra < 0 {
		c.extra = none
	}
	if t, ok := targetOf(meaning); ok && p.wants(t) {
		c.target = t
	}
	c.used = c.verb != verbSkip || c.extra != none
	return c, known || c.extra != none
}

// wants reports whether anything is made of a target.
func (p *plan) wants(t target) bool {
	switch t.verb {
	case verbText:
		return p.fields[t.field] || t.field == fieldKind
	case verbHost:
		return p.fields[fieldHost]
	case verbNumber:
		return p.measures[t.m]
	case verbPart:
		return p.measures[measureDuration] || p.measures[measureUpstream]
	case verbURL:
		return p.fields[fieldPath] || p.fields[fieldQuery] || p.fields[fieldHost]
	case verbRouteKey:
		return p.fields[fieldTemplate] || p.fields[fieldMethod]
	}
	return true // the status and the time, always
}

// lacks names those of the wanted fields and measures that metrics use and the
// columns do not have.
func (p *plan) lacks(has []column, wanted []field, amounts []measure) []string {
	var fields [numFields]bool
	var numbers [numMeasures]bool
	for _, c := range has {
		switch c.verb {
		case verbText:
			fields[c.field] = true
		case verbHost:
			fields[fieldHost] = true
		case verbStatus:
			fields[fieldStatus] = true
		case verbNumber:
			numbers[c.m] = true
		case verbURL:
			fields[fieldPath] = true
		case verbRequest:
			fields[fieldPath], fields[fieldMethod] = true, true
		case verbRouteKey:
			fields[fieldTemplate] = true
		}
	}
	fields[fieldPath] = fields[fieldPath] || fields[fieldTemplate]
	var out []string
	for _, f := range wanted {
		if p.fields[f] && !fields[f] {
			out = append(out, fieldNames[f])
		}
	}
	for _, m := range amounts {
		if p.measures[m] && !numbers[m] {
			out = append(out, measures[m].name)
		}
	}
	return out
}
