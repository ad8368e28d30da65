package main

import (
	"cmp"
	"fmt"
	"strings"
)

// A Verdict says whether an aim is reached.
type Verdict struct {
	Aim  Aim
	Met  bool
	Said string // the figures
}

// judge compares the medians of a result with the comparison's aims. An aim whose
// figures are not there has no verdict.
func judge(c Comparison, r Result) (verdicts []Verdict) {
	for _, a := range c.Aims {
		v := Verdict{Aim: a, Met: true}
		var said []string
		for _, row := range r.rows(c) {
			if !a.aimsAt(row) {
				continue
			}
			s, ok := measured(c, r, a, row)
			if !ok {
				continue
			}
			if a.Least != nil && s.median < *a.Least || a.Most != nil && s.median > *a.Most {
				v.Met = false
			}
			v.Said = s.String()
			if a.Against != "" {
				v.Said = s.times()
			}
			what, _, _ := strings.Cut(row.Title, ":")
			said = append(said, what+": "+v.Said)
		}
		if len(said) > 1 {
			v.Said = strings.Join(said, "; ")
		}
		if len(said) > 0 {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

// measured is what an aim looks at in a row: our figure, or how many times better
// it is than another's.
func measured(c Comparison, r Result, a Aim, row Row) (spread, bool) {
	ours, ok := r.get(row.Figure, cmp.Or(a.Side, c.Sides[0].Side))
	if !ok {
		return spread{}, false
	}
	if a.Against == "" {
		return spreadOf(ours.Values), true
	}
	theirs, ok := r.get(row.Figure, a.Against)
	if !ok {
		return spread{}, false
	}
	return ratio(ours, theirs), true
}

// String is the aim's line of the page.
func (v Verdict) String() string {
	if v.Met {
		return fmt.Sprintf("- Met: %s: %s.", v.Aim.Says, v.Said)
	}
	why := strings.TrimSpace(v.Aim.Missed)
	if why == "" {
		why = "Why is not known yet."
	}
	return fmt.Sprintf("- **Missed:** %s: %s. %s", v.Aim.Says, v.Said, strings.ReplaceAll(why, "\n", "\n  "))
}
