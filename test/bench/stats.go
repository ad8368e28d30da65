package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A spread is what a figure's runs gave.
type spread struct{ least, median, most float64 }

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	median := v[len(v)/2]
	if len(v)%2 == 0 {
		median = (v[len(v)/2-1] + median) / 2
	}
	return spread{v[0], median, v[len(v)-1]}
}

// ratio says how many times better ours is than theirs, run by run where both
// have as many.
func ratio(ours, theirs Figure) spread {
	a, b := ours.Values, theirs.Values
	if len(a) != len(b) {
		a, b = []float64{spreadOf(a).median}, []float64{spreadOf(b).median}
	}
	var all []float64
	for i := range a {
		switch {
		case a[i] == b[i]:
			all = append(all, 1)
		case moreIsBetter(ours.Unit):
			all = append(all, a[i]/b[i])
		default:
			all = append(all, b[i]/a[i])
		}
	}
	return spreadOf(all)
}

// String is the median, and the range behind it if there is one.
func (s spread) String() string {
	return number(s.median) + s.behind()
}

// times is a ratio as text.
func (s spread) times() string { return number(s.median) + "×" + s.behind() }

func (s spread) behind() string {
	least, most := number(s.least), number(s.most)
	if least == most {
		return ""
	}
	return fmt.Sprintf(" (%s–%s)", least, most)
}

// number writes three figures that count, or all of a larger one.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 100 || v == math.Trunc(v):
		return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func thousands(digits string) string {
	sign := ""
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		sign, digits = "-", rest
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
