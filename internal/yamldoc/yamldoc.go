// Package yamldoc reads a YAML document strictly, node by node, and collects all
// that is wrong with it at once. Each problem has its line:
//
//	r := yamldoc.NewReader("narthex.yml")
//	if root, ok := r.Document(data); ok && root != nil {
//		r.Fields("", root, "settings", yamldoc.Field{Name: "listen", Read: …})
//	}
//	return r.Err()
//
// Aliases and merge keys (<<) are followed, within bounds.
package yamldoc

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// maxProblems is how many are reported.
const maxProblems = 50

// maxNodes is how many nodes are read: aliases make many of few.
const maxNodes = 1 << 18

// Reader walks through a document's nodes and collects what is wrong with them.
type Reader struct {
	name     string
	problems []*Error
	nodes    int
}

// NewReader returns a reader for the file with the name.
func NewReader(name string) *Reader { return &Reader{name: name} }

// Name returns the file's name.
func (r *Reader) Name() string { return r.name }

// Rename has problems told under another name, until back is called.
func (r *Reader) Rename(name string) (back func()) {
	old := r.name
	r.name = name
	return func() { r.name = old }
}

// Problems returns how many were found so far.
func (r *Reader) Problems() int { return len(r.problems) }

// Add adds a problem of a line, 0 for the file as a whole.
func (r *Reader) Add(line int, msg string) {
	r.problems = append(r.problems, &Error{r.name, line, msg})
}

// Errorf adds a problem of a node, which is at the path (as in ledger.settle),
// "" if that is not to be named.
func (r *Reader) Errorf(n *yaml.Node, path, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if path != "" {
		msg = path + ": " + msg
	}
	r.Add(n.Line, msg)
}

// Err returns all that was found in the order of the lines, one *[Error] each;
// nil if there is nothing.
func (r *Reader) Err() error {
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

// Document returns the content of the only document in data, nil if it is empty.
func (r *Reader) Document(data []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, true
		}
		r.syntax(err)
		return nil, false
	}
	if err := dec.Decode(&more); err == nil {
		r.Add(more.Line, "a second document: put all in the first one")
		return nil, false
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil, false
	}
	if len(doc.Content) == 0 || IsNull(doc.Content[0]) {
		return nil, true
	}
	return doc.Content[0], true
}

// syntax adds the YAML library's error, which has its line in the text.
func (r *Reader) syntax(err error) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	r.Add(line, "this is not YAML: "+msg)
}

// Scalar returns a single value's text.
func (r *Reader) Scalar(path string, n *yaml.Node, wants string) (string, bool) {
	switch n = Resolve(n); {
	case n.Kind != yaml.ScalarNode:
		r.Errorf(n, path, "want %s, got %s", wants, Kind(n))
	case IsNull(n):
		r.Errorf(n, path, "it has no value: want %s, or leave the key out", wants)
	default:
		return n.Value, true
	}
	return "", false
}

// List calls f for each element, with its path.
func (r *Reader) List(path string, n *yaml.Node, wants string, f func(path string, n *yaml.Node)) {
	n = Resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.Errorf(n, path, "want %s, got %s", wants, Kind(n))
		return
	}
	for i, e := range n.Content {
		if !r.count(n) {
			return
		}
		f(fmt.Sprintf("%s[%d]", path, i), e)
	}
}

// count reports whether a further node may be read.
func (r *Reader) count(n *yaml.Node) bool {
	if r.nodes++; r.nodes == maxNodes {
		r.Errorf(n, "", "the file's aliases unfold to more than %d values: write less of them", maxNodes)
	}
	return r.nodes < maxNodes
}

// Field is a key of a mapping and what reads its value.
type Field struct {
	Name string
	Read func(path string, n *yaml.Node)
}

// Fields reads a mapping that may have these keys and no others. It returns the
// nodes of the keys that were there, and whether no problem was found.
func (r *Reader) Fields(path string, n *yaml.Node, wants string, fields ...Field) (given map[string]*yaml.Node, ok bool) {
	before := len(r.problems)
	given = make(map[string]*yaml.Node)
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.Name
	}
	r.Mapping(path, n, wants, func(key, n *yaml.Node) {
		i := slices.Index(known, key.Value)
		if i < 0 {
			r.Errorf(key, path, "unknown key %s; %s", message.Quote(key.Value), message.Suggest(key.Value, known))
			return
		}
		given[key.Value] = key
		fields[i].Read(path+"."+key.Value, n)
	})
	return given, len(r.problems) == before
}
