package viewer_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"narthex/viewer"
)

// The committed build must keep to what the policy allows and must work below
// any path, whoever built it.
func TestEmbeddedBuild(t *testing.T) {
	h := http.StripPrefix("/below", viewer.Handler(viewer.Options{}))
	page := string(body(t, get(t, h, "GET", "/below/")))
	refs := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	files := 0
	for _, ref := range refs {
		switch path := ref[1]; {
		case strings.HasPrefix(path, "data:image/"), path == "api/v1/label/__name__/values":
		case strings.HasPrefix(path, "./assets/"):
			files++
			r := get(t, h, "GET", "/below/"+strings.TrimPrefix(path, "./"))
			if r.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", path, r.StatusCode)
			}
			if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/octet-stream") {
				t.Errorf("%s: Content-Type %q", path, kind)
			}
			if b := string(body(t, r)); strings.Contains(b, "sourceMappingURL") {
				t.Errorf("%s names a source map", path)
			}
		default:
			t.Errorf("the page names %q, which is not relative to it", path)
		}
	}
	if files < 2 {
		t.Errorf("the page names %d of its files, want a script and a style at least:\n%s", files, page)
	}
	if inline := regexp.MustCompile(`<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=`).FindString(page); inline != "" {
		t.Errorf("the page has %q in line, which the policy forbids", inline)
	}
}
