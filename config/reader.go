package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Error is one thing that is wrong with a file.
type Error struct {
	File string
	Line int // from 1 on; 0 is the file as a whole
	Msg  string
}

// Error returns file:line: message.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// reader walks through a file's nodes and collects what is wrong with them.
type reader struct {
	name     string
	env      func(string) (string, bool)
	config   *Config
	problems []*Error
	wrong    map[string]bool // settings that have a problem
	later    []func()        // checks for when all is read
}

// maxProblems is how many are reported.
const maxProblems = 50

func (r *reader) add(line int, msg string) {
	r.problems = append(r.problems, &Error{r.name, line, msg})
}

func (r *reader) errorf(n *yaml.Node, path, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if path != "" {
		msg = path + ": " + msg
	}
	r.add(n.Line, msg)
}

// err returns all that was found, nil if there is nothing.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	var all []error
	for i, p := range r.problems {
		if i == maxProblems {
			all = append(all, &Error{r.name, 0, fmt.Sprintf("%d more errors", len(r.problems)-i)})
			break
		}
		all = append(all, p)
	}
	return errors.Join(all...)
}

// scalar returns a single value's text.
func (r *reader) scalar(path string, n *yaml.Node, wants string) (string, bool) {
	switch n = resolve(n); {
	case n.Kind != yaml.ScalarNode:
		r.errorf(n, path, "want %s, got %s", wants, kind(n))
	case isNull(n):
		r.errorf(n, path, "it has no value: want %s, or leave the key out", wants)
	default:
		return n.Value, true
	}
	return "", false
}

// mapping calls f for each key and value. A key that occurs twice is an error.
func (r *reader) mapping(path string, n *yaml.Node, wants string, f func(key, n *yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.errorf(n, path, "want %s, got %s", wants, kind(n))
		return
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			r.errorf(key, path, "a key must be a word, not %s", kind(key))
			continue
		}
		if line, found := lines[key.Value]; found {
			r.errorf(key, path, "the key %s is given twice, first in line %d", message.Quote(key.Value), line)
			continue
		}
		lines[key.Value] = key.Line
		f(key, n.Content[i+1])
	}
}

// list calls f for each element, with its path.
func (r *reader) list(path string, n *yaml.Node, wants string, f func(path string, n *yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.errorf(n, path, "want %s, got %s", wants, kind(n))
		return
	}
	for i, e := range n.Content {
		f(fmt.Sprintf("%s[%d]", path, i), e)
	}
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kind names what a node is, for a message.
func kind(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}
