package shape_test

import (
	"go/ast"
	"testing"
)

// A file or a function beyond these holds more than one thing.
const (
	fileLines     = 600
	functionLines = 80
)

func TestFilesAndFunctionsAreShort(t *testing.T) {
	for _, f := range source(t) {
		if f.test || ast.IsGenerated(f.syntax) {
			continue
		}
		if n := f.fset.Position(f.syntax.FileEnd).Line; n > fileLines {
			t.Errorf("%s has %d lines, the limit is %d: split it by noun", f.path, n, fileLines)
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			first, last := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
			if n := last - first + 1; n > functionLines {
				t.Errorf("%s: %s has %d lines, the limit is %d: name its steps", f.place(fn), fn.Name.Name, n, functionLines)
			}
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, f := range source(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init() runs behind the reader's back: let main pass what it has", f.place(fn))
			}
		}
	}
}
