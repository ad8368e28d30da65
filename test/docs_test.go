package test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The reference of the settings is the program's own.
func TestConfigurationReference(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := command(t, "", "check", "--reference"); !strings.HasSuffix(string(page), out) {
		t.Error("docs/configuration.md does not end with what narthex check --reference prints: put that in")
	}
}

var (
	// A command stands alone on a line of code, or between backquotes.
	commandLine = regexp.MustCompile("(?m)(?:`|^ {4}|^\\$ |^)narthex ([a-z][a-z-]*)((?: [^`\n#]*)?)(?:`|$|#)")
	flagWord    = regexp.MustCompile(`(?:^|\s)(--?[a-zA-Z][a-zA-Z.-]*)`)
	makeTarget  = regexp.MustCompile("(?:`|^ {4})make ([a-z][a-z-]*)")
	variable    = regexp.MustCompile(`NARTHEX_[A-Z0-9_]+`)
)

// pages are what people read.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	out := make(map[string]string)
	for _, name := range append(names, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

// Commands in the documentation are the program's, and so are their flags.
func TestDocumentedCommands(t *testing.T) {
	overview, _ := command(t, "", "help")
	known := make(map[string]string)
	for _, line := range strings.Split(overview, "\n") {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "  "), " "); ok && strings.HasPrefix(line, "  ") && name != "narthex" {
			known[name], _ = command(t, "", "help", name)
		}
	}
	if len(known) < 9 {
		t.Fatalf("narthex help lists %d commands", len(known))
	}
	seen := 0
	for page, text := range pages(t) {
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			manual, ok := known[m[1]]
			prose := !strings.HasPrefix(m[0], "`") && !strings.HasPrefix(m[0], "    ")
			switch {
			case m[1] == "help" || !ok && prose: // a sentence that begins with the name
				continue
			case !ok:
				t.Errorf("%s: narthex has no command %q", page, m[1])
				continue
			}
			seen++
			for _, f := range flagWord.FindAllStringSubmatch(m[2], -1) {
				if !strings.Contains(manual, f[1]) {
					t.Errorf("%s: narthex help %s does not tell of %s", page, m[1], f[1])
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d commands were found in the documentation: the test looks past them", seen)
	}
}

// Targets of make, and environment variables, in the documentation are there.
func TestDocumentedNames(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var source bytes.Buffer
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".ts"):
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages(t) {
		for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
			if !bytes.Contains(makefile, []byte("\n"+m[1]+":")) {
				t.Errorf("%s: make has no target %s", page, m[1])
			}
		}
		for _, name := range variable.FindAllString(text, -1) {
			if !bytes.Contains(source.Bytes(), []byte(name)) {
				t.Errorf("%s: nothing reads %s", page, name)
			}
		}
	}
}
