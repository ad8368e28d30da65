package yamldoc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"narthex/internal/yamldoc"
)

// read reads a document {a: text, b: text, c: {a, b, …}} and returns what it
// found, in the order of reading.
func read(text string) (found []string, err error) {
	r := yamldoc.NewReader("x.yml")
	word := func(name string) yamldoc.Field {
		return yamldoc.Field{Name: name, Read: func(path string, n *yaml.Node) {
			if s, ok := r.Scalar(path, n, "a word"); ok {
				found = append(found, path+"="+s)
			}
		}}
	}
	fields := []yamldoc.Field{word("a"), word("b")}
	inner := yamldoc.Field{Name: "c", Read: func(path string, n *yaml.Node) { r.Fields(path, n, "{a, b}", fields...) }}
	list := yamldoc.Field{Name: "l", Read: func(path string, n *yaml.Node) {
		r.List(path, n, "a list of {a, b}", func(path string, n *yaml.Node) { r.Fields(path, n, "{a, b}", fields...) })
	}}
	hidden := yamldoc.Field{Name: "x", Read: func(string, *yaml.Node) {}}
	if root, ok := r.Document([]byte(text)); ok && root != nil {
		r.Fields("", root, "{a, b, c, l}", append(fields, inner, list, hidden)...)
	}
	return found, r.Err()
}

func TestMerge(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"own keys come first":    {"x: &x {a: 1, b: 2}\nc: {<<: *x, b: 3}", ".c.b=3 .c.a=1"},
		"the first of a list":    {"x: &x {a: 1}\nc: {<<: [*x, {a: 2, b: 3}]}", ".c.a=1 .c.b=3"},
		"merges in merges":       {"x: &x {<<: {a: 1}, b: 2}\nc: {<<: *x}", ".c.b=2 .c.a=1"},
		"an alias of a list":     {"l: &l [{a: 1}, {b: 2}]", ".l[0].a=1 .l[1].b=2"},
		"a quoted << is no such": {"c: {\"<<\": {a: 1}}", `x.yml:1: .c: unknown key "<<"; known are a, b`},
		"no mapping":             {"c: {<<: 7}", "x.yml:1: .c: << wants a mapping or a list of them, got a single value"},
		"twice":                  {"c: {a: 1,\n  a: 2}", `x.yml:2: .c: the key "a" is given twice, first in line 1`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := read(tt.text)
			got := strings.Join(found, " ")
			if err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestMergeInACircle ends, and says why it failed.
func TestMergeInACircle(t *testing.T) {
	_, err := read("c: &c\n  <<: *c\n")
	if err == nil || err.Error() != "x.yml:1: .c: merges (<<) are more than 20 deep, or go round in a circle" {
		t.Errorf("got %v", err)
	}
}

// TestAliasesAreBounded reads a list whose elements are lists of aliases.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("x: &x {<<: {a: 1}, b: 2}\nl: [" + strings.Repeat("*x, ", 80000) + "]\n")
	_, err := read(b.String())
	if err == nil || !strings.Contains(err.Error(), "aliases unfold") {
		t.Errorf("got %.200v", err)
	}
}
