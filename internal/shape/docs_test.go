package shape_test

import (
	"go/doc"
	"slices"
	"strings"
	"testing"
)

// vague names say what a package is and not what it speaks.
var vague = []string{"common", "helper", "helpers", "interfaces", "misc", "mock", "mocks", "models", "pkg", "types", "util", "utils"}

func TestPackagesHaveDocs(t *testing.T) {
	for dir, files := range packages(t) {
		var docs []string
		name := files[0].syntax.Name.Name
		for _, f := range files {
			if text := f.syntax.Doc.Text(); text != "" {
				docs = append(docs, text)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s: %d files have a package comment, want exactly one", dir, len(docs))
			continue
		}
		sentence := new(doc.Package).Synopsis(docs[0])
		if !strings.HasSuffix(sentence, ".") || len(strings.Fields(sentence)) < 5 {
			t.Errorf("%s: the package comment begins with %q, want a whole sentence", dir, sentence)
		}
		if name != "main" && !strings.HasPrefix(sentence, "Package "+name+" ") {
			t.Errorf("%s: the package comment begins with %q, want \"Package %s ...\"", dir, sentence, name)
		}
	}
}

func TestPackagesAreNamedForWhatTheySpeak(t *testing.T) {
	for dir := range packages(t) {
		for _, element := range strings.Split(dir, "/") {
			if slices.Contains(vague, element) {
				t.Errorf("%s: %q says nothing: name the package for what it speaks", dir, element)
			}
		}
	}
}
