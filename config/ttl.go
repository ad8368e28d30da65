package config

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// TTLRule says how long the groups live that it matches:
//
//	{match: {job: "nightly_.*"}, ttl: 26h}
type TTLRule struct {
	// Match is as that of a [Rule], for the grouping labels.
	Match map[string]*regexp.Regexp
	// TTL is how long a group lives without a push.
	TTL time.Duration
}

type ttlRules struct{ p *[]TTLRule }

func (v ttlRules) read(r *reader, path string, n *yaml.Node) {
	var out []TTLRule
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) { out = append(out, r.ttlRule(path, n)) })
	*v.p = out
}

func (v ttlRules) String() string {
	var parts []string
	for _, r := range *v.p {
		parts = append(parts, matchText(r.Match)+" "+FormatDuration(r.TTL))
	}
	return orNone(strings.Join(parts, "; "))
}

func (v ttlRules) wants() string { return "a list of {match: {label: regex}, ttl: 26h}" }

func (r *reader) ttlRule(path string, n *yaml.Node) TTLRule {
	rule := TTLRule{Match: make(map[string]*regexp.Regexp)}
	failed := r.Problems()
	r.mapping(path, n, "a rule {match: {label: regex}, ttl: 26h}", func(key, n *yaml.Node) {
		switch at := path + "." + message.Clip(key.Value, 80); key.Value {
		case "match":
			r.match(rule.Match, at, n)
		case "ttl":
			duration{&rule.TTL, time.Second, 100 * year}.read(r, at, n)
		default:
			r.errorf(key, path, "unknown key %s; %s", message.Quote(key.Value), message.Suggest(key.Value, []string{"match", "ttl"}))
		}
	})
	switch {
	case r.Problems() > failed:
	case len(rule.Match) == 0:
		r.errorf(n, path, "match is missing: say which grouping labels the rule is for")
	case rule.TTL == 0:
		r.errorf(n, path, "ttl is missing: say how long the groups live")
	}
	return rule
}
