package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
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

// Of several backends one is chosen on the page, which stays where it is; what is
// said of the lookback is what holds there.
func TestViewerBackends(t *testing.T) {
	short := startPrometheus(t, "", "--query.lookback-delta=1m").base
	usual := startPrometheus(t, "").base
	s := newServer(t, fmt.Sprintf("scrape_interval: 1s\nremote_write: [{url: %[1]s/api/v1/write, name: a}, {url: %[2]s/api/v1/write, name: b}]\nquery: [{name: short, url: %[1]s}, {name: usual, url: %[2]s}]\n", short, usual))
	browser(t, "e2e/backends.mjs", s.url(), screenshots(t))
}

// browse drives a browser through those steps of web/e2e that fit a pattern.
func browse(t *testing.T, page, only string) {
	t.Helper()
	t.Setenv("E2E_ONLY", only)
	browser(t, "e2e/run.mjs", page, screenshots(t))
}

// screenshots returns where a browser's pictures go.
func screenshots(t *testing.T) string {
	if out := os.Getenv("NARTHEX_SCREENSHOTS"); out != "" {
		return out
	}
	return t.TempDir()
}

// browseFor bounds a browser's run: one that waits for what never comes gives up
// before the tests' own time is over.
const browseFor = 4 * time.Minute

// browser runs a script of the viewer's, which drives Chromium.
func browser(t *testing.T, script string, args ...string) {
	t.Helper()
	npmInstall(t, "../web")
	ctx, cancel := context.WithTimeout(t.Context(), browseFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir = "../web"
	text, err := cmd.CombinedOutput()
	t.Logf("%s", text)
	if err != nil {
		t.Errorf("node %s: %v", script, err)
	}
}
