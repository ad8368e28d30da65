package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	code    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Links between the pages, and from them to files of the repository, lead somewhere,
// to the heading if they name one.
func TestDocumentedLinks(t *testing.T) {
	all := pages(t)
	for _, name := range []string{"../CHANGELOG.md", "../SECURITY.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	checked := 0
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			checked++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			there, err := os.ReadFile(target)
			if err != nil {
				if _, err := os.Stat(target); err != nil || anchor != "" {
					t.Errorf("%s: the link to %s leads nowhere", page, m[1])
				}
				continue
			}
			if anchor != "" && !anchors(string(there))[anchor] {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
		if filepath.Dir(page) == "../docs" && !strings.Contains(all["../README.md"], "docs/"+filepath.Base(page)) && !linked(all, filepath.Base(page)) {
			t.Errorf("no page links to %s", page)
		}
	}
	if checked < 100 {
		t.Errorf("%d links were found: the test looks past them", checked)
	}
}

// linked reports whether a page in docs links to another one there.
func linked(all map[string]string, name string) bool {
	for page, text := range all {
		if filepath.Base(page) != name && strings.Contains(text, "]("+name) {
			return true
		}
	}
	return false
}

// anchors are those that GitHub, and narthex's own rendering, give headings.
func anchors(text string) map[string]bool {
	out := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		out[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
	}
	return out
}
