package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed comparisons.yaml
var comparisons []byte

// A Table says what is measured, beside what, and what is aimed at.
type Table struct {
	About       string       `yaml:"about"` // the page's first words, Markdown as all texts here
	Peers       []Peer       `yaml:"peers"`
	Comparisons []Comparison `yaml:"comparisons"`
}

// A Comparison is a section of the page.
type Comparison struct {
	ID      string   `yaml:"id"`
	Title   string   `yaml:"title"`
	Command Command  `yaml:"command"`
	Long    bool     `yaml:"long"`    // measured with -long only
	Runs    int      `yaml:"runs"`    // how often, if not as often as the rest: 1 for what does not vary
	Seconds float64  `yaml:"seconds"` // what a run takes, about
	Needs   []string `yaml:"needs"`   // peers without which nothing is measured
	Sides   []Side   `yaml:"sides"`   // who is measured; the first is narthex
	Down    bool     `yaml:"down"`    // the sides are the lines of the table, and the rows its columns
	About   string   `yaml:"about"`
	Rows    []Row    `yaml:"rows"` // of the table; none means all figures that there are
	Aims    []Aim    `yaml:"aims"`
	Notes   string   `yaml:"notes"` // below the table
}

// A Command is how a comparison is measured: benchmarks or tests of packages, or
// npm's script.
type Command struct {
	Packages  []string `yaml:"packages"`
	Bench     string   `yaml:"bench"`
	Benchtime string   `yaml:"benchtime"`
	Test      string   `yaml:"test"` // of tests that say figures as attributes
	Npm       string   `yaml:"npm"`  // the script; it runs in web
}

// A Side is one of those that are compared.
type Side struct {
	Side  string `yaml:"side"` // as the figures have it
	Title string `yaml:"title"`
	Plain bool   `yaml:"plain"` // no rival: without a ratio
}

// A Row is a line of the page's table.
type Row struct {
	Figure string `yaml:"figure"` // name and unit, with a blank between
	Title  string `yaml:"title"`
}

// An Aim is what the figures of a side should be. All rows whose figure matches
// have to reach it. With Against it is a ratio, which is above 1 where narthex is
// better.
type Aim struct {
	Says    string   `yaml:"says"`
	Rows    string   `yaml:"rows"` // a regular expression of the whole figure; none means all
	Side    string   `yaml:"side"` // the first, if it says none
	Against string   `yaml:"against"`
	Least   *float64 `yaml:"least"`
	Most    *float64 `yaml:"most"`
	Missed  string   `yaml:"missed"` // why, for when it is
}

// readTable reads and checks the table.
func readTable(text []byte) (*Table, error) {
	var t Table
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("comparisons.yaml: %w", err)
	}
	var errs []error
	seen := map[string]bool{}
	for i := range t.Comparisons {
		c := &t.Comparisons[i]
		if seen[c.ID] {
			errs = append(errs, fmt.Errorf("comparisons.yaml: there are two %q", c.ID))
		}
		seen[c.ID] = true
		if err := t.check(c); err != nil {
			errs = append(errs, fmt.Errorf("comparisons.yaml: %s: %w", c.ID, err))
		}
	}
	return &t, errors.Join(errs...)
}

func (t *Table) check(c *Comparison) error {
	if c.ID == "" || c.Title == "" || len(c.Sides) == 0 {
		return errors.New("it needs an id, a title and sides")
	}
	ways := 0
	for _, way := range []string{c.Command.Bench, c.Command.Test, c.Command.Npm} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 || c.Command.Npm == "" && len(c.Command.Packages) == 0 {
		return errors.New("its command is either a bench or a test of packages, or an npm script")
	}
	for _, id := range c.Needs {
		if !slices.ContainsFunc(t.Peers, func(p Peer) bool { return p.id() == id }) {
			return fmt.Errorf("%s is not among the peers", id)
		}
	}
	for _, a := range c.Aims {
		if err := c.checkAim(a); err != nil {
			return fmt.Errorf("aim %q: %w", a.Says, err)
		}
	}
	return nil
}

func (c *Comparison) checkAim(a Aim) error {
	if (a.Least == nil) == (a.Most == nil) {
		return errors.New("it needs a least or a most")
	}
	if a.Against != "" && (c.side(a.Against) <= 0 || a.Least == nil) {
		return errors.New("against names another side than the first, with the least ratio")
	}
	if a.Side != "" && (c.side(a.Side) < 0 || a.Against != "") {
		return errors.New("side names one of the sides, whose ratio to another there is not")
	}
	_, err := regexp.Compile(a.Rows)
	return err
}

// side returns the place of a side, or -1.
func (c *Comparison) side(name string) int {
	return slices.IndexFunc(c.Sides, func(s Side) bool { return s.Side == name })
}

// aimsAt reports whether an aim is about a row.
func (a Aim) aimsAt(r Row) bool {
	ok, _ := regexp.MatchString("^(?:"+a.Rows+")$", r.Figure) // readTable compiled it
	return ok || a.Rows == ""
}

// String is the command as one types it.
func (c Command) String() string {
	switch {
	case c.Npm != "":
		return "cd web && npm run " + c.Npm
	case c.Test != "":
		return fmt.Sprintf("go test -count=1 -v -run '%s' %s", c.Test, strings.Join(c.Packages, " "))
	}
	s := fmt.Sprintf("go test -run '^$' -bench '%s'", c.Bench)
	if c.Benchtime != "" {
		s += " -benchtime " + c.Benchtime
	}
	return s + " " + strings.Join(c.Packages, " ")
}
