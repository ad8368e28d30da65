package test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// dist runs make dist's program in a directory, for the architectures.
func dist(in, out string, architectures ...string) error {
	cmd := exec.Command("go", append([]string{"run", "./internal/dist", "-o", out}, architectures...)...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false") // a copy has no commit
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make dist: %w\n%s", err, text)
	}
	return nil
}

// bundle is a directory with the zip files for this machine, made once.
var bundle = sync.OnceValues(func() (string, error) {
	dir, err := builds.Dir()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "dist")
	return out, dist("..", out, runtime.GOARCH)
})

// zipFile returns the zip file of a function.
func zipFile(t testing.TB, function string) string {
	t.Helper()
	dir, err := bundle()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, function+"-"+runtime.GOARCH+".zip")
}

// copySource copies the files that git knows of to a directory of another name.
func copySource(t testing.TB) string {
	t.Helper()
	root, to := "..", filepath.Join(t.TempDir(), "elsewhere")
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go", "go.mod", "go.sum", "cmd/bootstrap", "viewer", "lambda", "probe")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(list)) {
		name = strings.TrimSpace(name)
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// Two builds of one source, in two directories, are the same bytes. At full size
// that is tried for each processor. The test is not put off as others are, so that
// nobody changes the source between the two.
func TestDistIsReproducible(t *testing.T) {
	architectures := []string{runtime.GOARCH}
	here, err := bundle()
	if full() {
		architectures, here = []string{"arm64", "amd64"}, t.TempDir()
		err = dist("..", here, architectures...)
	}
	there := t.TempDir()
	if err == nil {
		err = dist(copySource(t), there, architectures...)
	}
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(here, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range architectures {
		name := "bootstrap-" + arch + ".zip"
		a, err := os.ReadFile(filepath.Join(here, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(there, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two builds differ, in %d and %d bytes", name, len(a), len(b))
		}
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(a), name); !strings.Contains(string(sums), want) {
			t.Errorf("SHA256SUMS has not %q", want)
		}
		z, err := zip.NewReader(bytes.NewReader(a), int64(len(a)))
		if err != nil {
			t.Fatal(err)
		}
		if f := z.File[0]; len(z.File) != 1 || f.Name != "bootstrap" || f.Mode() != 0o755 || f.Modified.Year() != 1980 {
			t.Errorf("%s has %d files, the first one is %s, %v, of %v", name, len(z.File), f.Name, f.Mode(), f.Modified)
		}
	}
}
