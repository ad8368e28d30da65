package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"narthex/internal/golden"
)

// What is committed is a table, with an explanation where one is due.
func TestComparisons(t *testing.T) {
	table, err := readTable(comparisons)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range table.Comparisons {
		if c.Seconds <= 0 || c.About == "" {
			t.Errorf("%s: it says neither how long a run takes nor what is done", c.ID)
		}
		for _, a := range c.Aims {
			if len(c.Rows) > 0 && !slices.ContainsFunc(c.Rows, a.aimsAt) {
				t.Errorf("%s: the aim %q is about none of its rows", c.ID, a.Says)
			}
		}
	}
}

// A page of results is what the table makes of them.
func TestCommittedPage(t *testing.T) {
	table, err := readTable(comparisons)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../docs/benchmarks.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // there is none before the first run
		results, err := loadResults(file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile("../../docs/benchmarks.md")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), page(table, results)); diff != "" {
			t.Errorf("docs/benchmarks.md is not what comparisons.yaml makes of benchmarks.json; `go run ./test/bench -render` writes it:\n%s", diff)
		}
	}
}

func TestBadTables(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"unknown key":  {"comparisons: [{id: a, name: b}]", "field name not found"},
		"twice":        {"comparisons: [{id: a, title: A, command: {npm: x}, sides: [{side: s}]}, {id: a, title: A, command: {npm: x}, sides: [{side: s}]}]", `two "a"`},
		"no command":   {"comparisons: [{id: a, title: A, sides: [{side: s}]}]", "either a bench or a test"},
		"unknown peer": {"comparisons: [{id: a, title: A, command: {npm: x}, sides: [{side: s}], needs: [mtail]}]", "mtail is not among the peers"},
		"no bound":     {"comparisons: [{id: a, title: A, command: {npm: x}, sides: [{side: s}], aims: [{says: fast}]}]", "a least or a most"},
		"no such side": {"comparisons: [{id: a, title: A, command: {npm: x}, sides: [{side: s}], aims: [{says: fast, least: 1, against: t}]}]", "another side"},
	} {
		if _, err := readTable([]byte(x.text)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, x.want)
		}
	}
}

const printed = `goos: linux
BenchmarkPush/groups=1-2         	       1	      1829 gateway_pushes/s	        14.1 gateway_p99_ms	      6648 narthex_pushes/s	        43.0 ledger_B/series
BenchmarkPush/groups=10-2        	       1	       258 gateway_pushes/s
some words BenchmarkPush 1 2 x
PASS
`

func TestParse(t *testing.T) {
	sides := []Side{{Side: "narthex"}, {Side: "gateway"}}
	got, err := parse(printed, sides)
	if err != nil {
		t.Fatal(err)
	}
	trim(got)
	want := []Figure{
		{"groups=1", "pushes/s", "gateway", []float64{1829}},
		{"groups=1", "p99_ms", "gateway", []float64{14.1}},
		{"groups=1", "pushes/s", "narthex", []float64{6648}},
		{"groups=1", "B/series", "narthex", []float64{43}},
		{"groups=10", "pushes/s", "gateway", []float64{258}},
	}
	want[3].Unit = "ledger_B/series" // of no side: ours
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	got, err = parse("BenchmarkParse/gateway/series=30-16 200 67817 ns/op 34 allocs/op\nBenchmarkSeries 1 2 ns/op\n", sides)
	if err != nil {
		t.Fatal(err)
	}
	trim(got) // there are two: the names stay
	want = []Figure{{"Parse/series=30", "ns/op", "gateway", []float64{67817}}, {"Parse/series=30", "allocs/op", "gateway", []float64{34}}, {"Series", "ns/op", "narthex", []float64{2}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	got, err = parse("=== RUN   TestSparse/one\n=== ATTR  TestSparse/one gateway_samples 480\n=== ATTR  TestSparse/one why much\n    --- PASS: TestSparse/one (0.01s)\n", sides)
	if err != nil {
		t.Fatal(err)
	}
	trim(got)
	if diff := cmp.Diff([]Figure{{"one", "samples", "gateway", []float64{480}}}, got); diff != "" {
		t.Error(diff)
	}

	for _, bad := range []string{"BenchmarkX-2 1 12 ns/op 3\n", "BenchmarkX-2 1 twelve ns/op\n"} {
		if got, err := parse(bad, sides); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestParseScript(t *testing.T) {
	const figures = `[{"name":"list","unit":"ms","side":"vmui","values":[3,4]}]`
	want := []Figure{{"list", "ms", "vmui", []float64{3, 4}}}
	for _, x := range []struct{ out, file string }{{"some lines\n" + figures + "\n", ""}, {"some lines\n", figures}} {
		got, err := parseScript(x.out, []byte(x.file))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if _, err := parseScript("list  3 ms\n", nil); err == nil {
		t.Error("a line of words is taken for figures")
	}
}

func TestSpread(t *testing.T) {
	for _, x := range []struct {
		values []float64
		want   string
	}{
		{nil, "–"}, {[]float64{3}, "3"}, {[]float64{5, 1, 3}, "3 (1–5)"}, {[]float64{1, 2}, "1.50 (1–2)"},
		{[]float64{6648.4, 6100.2, 6900.1}, "6,648 (6,100–6,900)"}, {[]float64{1234567}, "1,234,567"}, {[]float64{-1234.5}, "-1,235"}, {[]float64{0.04812}, "0.048"},
		{[]float64{0.5}, "0.50"}, {[]float64{15.95, 16.23, 16.2}, "16.2 (15.9–16.2)"}, {[]float64{7, 7, 7}, "7"},
	} {
		if got := spreadOf(x.values).String(); got != x.want {
			t.Errorf("%v: %s, want %s", x.values, got, x.want)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, x := range []struct {
		unit         string
		ours, theirs []float64
		want         spread
	}{
		{"pushes/s", []float64{100, 200, 300}, []float64{50, 50, 300}, spread{1, 2, 4}},
		{"ms", []float64{2, 4}, []float64{4, 4}, spread{1, 1.5, 2}},
		{"ms", []float64{2, 4, 6}, []float64{8}, spread{2, 2, 2}},
		{"allocs/op", []float64{0}, []float64{0}, spread{1, 1, 1}},
		{"allocs/op", []float64{0}, []float64{5}, spread{math.Inf(1), math.Inf(1), math.Inf(1)}},
	} {
		got := ratio(Figure{Unit: x.unit, Values: x.ours}, Figure{Unit: x.unit, Values: x.theirs})
		if diff := cmp.Diff(x.want, got, cmp.AllowUnexported(spread{}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s %v %v: %s", x.unit, x.ours, x.theirs, diff)
		}
	}
}

const smallTable = `
about: Words before all.
peers:
  - {name: Pushgateway, program: gateway, install: apt-get install gateway}
  - {name: mtail, program: mtail, install: apt-get install mtail}
comparisons:
  - id: push
    title: Pushes, beside a gateway
    command: {packages: [./test], bench: ^BenchmarkPush$, benchtime: 1x}
    needs: [gateway]
    sides: [{side: narthex, title: narthex}, {side: gateway, title: Pushgateway}, {side: floor, title: floor}, {side: absent, title: absent}]
    about: 16 clients push.
    rows:
      - {figure: "groups=1 pushes/s", title: "1 group: pushes/s"}
      - {figure: "groups=1 p99_ms", title: "1 group: ms"}
      - {figure: "memory_B", title: "memory, B"}
    aims:
      - {says: not below Pushgateway, rows: ".*pushes/s", against: gateway, least: 1}
      - {says: 80% of the floor, rows: ".*pushes/s", against: floor, least: 0.8, missed: "The disk is not\nwhat is left."}
      - {says: at most 4 KB, rows: memory_B, most: 4000}
      - {says: of what is not measured, rows: nothing, most: 1}
    notes: Words below.
  - id: logs
    title: Logs
    command: {packages: [./test], bench: ^BenchmarkLogs$}
    needs: [mtail]
    sides: [{side: narthex, title: narthex}]
  - id: page
    title: The page
    command: {npm: bench}
    sides: [{side: narthex, title: narthex}, {side: vmui, title: vmui}]
  - id: fleet
    title: A fleet
    command: {packages: [./test], test: ^TestFleet$}
    long: true
    sides: [{side: narthex, title: narthex}]
`

func smallResults() []Result {
	machine := Machine{CPU: "AMD EPYC", Cores: 2, GiB: 7.7, Kernel: "Linux 6.1", Go: "go1.26.8", Sync: 0.7}
	base := Result{Commit: "0123456789ab", Date: "2026-11-29", Machine: machine, Busy: 0.01, Peers: map[string]string{"gateway": "1.5.1", "mtail": ""}}
	push, logs, web := base, base, base
	push.Comparison, logs.Comparison, web.Comparison = "push", "logs", "page"
	push.Figures = []Figure{
		{"groups=1", "pushes/s", "narthex", []float64{6648, 6100, 6900}}, {"groups=1", "pushes/s", "gateway", []float64{1829, 1800, 1900}}, {"groups=1", "pushes/s", "floor", []float64{11902, 11000, 12000}},
		{"groups=1", "p99_ms", "narthex", []float64{7, 7, 8}}, {"groups=1", "p99_ms", "gateway", []float64{14, 14, 14}},
		{"", "memory_B", "narthex", []float64{4700}},
	}
	logs.Problem = "it needs mtail, not found here"
	web.Figures = []Figure{{"list", "ms", "narthex", []float64{40, 42}}, {"list", "ms", "vmui", []float64{80, 85}}}
	web.Commit, web.Date, web.Machine.Cores = "ba9876543210 with changes", "2026-11-28", 4
	return []Result{push, logs, web}
}

// The page as a whole.
func TestPage(t *testing.T) {
	table, err := readTable([]byte(smallTable))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "page.md"), page(table, smallResults()))
	if got := page(table, nil); !strings.Contains(got, "Nothing has been measured yet.") {
		t.Errorf("a page of nothing:\n%s", got)
	}
}

// What is saved is loaded again, and a new result takes the place of the old one.
func TestResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	if got, err := loadResults(file); got != nil || err != nil {
		t.Errorf("a file that isn't there: %v, %v", got, err)
	}
	for _, all := range [][]Result{smallResults(), {}} {
		if err := saveResults(file, all); err != nil {
			t.Fatal(err)
		}
		got, err := loadResults(file)
		if diff := cmp.Diff(all, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if err := os.WriteFile(file, []byte("[{]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadResults(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken file: %v", err)
	}
	merged := merge(smallResults(), []Result{{Comparison: "logs", Commit: "new"}, {Comparison: "fleet"}})
	if len(merged) != 4 || merged[1].Commit != "new" || merged[0].Commit != "0123456789ab" {
		t.Errorf("merged: %v", merged)
	}
}

// Only what lies beyond the noise of both is a difference.
func TestCompare(t *testing.T) {
	old, new := smallResults()[:1], append(smallResults()[:1], Result{Comparison: "fleet"})
	new[0].Figures = []Figure{
		{"groups=1", "pushes/s", "narthex", []float64{8000, 8100, 8200}},    // better
		{"groups=1", "pushes/s", "gateway", []float64{1890, 1950, 2100}},    // the ranges meet
		{"groups=1", "pushes/s", "floor", []float64{12001, 12002, 12003}},   // apart, but near
		{"groups=1", "p99_ms", "gateway", []float64{20, 21, 22}},            // worse
		{"", "memory_B", "narthex", []float64{4900}},                        // one run each: near
		{"groups=7", "pushes/s", "narthex", []float64{8000, 8100, 8200, 1}}, // new
	}
	new[0].Machine.Cores = 4
	var b bytes.Buffer
	compare(&b, old, new)
	want := `push: on different machines: AMD EPYC, 2 cores, 7.70 GiB, Linux 6.1, go1.26.8, then AMD EPYC, 4 cores, 7.70 GiB, Linux 6.1, go1.26.8
push: narthex, groups=1 pushes/s: 6,648 (6,100–6,900), then 8,100 (8,000–8,200): +22%, better
push: gateway, groups=1 p99_ms: 14, then 21 (20–22): +50%, worse
fleet: only in the new one
2 of 5 figures differ beyond the noise of their runs
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// Comparisons are run in turn, and the whole again; one that fails does not keep
// the others from running, and says why.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	order := filepath.Join(dir, "order")
	script := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	h := &Harness{Root: dir, Dir: dir, Runs: 3, Out: io.Discard, built: map[string]string{
		"./x":   script("d", "echo '=== ATTR  TestD lines 7'\necho '--- FAIL: TestD'\nexit 1\n"),
		".":     script("a", "echo a >>"+order+"\necho BenchmarkA-2 1 $(wc -l <"+order+") narthex_lines\n"),
		"./.":   script("b", "echo b >>"+order+"\necho '=== ATTR  TestB lines '$(wc -l <"+order+")\n"),
		"./bad": script("c", "echo this is why >&2\nexit 1\n"),
	}}
	for _, p := range []string{"bad", "x"} {
		if err := os.Mkdir(filepath.Join(dir, p), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sides := []Side{{Side: "narthex"}}
	jobs := []*job{
		{runs: 3, Comparison: Comparison{ID: "a", Sides: sides, Command: Command{Packages: []string{"."}, Bench: "A"}}},
		{runs: 3, Comparison: Comparison{ID: "bad", Sides: sides, Command: Command{Packages: []string{"./bad"}, Bench: "A"}}},
		{runs: 2, Comparison: Comparison{ID: "b", Sides: sides, Command: Command{Packages: []string{"./."}, Test: "B"}}},
	}
	jobs = append(jobs, &job{runs: 2, Comparison: Comparison{ID: "d", Sides: sides, Command: Command{Packages: []string{"./x"}, Test: "D"}}})
	saved := 0
	if err := h.run(t.Context(), jobs, func() error { saved++; return nil }); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(order)
	if err != nil || string(got) != "a\nb\na\nb\na\n" || saved != 3 {
		t.Errorf("%v; the order is %q, and it was saved %d times", err, got, saved)
	}
	if diff := cmp.Diff([]Figure{{"", "lines", "narthex", []float64{1, 3, 5}}}, jobs[0].result.Figures); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Figure{{"", "lines", "narthex", []float64{2, 4}}}, jobs[2].result.Figures); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Figure{{"", "lines", "narthex", []float64{7}}}, jobs[3].result.Figures); diff != "" || !strings.Contains(jobs[3].result.Problem, "FAIL: TestD") {
		t.Errorf("the test that fails says %q\n%s", jobs[3].result.Problem, diff)
	}
	if p := jobs[1].result.Problem; !strings.Contains(p, "exit status 1") || !strings.Contains(p, "this is why") {
		t.Errorf("the one that fails says %q", p)
	}
}

// A peer that is not there is said to be missing, and so is what needs it.
func TestMissingPeers(t *testing.T) {
	table, err := readTable([]byte(smallTable))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	o, err := readFlags([]string{"-quick", "-only", "push|logs"})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	jobs := prepare(t.Context(), o, &said, table, ".")
	for _, want := range []string{"mtail was not found: apt-get install mtail\n", "push does not run: it needs gateway", "logs does not run: it needs mtail"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q, but:\n%s", want, &said)
		}
	}
	if len(jobs) != 2 || jobs[0].result.Problem == "" || jobs[0].result.Commit != "unknown" || !jobs[0].result.Quick {
		t.Errorf("%+v", jobs)
	}
}

// Whatever is printed, what is read of it are figures that can be stored.
func FuzzParse(f *testing.F) {
	f.Add(printed)
	f.Add("=== ATTR  TestSparse/one gateway_samples 480\n")
	f.Add("BenchmarkA/narthex-2 1 +Inf ns/op NaN x\n")
	f.Fuzz(func(t *testing.T, out string) {
		figures, err := parse(out, []Side{{Side: "narthex"}, {Side: "gateway"}})
		if err != nil {
			return
		}
		trim(figures)
		if err := saveResults(filepath.Join(t.TempDir(), "r.json"), []Result{{Figures: figures}}); err != nil {
			t.Errorf("%q: %v", out, err)
		}
	})
}
