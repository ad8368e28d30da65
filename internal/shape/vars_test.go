package shape_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// constructors of other packages whose result nothing changes, or (the sync
// ones) whose changes nobody can see.
var constructors = []string{
	"base64.NewEncoding", "crc32.MakeTable", "crc64.MakeTable",
	"errors.New", "fmt.Errorf", "narthex.Errorf",
	"json.RawMessage", "math.Float64frombits", "math.Inf", "math.NaN",
	"netip.MustParseAddr", "netip.MustParsePrefix",
	"regexp.MustCompile", "strings.NewReplacer",
	"sync.OnceValue", "sync.OnceValues", "template.Must",
}

// TestNoMutablePackageVariables keeps state out of packages. A package variable
// is a constant that Go can't write as one: an error, a table, a compiled
// regexp, an embedded file, an interface check. State belongs in a struct that
// main makes and passes on.
func TestNoMutablePackageVariables(t *testing.T) {
	for _, files := range packages(t) {
		files = slices.DeleteFunc(slices.Clone(files), func(f file) bool { return ast.IsGenerated(f.syntax) })
		if len(files) == 0 {
			continue
		}
		for _, complaint := range mutable(files, check(files)) {
			t.Error(complaint)
		}
	}
}

// check finds out what each name of a package means. What other packages
// declare stays unknown, which is why its errors don't matter.
func check(files []file) *types.Info {
	info := &types.Info{
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
		Types: map[ast.Expr]types.TypeAndValue{},
	}
	conf := types.Config{
		Importer: importer(func(string) (*types.Package, error) { return nil, errors.New("not looked up") }),
		Error:    func(error) {},
	}
	syntax := make([]*ast.File, 0, len(files))
	for _, f := range files {
		syntax = append(syntax, f.syntax)
	}
	_, _ = conf.Check(files[0].dir, files[0].fset, syntax, info) // errors: see above
	return info
}

type importer func(path string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }

// mutable says of each package variable that can be changed where it is and
// how.
func mutable(files []file, info *types.Info) []string {
	var complaints []string
	vars := map[types.Object]bool{}
	for _, f := range files {
		for _, d := range f.syntax.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.VAR {
				continue
			}
			for _, s := range decl.Specs {
				spec := s.(*ast.ValueSpec)
				for _, name := range spec.Names {
					vars[info.Defs[name]] = true
				}
				if why := unsteady(decl, spec, info); why != "" {
					complaints = append(complaints, fmt.Sprintf("%s: package variable %s %s: put it in a struct that main makes", f.place(spec), spec.Names[0].Name, why))
				}
			}
		}
	}
	for _, f := range files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, e := range changed(n) {
				if id := base(e); id != nil && info.Uses[id] != nil && vars[info.Uses[id]] {
					complaints = append(complaints, fmt.Sprintf("%s: package variable %s is changed here: put it in a struct that main makes", f.place(id), id.Name))
				}
			}
			return true
		})
	}
	return complaints
}

// unsteady says why what a package variable begins with looks as if it were to
// be changed later, or "".
func unsteady(decl *ast.GenDecl, spec *ast.ValueSpec, info *types.Info) string {
	if spec.Names[0].Name == "_" || embeds(decl.Doc) || embeds(spec.Doc) {
		return ""
	}
	if len(spec.Values) == 0 {
		return "has no value yet"
	}
	for i, v := range spec.Values {
		if i < len(spec.Names) && strings.HasPrefix(strings.ToLower(spec.Names[i].Name), "err") {
			continue // an error to compare with
		}
		if why := unsteadyValue(v, info); why != "" {
			return why
		}
	}
	return ""
}

func unsteadyValue(v ast.Expr, info *types.Info) string {
	switch v := ast.Unparen(v).(type) {
	case *ast.UnaryExpr:
		if v.Op == token.AND {
			return "is a pointer to something that can be changed"
		}
	case *ast.FuncLit:
		return "is a function that can be replaced (declare a func)"
	case *ast.SelectorExpr:
		return "stands for something of another package"
	case *ast.CompositeLit:
		name := qualified(v.Type)
		if (strings.HasPrefix(name, "sync.") || strings.HasPrefix(name, "atomic.")) && name != "sync.Pool" {
			return "is a " + name
		}
	case *ast.CallExpr:
		if slices.Contains(constructors, qualified(v.Fun)) || info.Types[v.Fun].IsType() {
			return ""
		}
		if id, ok := v.Fun.(*ast.Ident); ok && (id.Name == "make" || id.Name == "new") {
			return "is empty, to be filled later"
		}
		if !table(info.TypeOf(v)) {
			return "is made by a function that is not known to make a constant (see constructors in the test)"
		}
	}
	return ""
}

// table reports whether a type is that of a plain value or a lookup table.
func table(typ types.Type) bool {
	if typ == nil {
		return false
	}
	switch u := typ.Underlying().(type) {
	case *types.Basic:
		return u.Kind() != types.Invalid
	case *types.Map, *types.Slice, *types.Array:
		return true
	}
	return false
}

// changed returns what a statement or a call changes, or lends to be changed.
func changed(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && slices.Contains([]string{"append", "clear", "copy", "delete"}, id.Name) {
			return n.Args[:1]
		}
	}
	return nil
}

// base returns the variable that x, x[i], x.f, *x and so on are part of.
func base(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// qualified returns package.Name of an expression that is one.
func qualified(e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if id, ok := sel.X.(*ast.Ident); ok {
			return id.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

// embeds reports whether a comment has a //go:embed line.
func embeds(c *ast.CommentGroup) bool {
	return c != nil && slices.ContainsFunc(c.List, func(l *ast.Comment) bool { return strings.HasPrefix(l.Text, "//go:embed ") })
}
