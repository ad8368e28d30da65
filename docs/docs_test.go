package docs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"narthex/docs"
)

var (
	address = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	anchor  = regexp.MustCompile(`id="([^"]*)"`)
)

// get returns a page's body.
func get(t *testing.T, h http.Handler, path string) (string, *http.Response) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), w.Result()
}

// Each page is there, and each of its links leads somewhere.
func TestPages(t *testing.T) {
	h := docs.Handler()
	sources, err := filepath.Glob("*.md")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	names := []string{""}
	for _, s := range sources {
		names = append(names, strings.TrimSuffix(s, ".md"))
	}
	for _, name := range names {
		body, r := get(t, h, "/"+name)
		if r.StatusCode != http.StatusOK || !strings.Contains(body, "<h1") {
			t.Errorf("/%s: %s without a heading", name, r.Status)
		}
		if csp := r.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || strings.Contains(body, "<script") || strings.Contains(body, "style=") {
			t.Errorf("/%s wants what its policy forbids", name)
		}
		for _, m := range address.FindAllStringSubmatch(body, -1) {
			to, err := url.Parse(m[1])
			if err != nil || to.IsAbs() || m[1] == "../" {
				continue
			}
			target := name
			if to.Path != "" {
				target = strings.TrimPrefix(to.Path, "./")
			}
			there, r := get(t, h, "/"+target)
			if r.StatusCode != http.StatusOK {
				t.Errorf("/%s links to %q, which is not there", name, m[1])
			}
			if to.Fragment != "" && !hasAnchor(there, to.Fragment) {
				t.Errorf("/%s links to %q: the page has no such heading", name, m[1])
			}
		}
	}
	if _, r := get(t, h, "/nothing"); r.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is not there: %s", r.Status)
	}
}

func hasAnchor(body, fragment string) bool {
	for _, m := range anchor.FindAllStringSubmatch(body, -1) {
		if m[1] == fragment {
			return true
		}
	}
	return false
}

var markdown = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links from the Markdown files to other files lead somewhere on GitHub too.
func TestLinks(t *testing.T) {
	sources, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(sources, "../README.md", "../CONTRIBUTING.md", "../SECURITY.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdown.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), to)); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}
