package shape_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// private matches what one person's machine leaves behind: the home of root,
// or of a user, at the start of a path.
var private = regexp.MustCompile("(?m)(?:^|[\\s\"'`(=:,])(/(?:root|work|home/[a-z]+|Users/[A-Za-z]+)/[^\\s\"'`)]*)")

// largest is the size up to which a file is taken for text that someone wrote.
const largest = 1 << 20

func TestNoPrivatePaths(t *testing.T) {
	dir := root(t)
	err := walk(dir, func(rel string) error {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rel)))
		if err != nil {
			return err
		}
		if len(text) > largest || bytes.IndexByte(text, 0) >= 0 {
			return nil
		}
		for _, m := range private.FindAllSubmatchIndex(text, -1) {
			line := 1 + bytes.Count(text[:m[2]], []byte("\n"))
			t.Errorf("%s:%d: %s is a path on somebody's machine", rel, line, text[m[2]:m[3]])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
