package shape_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the module's path, and so the import path of the root package.
const module = "narthex"

// A file is one Go file of the module.
type file struct {
	path   string // from the root, with slashes
	dir    string // the package's directory from the root, "." for the root
	test   bool
	syntax *ast.File
	fset   *token.FileSet
}

// imports returns the paths that the file imports.
func (f file) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil { // the parser has seen to it
			paths = append(paths, p)
		}
	}
	return paths
}

// place says where a node is, as an editor understands it.
func (f file) place(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(n.Pos()).Line)
}

// root returns the repository's root, where go.mod is.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the tests must stand two directories below go.mod: %v", err)
	}
	return dir
}

// foreign reports whether a directory is not of this module's source: it was
// downloaded, built, or has a go.mod of its own.
func foreign(dir, rel string) bool {
	switch rel {
	case ".git", "bin", "dist", "narthex-data":
		return true
	}
	if path.Base(rel) == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(rel), "go.mod"))
	return err == nil
}

// walk calls visit with each file of the repository, by its path from the root
// with slashes.
func walk(dir string, visit func(rel string) error) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && rel != "." && foreign(dir, rel):
			return filepath.SkipDir
		case rel == ".git": // a file where this is one of several working trees
			return nil
		case d.Type().IsRegular():
			return visit(rel)
		}
		return nil
	})
}

// parse reads each Go file of the module once for all tests.
var parse = sync.OnceValues(func() ([]file, error) {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	var files []file
	fset := token.NewFileSet()
	err = walk(dir, func(rel string) error {
		if path.Ext(rel) != ".go" || strings.Contains("/"+rel, "/testdata/") {
			return nil
		}
		syntax, err := parser.ParseFile(fset, filepath.Join(dir, filepath.FromSlash(rel)), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file{path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), syntax: syntax, fset: fset})
		return nil
	})
	return files, err
})

// source returns each Go file of the module.
func source(t *testing.T) []file {
	t.Helper()
	files, err := parse()
	if err != nil {
		t.Fatalf("reading the module's Go files: %v", err)
	}
	if len(files) == 0 {
		t.Fatal("no Go file was found: the tests would prove nothing")
	}
	return files
}

// packages returns the files that are no tests, by directory.
func packages(t *testing.T) map[string][]file {
	t.Helper()
	byDir := map[string][]file{}
	for _, f := range source(t) {
		if !f.test {
			byDir[f.dir] = append(byDir[f.dir], f)
		}
	}
	return byDir
}
