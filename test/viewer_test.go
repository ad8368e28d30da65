package test

import (
	"os"
	"os/exec"
	"testing"
)

// A browser sees on the page what was pushed: web/e2e drives Chromium over the
// real program. NARTHEX_SCREENSHOTS names a directory to keep the pictures in.
func TestViewer(t *testing.T) {
	browse(t, newServer(t, "scrape_interval: 1s\n").url(), "")
}

// The same page below a path, over another Prometheus behind the proxy: what the
// lens says rests on standard queries alone.
func TestViewerElsewhere(t *testing.T) {
	other := startPrometheus(t, "", "--enable-feature=native-histograms").base
	s := newServer(t, "scrape_interval: 1s\nremote_write: [{url: "+other+"/api/v1/write}]\nquery: [{name: other, url: "+other+"}]\n")
	browse(t, s.url()+"/backends/other/", "^(an empty store|push the rest|histograms:|three updates|markup)")
}

// Where names may be anything, they are text on every screen: as labels in
// Prometheus's own page they once were not.
func TestViewerNames(t *testing.T) {
	browse(t, newServer(t, "scrape_interval: 1s\nutf8_names: true\n").url(), "names that would be markup")
}

// browse drives a browser through those steps of web/e2e that fit a pattern.
func browse(t *testing.T, page, only string) {
	t.Helper()
	npmInstall(t, "../web")
	out := os.Getenv("NARTHEX_SCREENSHOTS")
	if out == "" {
		out = t.TempDir()
	}
	cmd := exec.CommandContext(t.Context(), "node", "e2e/run.mjs", page, out)
	cmd.Dir = "../web"
	cmd.Env = append(os.Environ(), "E2E_ONLY="+only)
	text, err := cmd.CombinedOutput()
	t.Logf("%s", text)
	if err != nil {
		t.Errorf("node e2e/run.mjs: %v", err)
	}
}
