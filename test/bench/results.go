package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// A Result is what a comparison gave, and where and when.
type Result struct {
	Comparison string            `json:"comparison"`
	Commit     string            `json:"commit"`
	Date       string            `json:"date"`
	Machine    Machine           `json:"machine"`
	Busy       float64           `json:"busy"` // how many processors others used before the first run
	Peers      map[string]string `json:"peers"`
	Quick      bool              `json:"quick,omitempty"`
	Problem    string            `json:"problem,omitempty"` // why there are no figures
	Figures    []Figure          `json:"-"`                 // a line each, see saveResults
}

// loadResults reads a file of results, one that isn't there as none.
func loadResults(file string) ([]Result, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var stored []struct {
		Result
		Figures []Figure `json:"figures"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var all []Result
	for _, s := range stored {
		s.Result.Figures = s.Figures
		all = append(all, s.Result)
	}
	return all, nil
}

// saveResults writes them in a way that differences of two commits are legible:
// a figure is a line.
func saveResults(file string, all []Result) error {
	var b bytes.Buffer
	for i, r := range all {
		head, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s%s,\"figures\":[", [2]string{",\n", "[\n"}[btoi(i == 0)], bytes.TrimSuffix(head, []byte("}")))
		for j, f := range r.Figures {
			line, err := json.Marshal(f)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s\n  %s", [2]string{",", ""}[btoi(j == 0)], line)
		}
		b.WriteString("]}")
	}
	if len(all) == 0 {
		b.WriteString("[")
	}
	b.WriteString("\n]\n")
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

// merge puts results in the place of older ones of the same comparison.
func merge(old, new []Result) []Result {
	all := slices.Clone(old)
	for _, r := range new {
		if i := slices.IndexFunc(all, func(o Result) bool { return o.Comparison == r.Comparison }); i >= 0 {
			all[i] = r
		} else {
			all = append(all, r)
		}
	}
	return all
}

// of returns the result of a comparison.
func of(all []Result, id string) (Result, bool) {
	i := slices.IndexFunc(all, func(r Result) bool { return r.Comparison == id })
	if i < 0 {
		return Result{}, false
	}
	return all[i], true
}

// get returns a side's figure of a row.
func (r Result) get(key, side string) (Figure, bool) {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.key() == key && f.Side == side })
	if i < 0 {
		return Figure{}, false
	}
	return r.Figures[i], true
}

// rows returns the rows of the comparison's table: its own, or all that there are.
func (r Result) rows(c Comparison) []Row {
	if len(c.Rows) > 0 {
		return c.Rows
	}
	var rows []Row
	for _, f := range r.Figures {
		row := Row{Figure: f.key(), Title: f.Name + ", " + f.Unit}
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	return rows
}

// sides returns the sides that have figures: the comparison's in its order, then
// others.
func (r Result) sides(c Comparison) []Side {
	has := func(s Side) bool {
		return slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Side == s.Side })
	}
	sides := slices.DeleteFunc(slices.Clone(c.Sides), func(s Side) bool { return !has(s) })
	for _, f := range r.Figures {
		if !slices.ContainsFunc(sides, func(s Side) bool { return s.Side == f.Side }) {
			sides = append(sides, Side{Side: f.Side, Title: f.Side})
		}
	}
	return sides
}
