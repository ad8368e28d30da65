package config

import (
	"go.yaml.in/yaml/v3"

	"narthex/internal/yamldoc"
)

// Error is one thing that is wrong with a file.
type Error = yamldoc.Error

// reader walks through a file's nodes and collects what is wrong with them.
type reader struct {
	*yamldoc.Reader
	input  Input
	config *Config
	wrong  map[string]bool // settings that have a problem
	later  []func()        // checks for when all is read
}

func (r *reader) add(line int, msg string) { r.Add(line, msg) }

func (r *reader) errorf(n *yaml.Node, path, format string, args ...any) {
	r.Errorf(n, path, format, args...)
}

func (r *reader) scalar(path string, n *yaml.Node, wants string) (string, bool) {
	return r.Scalar(path, n, wants)
}

func (r *reader) mapping(path string, n *yaml.Node, wants string, f func(key, n *yaml.Node)) {
	r.Mapping(path, n, wants, f)
}

func (r *reader) list(path string, n *yaml.Node, wants string, f func(path string, n *yaml.Node)) {
	r.List(path, n, wants, f)
}

// field is a key of a mapping that is an element of a list.
type field struct {
	name string
	read func(path string, n *yaml.Node)
}

// fields reads a mapping with the fields.
func (r *reader) fields(path string, n *yaml.Node, wants string, fields ...field) (ok bool) {
	known := make([]yamldoc.Field, len(fields))
	for i, f := range fields {
		known[i] = yamldoc.Field{Name: f.name, Read: f.read}
	}
	_, ok = r.Fields(path, n, wants, known...)
	return ok
}

func resolve(n *yaml.Node) *yaml.Node { return yamldoc.Resolve(n) }

func isNull(n *yaml.Node) bool { return yamldoc.IsNull(n) }

func kind(n *yaml.Node) string { return yamldoc.Kind(n) }
