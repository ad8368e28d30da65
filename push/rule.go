package push

import (
	"regexp"

	"narthex"
)

// Rule says what the series are that it matches.
type Rule struct {
	// Match has, by label name, what the label's value must match; a label that
	// is absent has the value "". Anchor the expressions (^(?s:…)$) to have them
	// match whole values. All must match. An empty Match matches every series.
	Match map[string]*regexp.Regexp
	As    narthex.As
}

func (r Rule) matches(ls narthex.Labels) bool {
	for name, re := range r.Match {
		if !re.MatchString(ls.Get(name)) {
			return false
		}
	}
	return true
}
