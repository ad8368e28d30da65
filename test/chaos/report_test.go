//go:build linux

package chaos

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// report is what the runs of all scenarios came to.
type report struct {
	mu   sync.Mutex
	rows map[string]*row
}

// row is one scenario's.
type row struct {
	runs, steps, tries, broken int
	counts                     map[string]int
}

// add adds a run that is over.
func (p *report) add(r *run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rows == nil {
		p.rows = make(map[string]*row)
	}
	x := p.rows[r.Called]
	if x == nil {
		x = &row{counts: make(map[string]int)}
		p.rows[r.Called] = x
	}
	x.runs, x.tries = x.runs+1, x.tries+r.truth.tries
	if r.Failed() {
		x.broken++
	}
	for name := range r.Steps {
		x.counts[name] += r.counts[name]
		x.steps += r.counts[name]
	}
}

// table is the report for people: of each scenario how often each step but a push was
// drawn.
func (p *report) table(list []scenario) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	b.WriteString("| scenario | runs | broken | steps | pushes | requests | the other steps |\n|---|---|---|---|---|---|---|\n")
	total := new(row)
	for _, s := range list {
		x := p.rows[s.Called]
		if x == nil {
			continue
		}
		var others []string
		for _, name := range slices.Sorted(maps.Keys(x.counts)) {
			if name != "push" {
				others = append(others, fmt.Sprintf("%s %d", name, x.counts[name]))
			}
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %s |\n", s.Called, x.runs, x.broken, x.steps, x.counts["push"], x.tries, strings.Join(others, ", "))
		total.runs, total.broken, total.steps, total.tries = total.runs+x.runs, total.broken+x.broken, total.steps+x.steps, total.tries+x.tries
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d | | %d | |\n", total.runs, total.broken, total.steps, total.tries)
	return b.String()
}

// lastRun is where docs/chaos.md has the table of the last long run.
const lastRun, afterLastRun = "## The last long run\n", "\n## What was learned\n"

// write puts the table into the page.
func (p *report) write(t *testing.T, file, table string) {
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), lastRun)
	_, after, also := strings.Cut(rest, afterLastRun)
	if !ok || !also {
		t.Fatalf("%s lacks %q or, after it, %q", file, lastRun, afterLastRun)
	}
	commit, err := exec.Command("git", "describe", "--always", "--abbrev=12", "--dirty").Output()
	if err != nil {
		t.Fatalf("of which commit it is: %v", err)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("\n`make chaos STEPS=%d SEEDS=%d` of commit %s, %s, %s, %d cores, Linux %s:\n\n%s",
		given.steps, given.seeds, strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), strings.TrimSpace(string(kernel)), table)
	if err := os.WriteFile(file, []byte(before+lastRun+text+afterLastRun+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
