package shape_test

import (
	"go/ast"
	"regexp"
	"testing"
)

// TestSecurityClaims: the tests that docs/security.md names for what it claims
// exist.
func TestSecurityClaims(t *testing.T) {
	there := make(map[string]bool)
	for _, f := range source(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test {
				there[fn.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(read(t, "docs/security.md"), -1)
	if len(named) < 40 {
		t.Errorf("docs/security.md names %d tests", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("docs/security.md names %s, and there is no such test", m[1])
		}
	}
}
