package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Figure is what was measured of one side: a value for each run.
type Figure struct {
	Name   string    `json:"name"` // of what, in what circumstances
	Unit   string    `json:"unit"`
	Side   string    `json:"side"`
	Values []float64 `json:"values"`
}

// key is what a row of the table calls a figure.
func (f Figure) key() string { return strings.TrimSpace(f.Name + " " + f.Unit) }

// moreIsBetter reports whether a unit is a rate. Everything else is a cost.
func moreIsBetter(unit string) bool { return strings.HasSuffix(unit, "/s") }

var (
	// The number behind the last dash is GOMAXPROCS.
	benchmarkLine = regexp.MustCompile(`^\s*Benchmark(\S*?)(?:-\d+)?\s+\d+\s+(.+)$`)
	attributeLine = regexp.MustCompile(`^\s*=== ATTR\s+Test(\S+) (\S+) (\S+)$`)
)

// parse reads the figures out of what go test printed: the metrics of benchmarks,
// and the attributes of tests whose values are numbers. The side is the first
// thing in a unit (narthex_pushes/s), or a part of the benchmark's name; a figure
// without one is of the first side. What is left of the name is the figure's,
// without the part that is the same for all.
//
// Source: https://go.dev/design/14313-benchmark-format, and "go doc testing.T.Attr".
func parse(out string, sides []Side) ([]Figure, error) {
	var figures []Figure
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if m := attributeLine.FindStringSubmatch(line); m != nil {
			if v, err := strconv.ParseFloat(m[3], 64); err == nil && finite(v) {
				figures = append(figures, figure(m[1], m[2], v, sides))
			}
			continue
		}
		m := benchmarkLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		pairs := strings.Fields(m[2])
		if len(pairs)%2 != 0 {
			return nil, fmt.Errorf("the line %q is no benchmark's: a value without a unit", line)
		}
		for i := 0; i < len(pairs); i += 2 {
			v, err := strconv.ParseFloat(pairs[i], 64)
			if err != nil {
				return nil, fmt.Errorf("the line %q is no benchmark's: %w", line, err)
			}
			if finite(v) { // a rate of what took no time is none
				figures = append(figures, figure(m[1], pairs[i+1], v, sides))
			}
		}
	}
	return figures, nil
}

func finite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }

func figure(name, unit string, value float64, sides []Side) Figure {
	f := Figure{Unit: unit, Side: sides[0].Side, Values: []float64{value}}
	parts := strings.Split(name, "/")
	for _, s := range sides {
		if rest, ok := strings.CutPrefix(unit, s.Side+"_"); ok && len(rest) < len(f.Unit) { // naive, and naive_routes
			f.Unit, f.Side = rest, s.Side
		}
		if i := slices.Index(parts, s.Side); i > 0 {
			f.Side = s.Side
			parts = slices.Delete(parts, i, i+1)
		}
	}
	f.Name = strings.Join(parts, "/")
	return f
}

// trim takes the name of the benchmark off, if there is but one.
func trim(figures []Figure) {
	for _, f := range figures {
		if first(f.Name) != first(figures[0].Name) {
			return
		}
	}
	for i := range figures {
		_, figures[i].Name, _ = strings.Cut(figures[i].Name, "/")
	}
}

func first(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

// parseScript reads what an npm script printed: one JSON array of figures, which
// is the last line, or stands in a file of its own.
func parseScript(out string, file []byte) ([]Figure, error) {
	text := file
	if len(text) == 0 {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		text = []byte(lines[len(lines)-1])
	}
	var figures []Figure
	if err := json.Unmarshal(text, &figures); err != nil {
		return nil, fmt.Errorf("the script's figures are no JSON array of name, unit, side and values: %w", err)
	}
	return figures, nil
}

// join adds the values of another run.
func join(all, more []Figure) []Figure {
	for _, f := range more {
		i := slices.IndexFunc(all, func(g Figure) bool { return g.key() == f.key() && g.Side == f.Side })
		if i < 0 {
			all = append(all, f)
			continue
		}
		all[i].Values = append(all[i].Values, f.Values...)
	}
	return all
}
