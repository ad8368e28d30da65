package test

import (
	"os"
	"strings"
	"testing"
)

// The reference of the settings is the program's own.
func TestConfigurationReference(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := command(t, "", "check", "--reference"); !strings.HasSuffix(string(page), out) {
		t.Error("docs/configuration.md does not end with what narthex check --reference prints: put that in")
	}
}
