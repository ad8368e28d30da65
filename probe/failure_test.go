package probe_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestReasonsAreDocumented: each phase and each reason has its line.
func TestReasonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/probes.md")
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), "failure.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			n++
			if name, _ := strconv.Unquote(lit.Value); !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("docs/probes.md has no line for `%s` (%s)", name, spec.Names[0].Name)
			}
		}
		return true
	})
	if n < 40 {
		t.Errorf("there are %d phases and reasons, which is too few", n)
	}
}
