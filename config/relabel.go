package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Relabel is one step of relabelling, as Prometheus's relabel_config, complete:
// what the file leaves out has Prometheus's default.
type Relabel struct {
	SourceLabels []string
	Separator    string         // default ;
	Regex        *regexp.Regexp // anchored, default (.*)
	Modulus      uint64
	TargetLabel  string
	Replacement  string // default $1
	Action       string // default replace
}

// relabelActions are Prometheus's.
func relabelActions() []string {
	return []string{"replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"}
}

// relabelField is a field that is a list of steps.
func (r *reader) relabelField(name string, p *[]Relabel) field {
	return field{name, func(path string, n *yaml.Node) {
		r.list(path, n, "a list of {source_labels: [a], regex: b.*, action: keep}", func(path string, n *yaml.Node) {
			*p = append(*p, r.relabel(path, n))
		})
	}}
}

func (r *reader) relabel(path string, n *yaml.Node) Relabel {
	s := Relabel{Separator: ";", Regex: regexp.MustCompile(anchor("(.*)")), Replacement: "$1", Action: "replace"}
	given := make(map[string]bool)
	note := func(f field) field {
		return field{f.name, func(path string, n *yaml.Node) { given[f.name] = true; f.read(path, n) }}
	}
	ok := r.fields(path, n, "a step such as {source_labels: [a], regex: b.*, action: keep}",
		note(r.words("source_labels", "names of labels", &s.SourceLabels)),
		note(r.word("separator", "a text", &s.Separator)),
		note(field{"regex", func(path string, n *yaml.Node) { r.regex(path, n, &s.Regex) }}),
		note(field{"modulus", func(path string, n *yaml.Node) {
			text, ok := r.scalar(path, n, "a whole number")
			if ok && (n.ShortTag() != "!!int" || n.Decode(&s.Modulus) != nil) {
				r.errorf(n, path, "want a whole number above 0, got %s", message.Quote(text))
			}
		}}),
		note(r.word("target_label", "a label's name", &s.TargetLabel)),
		note(r.word("replacement", "a text such as $1", &s.Replacement)),
		note(field{"action", func(path string, n *yaml.Node) {
			text, ok := r.scalar(path, n, strings.Join(relabelActions(), ", "))
			if s.Action = strings.ToLower(text); ok && !slices.Contains(relabelActions(), s.Action) {
				r.errorf(n, path, "%s is not known; %s", message.Quote(text), message.Suggest(text, relabelActions()))
			}
		}}))
	if ok {
		if problem := s.problem(given); problem != "" {
			r.errorf(n, path, "%s", problem)
		}
	}
	return s
}

// regex reads an expression that matches whole values.
func (r *reader) regex(path string, n *yaml.Node, out **regexp.Regexp) {
	s, ok := r.scalar(path, n, "a regular expression")
	if !ok {
		return
	}
	// Compiled alone first, so that "a)(b" does not pass.
	_, err := regexp.Compile(s)
	if err == nil {
		var re *regexp.Regexp
		if re, err = regexp.Compile(anchor(s)); err == nil {
			*out = re
		}
	}
	if err != nil {
		r.errorf(n, path, "%v", err)
	}
}

// problem says what is wrong with a step, "" if nothing is. The rules are
// Prometheus's.
func (s *Relabel) problem(given map[string]bool) string {
	only := func(what string, names ...string) string {
		for _, name := range []string{"source_labels", "separator", "regex", "modulus", "target_label", "replacement"} {
			if given[name] && !slices.Contains(names, name) {
				return fmt.Sprintf("%s takes %s only: leave %s out", s.Action, what, name)
			}
		}
		return ""
	}
	switch s.Action {
	case "labeldrop", "labelkeep":
		return only("regex", "regex")
	case "labelmap":
		if s.Replacement == "" || !utf8.ValidString(s.Replacement) {
			return "labelmap wants a replacement that gives a label's name, such as $1"
		}
		return ""
	case "keep", "drop":
		return ""
	}
	switch {
	case s.TargetLabel == "":
		return s.Action + " wants a target_label"
	case s.Action == "hashmod" && s.Modulus == 0:
		return "hashmod wants a modulus above 0"
	case s.Action == "keepequal" || s.Action == "dropequal":
		return only("source_labels and target_label", "source_labels", "target_label")
	case (s.Action == "lowercase" || s.Action == "uppercase") && s.Replacement != "$1":
		return s.Action + " takes no replacement: leave it out"
	}
	return ""
}
