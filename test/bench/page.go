package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// page writes the results out as Markdown.
func page(t *Table, all []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\n%s\n", strings.TrimSpace(t.About))
	main := usual(t, all)
	if slices.ContainsFunc(all, func(r Result) bool { return r.Quick }) {
		b.WriteString("\n**Some figures are of a quick run, which shows that everything runs and measures nothing.**\n")
	}
	b.WriteString(header(t, main))
	b.WriteString(summary(t, all))
	for _, c := range t.Comparisons {
		r, ok := of(all, c.ID)
		b.WriteString(section(c, r, ok, main))
	}
	return b.String()
}

// usual is a result of the commit and day that most are of, which stand above the
// page.
func usual(t *Table, all []Result) (most Result) {
	count := map[string]int{}
	for _, c := range t.Comparisons {
		r, ok := of(all, c.ID)
		if !ok || c.Long {
			continue
		}
		if count[r.Date+r.Commit]++; count[r.Date+r.Commit] > count[most.Date+most.Commit] {
			most = r
		}
	}
	return most
}

// header has what the figures depend on.
func header(t *Table, r Result) string {
	if r.Commit == "" {
		return "\nNothing has been measured yet.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nUnless a section says otherwise: commit %s, %s.\n\n| | |\n|---|---|\n", r.Commit, r.Date)
	line := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	m := r.Machine
	line("processor", fmt.Sprintf("%s, %d cores", m.CPU, m.Cores))
	if m.GiB > 0 {
		line("memory", number(m.GiB)+" GiB")
	}
	line("kernel", m.Kernel)
	line("Go", m.Go)
	line("one fsync", number(m.Sync)+" ms")
	if r.Busy >= 0 {
		line("processors that others used before the first run", number(r.Busy))
	}
	for _, p := range t.Peers {
		v, looked := r.Peers[p.id()]
		switch {
		case v != "":
			line(p.Name, v)
		case looked:
			line(p.Name, "not found: "+p.Install)
		}
	}
	return b.String()
}

// summary counts the aims, lists those that are missed, and says what did not run.
func summary(t *Table, all []Result) string {
	var missed, absent []string
	met, unknown := 0, 0
	for _, c := range t.Comparisons {
		r, ok := of(all, c.ID)
		if !ok || len(r.Figures) == 0 {
			absent = append(absent, link(c))
		}
		verdicts := judge(c, r)
		unknown += len(c.Aims) - len(verdicts)
		for _, v := range verdicts {
			if v.Met {
				met++
			} else {
				missed = append(missed, fmt.Sprintf("- %s: %s\n", link(c), v.Aim.Says))
			}
		}
	}
	s := fmt.Sprintf("\nAims: %d met, %d missed, %d not measured.", met, len(missed), unknown)
	if len(absent) > 0 {
		s += " What was not measured: " + strings.Join(absent, ", ") + "."
	}
	if len(missed) > 0 {
		s += " Missed, with the reasons below:\n\n" + strings.TrimSpace(strings.Join(missed, ""))
	}
	return s + "\n"
}

var notOfAnchors = regexp.MustCompile(`[^a-z0-9 -]`)

func link(c Comparison) string {
	anchor := strings.ReplaceAll(notOfAnchors.ReplaceAllString(strings.ToLower(c.Title), ""), " ", "-")
	return fmt.Sprintf("[%s](#%s)", c.Title, anchor)
}

func section(c Comparison, r Result, ok bool, main Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n    %s%s\n", c.Title, map[bool]string{true: "NARTHEX_ACCEPTANCE=1 "}[c.Long], c.Command)
	paragraph := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			b.WriteString("\n" + text + "\n")
		}
	}
	paragraph(c.About)
	if r.Problem != "" {
		what := map[bool]string{true: "Not measured", false: "The test failed"}[len(r.Figures) == 0]
		paragraph(what + ":\n\n    " + strings.ReplaceAll(r.Problem, "\n", "\n    "))
	}
	switch {
	case !ok:
		paragraph("Not measured yet.")
	case len(r.Figures) > 0:
		paragraph(circumstances(r, main))
		paragraph(absent(c, r))
		paragraph(tableOf(c, r))
		var lines []string
		for _, v := range judge(c, r) {
			lines = append(lines, v.String())
		}
		paragraph(strings.Join(lines, "\n"))
	}
	paragraph(c.Notes)
	return b.String()
}

// circumstances are those of a section, where they are not the page's.
func circumstances(r, main Result) string {
	var own []string
	if r.Commit != main.Commit {
		own = append(own, "commit "+r.Commit)
	}
	if r.Date != main.Date {
		own = append(own, r.Date)
	}
	if r.Machine.String() != main.Machine.String() {
		own = append(own, r.Machine.String())
	}
	if len(own) == 0 {
		return ""
	}
	return "Measured apart: " + strings.Join(own, ", ") + "."
}

// absent names the sides that a table should have and has not.
func absent(c Comparison, r Result) string {
	var names []string
	for _, s := range c.Sides {
		if !slices.Contains(r.sides(c), s) {
			names = append(names, s.Title)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Without figures of: " + strings.Join(names, ", ") + ", not found when this was measured."
}

// tableOf is a line for each row and a column for each side that has figures, or
// the other way round.
func tableOf(c Comparison, r Result) string {
	sides := r.sides(c)
	rows := r.rows(c)
	grid := [][]string{{""}}
	for _, s := range sides {
		grid[0] = append(grid[0], s.Title)
	}
	for _, row := range rows {
		if !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.key() == row.Figure }) {
			continue
		}
		line := []string{row.Title}
		for _, s := range sides {
			line = append(line, cell(c, r, row, s))
		}
		grid = append(grid, line)
	}
	if c.Down {
		grid = transposed(grid)
	}
	var b strings.Builder
	for i, line := range grid {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
	return b.String()
}

func transposed(grid [][]string) (turned [][]string) {
	for i := range grid[0] {
		var line []string
		for _, row := range grid {
			line = append(line, row[i])
		}
		turned = append(turned, line)
	}
	return turned
}

// cell is a side's figure, and for others than the first how many times better
// the first is.
func cell(c Comparison, r Result, row Row, s Side) string {
	f, ok := r.get(row.Figure, s.Side)
	if !ok {
		return ""
	}
	text := spreadOf(f.Values).String()
	if ours, ok := r.get(row.Figure, c.Sides[0].Side); ok && s != c.Sides[0] && !s.Plain {
		text += " · " + number(ratio(ours, f).median) + "×"
	}
	return text
}
