package test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"narthex/internal/golden"
)

var (
	helpLine = regexp.MustCompile(`(?m)^# HELP (narthex_[a-z0-9_]+) (.*)$`)
	typeLine = regexp.MustCompile(`(?m)^# TYPE (narthex_[a-z0-9_]+) ([a-z]+)$`)
)

// metricsReference compares docs/metrics.md with what a narthex exposes that does
// all that it can.
func metricsReference(t *testing.T, s *server) {
	resp, err := http.Get(s.url() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	types := make(map[string]string)
	for _, m := range typeLine.FindAllStringSubmatch(string(text), -1) {
		types[m[1]] = m[2]
	}
	var rows []string
	for _, m := range helpLine.FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", m[1], types[m[1]], m[2]))
	}
	slices.Sort(rows)
	if len(rows) < 40 {
		t.Fatalf("%d metrics were found", len(rows))
	}
	const page, begin = "../docs/metrics.md", "| metric | type | meaning |\n|---|---|---|\n"
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(have), begin)
	_, tail, _ := strings.Cut(rest, "\n\n")
	golden.Check(t, page, head+begin+strings.Join(rows, "")+"\n"+tail)
}
