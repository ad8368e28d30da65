package test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// freePort returns an address of this machine that nothing listens on.
func freePort(t testing.TB) string {
	t.Helper()
	address, err := ports.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// ready waits until a server answers 200 at an address.
func ready(t testing.TB, name, url string) {
	t.Helper()
	eventually(t, name+" is ready", func() bool {
		resp, err := http.Get(url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// background runs a program until the test ends.
func background(t testing.TB, name string, args ...string) *os.Process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: apt-get install %s", name, filepath.Base(name))
	}
	cmd := exec.Command(path, args...)
	said := new(bytes.Buffer)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", name, said.Bytes()[max(0, said.Len()-4000):])
		}
	})
	return cmd.Process
}

// peer is a server of another project.
type peer struct {
	base    string // its address
	process *os.Process
}

// startPeer starts a server on a free port and returns once it answers 200 at the
// path ready. DIR in its configuration is a directory of its own.
func startPeer(t testing.TB, name, path, config string, args func(dir, file, addr string) []string) peer {
	t.Helper()
	dir, addr := t.TempDir(), freePort(t)
	file := filepath.Join(dir, "config.yml")
	writeFile(t, file, strings.ReplaceAll(config, "DIR", dir))
	p := peer{"http://" + addr, background(t, name, args(dir, file, addr)...)}
	ready(t, name, p.base+path)
	return p
}

// startPrometheus starts Debian's Prometheus as a receiver of remote write.
func startPrometheus(t testing.TB, config string, flags ...string) peer {
	t.Helper()
	return startPeer(t, "prometheus", "/-/ready", config, func(dir, file, addr string) []string {
		return append(prometheusArgs(dir, file, addr), flags...)
	})
}

func prometheusArgs(dir, file, addr string) []string {
	return []string{"--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", addr, "--web.enable-remote-write-receiver", "--log.level", "error"}
}

// npm is held while packages are installed: tests that run side by side want the
// same ones.
var npm sync.Mutex

// npmInstall installs what a directory's package-lock.json says, unless that has
// been done.
func npmInstall(t testing.TB, dir string) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Fatal("this test needs Node 20 or newer with npm: apt-get install nodejs npm")
	}
	npm.Lock()
	defer npm.Unlock()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil {
		return
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in %s: %v\n%s", dir, err, text)
	}
}
