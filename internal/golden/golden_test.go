package golden_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex/internal/golden"
)

// said is a test that notes what it is told instead of failing.
type said struct {
	testing.TB
	text string
}

func (s *said) Helper() {}

func (s *said) Errorf(format string, args ...any) { s.text += fmt.Sprintf(format, args...) }

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "file")
	t.Setenv("UPDATE", "1")
	golden.Check(t, file, "one\n")
	t.Setenv("UPDATE", "")
	golden.Check(t, file, "one\n")
	s := new(said)
	golden.Check(s, file, "two\n")
	if !strings.Contains(s.text, file) || !strings.Contains(s.text, "one") || !strings.Contains(s.text, "two") {
		t.Errorf("of a difference it says %q", s.text)
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != "one\n" {
		t.Errorf("the file became %q, %v", kept, err)
	}
}
