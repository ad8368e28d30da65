package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// TimeRule says whose clock the times of the samples are that it matches:
//
//	{match: {service: "edge-.*"}, policy: clamp, max_age: 1h, max_future: 10s}
type TimeRule struct {
	// Match is as that of a [Rule]; it may be left out if Identity is there.
	Match map[string]*regexp.Regexp
	// Identity is what the sender's identity must match, nil is any.
	Identity *regexp.Regexp
	// Policy is keep, now or clamp.
	Policy string
	// MaxAge and MaxFuture are how far from the arrival clamp lets a time be
	// (default 1h and 10s).
	MaxAge, MaxFuture time.Duration
}

type timeRules struct{ p *[]TimeRule }

func (v timeRules) read(r *reader, path string, n *yaml.Node) {
	var out []TimeRule
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) { out = append(out, r.timeRule(path, n)) })
	*v.p = out
}

func (v timeRules) String() string {
	var parts []string
	for _, r := range *v.p {
		text := matchText(r.Match)
		if r.Identity != nil {
			text += " of identity " + strings.TrimSuffix(strings.TrimPrefix(r.Identity.String(), "^(?s:"), ")$")
		}
		if text += " " + r.Policy; r.Policy == "clamp" {
			text += " " + FormatDuration(r.MaxAge) + ", " + FormatDuration(r.MaxFuture)
		}
		parts = append(parts, text)
	}
	return orNone(strings.Join(parts, "; "))
}

func (v timeRules) wants() string {
	return "a list of {match: {label: regex}, identity: regex, policy: clamp, max_age: 1h, max_future: 10s}"
}

func (r *reader) timeRule(path string, n *yaml.Node) TimeRule {
	policies := []string{"keep", "now", "clamp"}
	rule := TimeRule{Match: make(map[string]*regexp.Regexp), MaxAge: time.Hour, MaxFuture: 10 * time.Second}
	bounds := false
	bound := func(name string, p *time.Duration) field {
		return field{name, func(path string, n *yaml.Node) {
			bounds = true
			duration{p, 0, 100 * year}.read(r, path, n)
		}}
	}
	ok := r.fields(path, n, "a rule {match: {label: regex}, policy: clamp}",
		field{"match", func(path string, n *yaml.Node) { r.match(rule.Match, path, n) }},
		field{"identity", func(path string, n *yaml.Node) {
			// Read as a match of one label, so that the same is allowed.
			one := make(map[string]*regexp.Regexp)
			r.match(one, strings.TrimSuffix(path, ".identity"), &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "identity", Line: n.Line}, n}})
			rule.Identity = one["identity"]
		}},
		r.word("policy", "keep, now or clamp", &rule.Policy), bound("max_age", &rule.MaxAge), bound("max_future", &rule.MaxFuture))
	switch {
	case !ok:
	case len(rule.Match) == 0 && rule.Identity == nil:
		r.errorf(n, path, "match and identity are missing: say which series the rule is for")
	case rule.Policy == "":
		r.errorf(n, path, "policy is missing: want keep, now or clamp")
	case !slices.Contains(policies, rule.Policy):
		r.errorf(n, path, "the policy %s is not known; %s", message.Quote(rule.Policy), message.Suggest(rule.Policy, policies))
	case bounds && rule.Policy != "clamp":
		r.errorf(n, path, "max_age and max_future are clamp's: leave them out, or make the policy clamp")
	}
	return rule
}
