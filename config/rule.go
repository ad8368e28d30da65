package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// Rule says what the pushed series are that it matches:
//
//	{match: {__name__: "jobs_.*", env: prod}, as: delta}
type Rule struct {
	// Match has, by label name, the expression that the whole value must match;
	// an absent label has the value "". All must match. The expressions are
	// anchored.
	Match map[string]*regexp.Regexp
	// As is what the series are: delta, gauge or sample.
	As narthex.As
}

// Rules returns the rules that hold: the file's own, then the preset's.
func (c *Config) Rules() []Rule {
	out := slices.Clone(c.Push.Rules)
	if c.Push.Preset == "article" {
		out = append(out, Rule{
			Match: map[string]*regexp.Regexp{narthex.MetricName: regexp.MustCompile(anchor(".*_total"))},
			As:    narthex.AsDelta,
		})
	}
	return out
}

// anchor makes an expression match whole values, as in Prometheus's matchers.
func anchor(expr string) string { return "^(?s:" + expr + ")$" }

// String returns the rule in PromQL's words: {a=~"x",b=~"y"} as delta.
func (r Rule) String() string {
	return matchText(r.Match) + " as " + r.As.String()
}

func matchText(match map[string]*regexp.Regexp) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(match)) {
		expr := match[name].String()
		expr = strings.TrimSuffix(strings.TrimPrefix(expr, "^(?s:"), ")$")
		parts = append(parts, fmt.Sprintf("%s=~%q", name, expr))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

type rules struct{ p *[]Rule }

func (v rules) read(r *reader, path string, n *yaml.Node) {
	var out []Rule
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) { out = append(out, r.rule(path, n)) })
	*v.p = out
}

func (v rules) String() string {
	var parts []string
	for _, r := range *v.p {
		parts = append(parts, r.String())
	}
	return orNone(strings.Join(parts, "; "))
}

func (v rules) wants() string { return "a list of {match: {label: regex}, as: delta}" }

func (r *reader) rule(path string, n *yaml.Node) Rule {
	rule, as := Rule{Match: make(map[string]*regexp.Regexp)}, ""
	failed := r.Problems()
	r.mapping(path, n, "a rule {match: {label: regex}, as: delta}", func(key, n *yaml.Node) {
		switch at := path + "." + message.Clip(key.Value, 80); key.Value {
		case "match":
			r.match(rule.Match, at, n)
		case "as":
			as, _ = r.scalar(at, n, "delta, gauge or sample")
			r.as(&rule.As, at, n, as)
		default:
			r.errorf(key, path, "unknown key %s; %s", message.Quote(key.Value), message.Suggest(key.Value, []string{"match", "as"}))
		}
	})
	switch {
	case r.Problems() > failed:
	case len(rule.Match) == 0:
		r.errorf(n, path, "match is missing: say which labels the rule is for")
	case as == "":
		r.errorf(n, path, "as is missing: want delta, gauge or sample")
	}
	return rule
}

// match reads the expressions of a rule into out.
func (r *reader) match(out map[string]*regexp.Regexp, path string, n *yaml.Node) {
	r.mapping(path, n, "{label: regex}", func(key, n *yaml.Node) {
		at := path + "." + message.Clip(key.Value, 80)
		s, ok := r.scalar(at, n, "a regular expression")
		if !ok {
			return
		}
		// Compiled alone first, so that "a)(b" does not pass.
		_, err := regexp.Compile(s)
		if err == nil {
			out[key.Value], err = regexp.Compile(anchor(s))
		}
		if err != nil {
			r.errorf(n, at, "%v", err)
		}
	})
}

func (r *reader) as(out *narthex.As, path string, n *yaml.Node, word string) {
	var words []string
	for _, as := range []narthex.As{narthex.AsDelta, narthex.AsGauge, narthex.AsSample} {
		if word == as.String() {
			*out = as
			return
		}
		words = append(words, as.String())
	}
	if word != "" {
		r.errorf(n, path, "%s is not known; %s", message.Quote(word), message.Suggest(word, words))
	}
}
