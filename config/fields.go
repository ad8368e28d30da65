package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// word is a field of one value.
func (r *reader) word(name, wants string, p *string) field {
	return field{name, func(path string, n *yaml.Node) { *p, _ = r.scalar(path, n, wants) }}
}

// words is a field of one value or a list of them.
func (r *reader) words(name, wants string, p *[]string) field {
	return field{name, func(path string, n *yaml.Node) { *p = r.oneOrMore(path, n, wants) }}
}

func (r *reader) oneOrMore(path string, n *yaml.Node, wants string) []string {
	if resolve(n).Kind != yaml.SequenceNode {
		if s, ok := r.scalar(path, n, wants); ok {
			return []string{s}
		}
		return nil
	}
	var out []string
	r.list(path, n, wants, func(path string, n *yaml.Node) {
		if s, ok := r.scalar(path, n, wants); ok {
			out = append(out, s)
		}
	})
	return out
}

// scopes is the field scopes.
func (r *reader) scopes(p *[]string) field {
	return field{"scopes", func(path string, n *yaml.Node) {
		known := scopeWords()
		for _, s := range r.oneOrMore(path, n, "a list of "+strings.Join(known, ", ")) {
			if !slices.Contains(known, s) {
				r.errorf(n, path, "%s is not known; %s", message.Quote(s), message.Suggest(s, known))
			}
			*p = append(*p, s)
		}
		if len(*p) == 0 {
			r.errorf(n, path, "it is empty: want some of %s", strings.Join(known, ", "))
		}
	}}
}

// labels calls f with each name and value of a mapping of labels.
func (r *reader) labels(path string, n *yaml.Node, wants string, f func(name, value string)) {
	r.mapping(path, n, wants, func(key, n *yaml.Node) {
		at := path + "." + message.Clip(key.Value, 80)
		value, ok := r.scalar(at, n, "a value")
		check := narthex.Labels{{Name: narthex.MetricName, Value: "x"}, {Name: key.Value, Value: value}}
		switch err := (narthex.NameScheme{MaxValue: 2048}).Check(check); {
		case !ok:
		case err != nil || key.Value == narthex.MetricName || key.Value == "le" || key.Value == "quantile":
			r.errorf(key, at, "%s can't be forced: want a label's name, and a value of at most 2048 bytes", message.Quote(key.Value))
		case value == "":
			r.errorf(n, at, "it is empty: want a value")
		default:
			f(key.Value, value)
		}
	})
}

// forced is the field labels with values.
func (r *reader) forced(p *narthex.Labels) field {
	return field{"labels", func(path string, n *yaml.Node) {
		r.labels(path, n, "labels such as {service: shop}", func(name, value string) { *p = p.With(name, value) })
	}}
}
