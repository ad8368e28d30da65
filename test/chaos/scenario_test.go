//go:build linux

package chaos

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A scenario is one of scenarios.yaml.
type scenario struct {
	Called    string         `yaml:"name"`
	World     string         // what is driven, see worlds
	Fault     string         // what happens, in a sentence
	Invariant string         // what has to hold, in a sentence
	Config    string         // narthex.yml
	Set       parameters     // how much of it
	Steps     map[string]int // how often each is drawn
	Seeds     []regression   // that once broke the invariant, or are worth keeping
}

// regression is a run that is made each time.
type regression struct {
	Seed  uint64
	Steps int
	Why   string
}

// parameters have a default each.
type parameters struct {
	Senders    int      // that push at the same time
	Series     int      // of each kind
	Native     bool     // native histograms, too
	Own        bool     // samples with times of their own, too
	NoGauges   bool     `yaml:"no_gauges"` // where clocks decide which is the last
	Faults     []string // of the hops
	Window     string   // of PromQL, that holds the whole run
	Goroutines int      // most
	Files      int      // most
	Megabytes  int      // most, resident
}

// window is that of PromQL, unless a scenario sets another: longer than any run.
const window = "3h"

// scenarios reads the file strictly.
func scenarios(t testing.TB) []scenario {
	t.Helper()
	text, err := os.ReadFile("scenarios.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var file struct{ Scenarios []scenario }
	if err := d.Decode(&file); err != nil {
		t.Fatalf("scenarios.yaml: %v", err)
	}
	for i := range file.Scenarios {
		p := &file.Scenarios[i].Set
		p.Senders, p.Series, p.Window = cmp.Or(p.Senders, 8), cmp.Or(p.Series, 12), cmp.Or(p.Window, window)
		p.Goroutines, p.Files, p.Megabytes = cmp.Or(p.Goroutines, 400), cmp.Or(p.Files, 400), cmp.Or(p.Megabytes, 400)
	}
	return file.Scenarios
}

// TestScenarios: the file is what people read first, so it says all there is.
func TestScenarios(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range scenarios(t) {
		if s.Called == "" || seen[s.Called] || !strings.HasSuffix(s.Fault, ".") || !strings.HasSuffix(s.Invariant, ".") {
			t.Errorf("scenario %q wants a name of its own, and a sentence each for its fault and its invariant", s.Called)
		}
		seen[s.Called] = true
		if s.Steps["push"] == 0 || s.Steps["check"] == 0 {
			t.Errorf("scenario %s proves nothing without push and check", s.Called)
		}
		if len(s.Seeds) == 0 {
			t.Errorf("scenario %s has no seed for the short run", s.Called)
		}
	}
}

// TestDocumentation: the table in docs/chaos.md is the file's.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/chaos.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| scenario | what happens | what has to hold |\n|---|---|---|\n")
	for _, s := range scenarios(t) {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.Called, strings.TrimSpace(s.Fault), strings.TrimSpace(s.Invariant))
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/chaos.md lacks the table of scenarios.yaml: put this in\n%s", table.String())
	}
}

// draw returns the next step, by its share.
func (s scenario) draw(r *rand.Rand) string {
	names := make([]string, 0, len(s.Steps))
	total := 0
	for name, share := range s.Steps {
		names, total = append(names, name), total+share
	}
	slices.Sort(names)
	x := r.IntN(total)
	for _, name := range names {
		if x -= s.Steps[name]; x < 0 {
			return name
		}
	}
	panic("the shares do not add up")
}
