package test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is the root of this module.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// dist runs make dist's program in a directory, for the architectures, and
// returns where it has written to.
func dist(t testing.TB, in string, architectures ...string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command("go", append([]string{"run", "./internal/dist", "-o", out}, architectures...)...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false") // a copy has no commit
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make dist: %v\n%s", err, text)
	}
	return out
}

// copySource copies the files that git knows of to a directory of another name.
func copySource(t testing.TB) string {
	t.Helper()
	root, to := repository(t), filepath.Join(t.TempDir(), "elsewhere")
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

// Two builds of one source, in two directories, are the same bytes.
func TestDistIsReproducible(t *testing.T) {
	here, there := dist(t, repository(t)), dist(t, copySource(t))
	sums, err := os.ReadFile(filepath.Join(here, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"arm64", "amd64"} {
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
