// Package docs is the manual: the pages beside this file, which narthex serve
// shows under /docs as GitHub shows them.
//
// [Handler] answers for the pages, each under its name without .md, and for the
// style sheet. Links between pages become links between what it serves.
package docs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

//go:embed *.md style.css page.html
var files embed.FS

// order has the pages that a newcomer reads first; the others follow by name.
var order = []string{"start", "faq", "moving", "push", "clients", "logs", "probes", "viewer", "serverless"}

// page is one page of the manual.
type page struct {
	Name, Title string
	Body        template.HTML // of our own Markdown
}

// policy lets a page load its style sheet and nothing else.
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler returns what answers below a path that ends in a slash, which is to be
// stripped: "" is the list of the pages. They are rendered when the first is asked
// for.
func Handler() http.Handler {
	answers := sync.OnceValues(frames)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		all, err := answers()
		name := strings.TrimPrefix(r.URL.Path, "/")
		body, ok := all[name]
		switch {
		case err != nil: // the tests render them all
			http.Error(w, "the manual can't be shown: "+err.Error(), http.StatusInternalServerError)
			return
		case !ok:
			http.Error(w, "the manual has no page of that name; the list is at /docs/", http.StatusNotFound)
			return
		case path.Ext(name) == ".css":
			h.Set("Content-Type", "text/css; charset=utf-8")
		default:
			h.Set("Content-Type", "text/html; charset=utf-8")
		}
		_, _ = w.Write(body)
	})
}

// frames returns the body for each path.
func frames() (map[string][]byte, error) {
	pages, err := render()
	if err != nil {
		return nil, err
	}
	frame, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte)
	if all["style.css"], err = files.ReadFile("style.css"); err != nil {
		return nil, err
	}
	for _, p := range append(pages, page{Title: "Manual"}) {
		var b bytes.Buffer
		if err := frame.Execute(&b, map[string]any{"Page": p, "Pages": pages}); err != nil {
			return nil, err
		}
		all[p.Name] = b.Bytes()
	}
	return all, nil
}

// render makes HTML of all pages.
func render() ([]page, error) {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		return nil, err
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(links{}, 100))),
	)
	var pages []page
	for _, file := range names {
		source, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := md.Convert(source, &b); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(string(source), "# "), "\n")
		pages = append(pages, page{strings.TrimSuffix(file, ".md"), title, template.HTML(b.String())})
	}
	place := func(p page) int {
		if i := slices.Index(order, p.Name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(pages, func(a, b page) int { return place(a) - place(b) })
	return pages, nil
}

// links makes links to pages of links to their files. Those that lead to other
// files of the repository, which are not here, lose their address.
type links struct{}

// Transform implements [parser.ASTTransformer].
func (links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		l, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		to, fragment, _ := strings.Cut(string(l.Destination), "#")
		switch {
		case to == "" || strings.Contains(to, "://"):
			return ast.WalkContinue, nil
		case path.Dir(to) == "." && path.Ext(to) == ".md":
			to = strings.TrimSuffix(to, ".md")
		default:
			to = ""
		}
		if fragment != "" {
			to += "#" + fragment
		}
		l.Destination = []byte(to)
		return ast.WalkContinue, nil
	})
}
