package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"narthex/config"
)

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, file := range append(files, "testdata/full.yml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\nhosts: *a"))
	f.Add([]byte("<<: {listen: ':1'}"))
	f.Add([]byte("push: {rules: [{match: {a: '['}, as: x}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("x.yml", data, nil)
		if err != nil {
			if c != nil || !strings.HasPrefix(err.Error(), "x.yml:") {
				t.Fatalf("got %v, %v", c, err)
			}
			return
		}
		l := c.Ledger
		if l.Heartbeat > l.Idle || l.Settle > l.Idle || l.Idle >= l.Forget || c.ScrapeInterval > l.Heartbeat || c.Limits.Body <= 0 {
			t.Fatalf("took %+v", c)
		}
		var b strings.Builder
		if err := c.Explain(&b); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rules() {
			if len(r.Match) == 0 || r.String() == "" {
				t.Fatalf("took the rule %v", r)
			}
		}
	})
}
