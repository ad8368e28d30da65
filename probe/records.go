package probe

import (
	"fmt"
	"regexp"

	"github.com/miekg/dns"

	"narthex/internal/message"
)

// validate checks the records of a section, in the order and with the meaning
// that the exporter gives the conditions. fail_if_all_match_regexp fails, against
// its name, unless every record matches.
func (r *Records) validate(records []dns.RR) error {
	if len(records) == 0 {
		switch {
		case len(r.FailIfNotMatches) > 0:
			return fmt.Errorf("it has no records, and fail_if_not_matches_regexp demands some")
		case len(r.FailIfNoneMatches) > 0:
			return fmt.Errorf("it has no records, and fail_if_none_matches_regexp demands some")
		}
	}
	allMatch, anyMatch := true, false
	for _, rr := range records {
		text := rr.String()
		if re := firstMatch(r.FailIfMatches, text); re != nil {
			return fmt.Errorf("fail_if_matches_regexp %s matches %s", re, message.Quote(text))
		}
		if re := firstMiss(r.FailIfNotMatches, text); re != nil {
			return fmt.Errorf("fail_if_not_matches_regexp %s does not match %s", re, message.Quote(text))
		}
		allMatch = allMatch && firstMiss(r.FailIfAllMatch, text) == nil
		anyMatch = anyMatch || firstMatch(r.FailIfNoneMatches, text) != nil
	}
	switch {
	case !allMatch:
		return fmt.Errorf("not all of its %d records match fail_if_all_match_regexp", len(records))
	case len(r.FailIfNoneMatches) > 0 && !anyMatch:
		return fmt.Errorf("none of its %d records matches fail_if_none_matches_regexp", len(records))
	}
	return nil
}

// firstMatch returns the first expression that matches text, nil if none does.
func firstMatch(res []*regexp.Regexp, text string) *regexp.Regexp {
	for _, re := range res {
		if re.MatchString(text) {
			return re
		}
	}
	return nil
}

// firstMiss returns the first expression that does not match text, nil if all do.
func firstMiss(res []*regexp.Regexp, text string) *regexp.Regexp {
	for _, re := range res {
		if !re.MatchString(text) {
			return re
		}
	}
	return nil
}
