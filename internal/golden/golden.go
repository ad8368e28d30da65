// Package golden compares what a test got with a file that was checked in.
//
//	golden.Check(t, "testdata/page.md", page)
//
// UPDATE=1 go test ./... writes the files anew; what has changed is then
// for git diff to show and for a person to judge.
package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Check fails the test, with the difference, if got is not what the file holds.
func Check(t testing.TB, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		write(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (UPDATE=1 writes it)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (UPDATE=1 writes it anew): want -, got +\n%s", file, d)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
