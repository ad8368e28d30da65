package main

import (
	"fmt"
	"io"
	"math"
)

// compare prints what differs between two files of results by more than the runs
// of each do among themselves: no value of one lies within the range of the other,
// and the medians are 3% apart, 10% where there was but one run.
func compare(w io.Writer, old, new []Result) {
	shown, looked := 0, 0
	for _, r := range new {
		before, ok := of(old, r.Comparison)
		if !ok {
			fmt.Fprintf(w, "%s: only in the new one\n", r.Comparison)
			continue
		}
		if before.Machine.String() != r.Machine.String() {
			fmt.Fprintf(w, "%s: on different machines: %s, then %s\n", r.Comparison, before.Machine, r.Machine)
		}
		for _, f := range r.Figures {
			g, ok := before.get(f.key(), f.Side)
			if !ok {
				continue
			}
			looked++
			if line, differs := difference(g, f); differs {
				fmt.Fprintf(w, "%s: %s\n", r.Comparison, line)
				shown++
			}
		}
	}
	for _, r := range old {
		if _, ok := of(new, r.Comparison); !ok {
			fmt.Fprintf(w, "%s: only in the old one\n", r.Comparison)
		}
	}
	fmt.Fprintf(w, "%d of %d figures differ beyond the noise of their runs\n", shown, looked)
}

func difference(old, new Figure) (line string, differs bool) {
	a, b := spreadOf(old.Values), spreadOf(new.Values)
	enough := 0.03
	if len(old.Values) < 2 || len(new.Values) < 2 {
		enough = 0.10
	}
	change := b.median/a.median - 1
	apart := a.most < b.least || b.most < a.least
	if !apart || math.Abs(change) < enough {
		return "", false
	}
	what := "worse"
	if (change > 0) == moreIsBetter(new.Unit) {
		what = "better"
	}
	return fmt.Sprintf("%s, %s: %s, then %s: %+.0f%%, %s", new.Side, new.key(), a, b, 100*change, what), true
}
