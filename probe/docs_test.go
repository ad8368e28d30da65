package probe_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex/probe"
)

// TestDocumentedModules reads the modules that docs/probes.md shows.
func TestDocumentedModules(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "probes.md"))
	if err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return "a secret", true }
	n := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "modules:") {
			continue
		}
		n++
		modules, err := probe.ParseModules("probes.md", []byte(block), env)
		if err != nil {
			t.Errorf("%s\n%v", block, err)
			continue
		}
		if _, err := probe.New(probe.Options{Modules: modules, Features: everything()}); err != nil {
			t.Errorf("%s\n%v", block, err)
		}
	}
	if n == 0 {
		t.Error("docs/probes.md shows no modules")
	}
}
