package main

import (
	"fmt"
	"io"
	"strings"
)

// text writes the report for people.
func (r *report) text(w io.Writer) error {
	var b strings.Builder
	verdict := "It stood the load."
	if !r.Passed {
		verdict = "It did NOT stand the load."
	}
	fmt.Fprintf(&b, "# Load\n\n%s\n\nBegun %s, %s, %d cores that the clients share, `%s`. The most is %.0f requests a second.\n\n",
		verdict, r.Begun.Format("2006-01-02 15:04"), r.Go, r.Cores, r.Options, r.Most)
	b.WriteString("| | bound | seen | |\n|---|---|---|---|\n")
	for _, c := range r.Verdict {
		mark := "yes"
		switch {
		case !c.Passed && c.Judged:
			mark = "**NO**"
		case !c.Passed:
			mark = "no, which is not judged here"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.What, c.Want, c.Got, mark)
	}
	b.WriteString("\nRequests a second, milliseconds, MiB; the middle of each minute's samples.\n\n" +
		"| phase | minute | offered | answered | 429 | p50 | p99 | queries p99 | resident | anonymous | heap | goroutines | descriptors | tick after its time | fsync | store | ids | head chunks |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, list := range r.minutes() {
		m := func(of func(sample) float64) float64 { return median(list, of) }
		const mib = 1 << 20
		fmt.Fprintf(&b, "| %s | %d | %.0f | %.0f | %.0f | %.1f | %.1f | %.1f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.1f | %.0f | %.0f | %.0f |\n", list[0].Phase, int(list[0].Seconds/60),
			m(func(x sample) float64 { return x.Offered }), m(func(x sample) float64 { return x.Answered }), m(func(x sample) float64 { return x.Busy }),
			m(func(x sample) float64 { return x.P50 }), m(func(x sample) float64 { return x.P99 }), m(func(x sample) float64 { return x.QueryP99 }),
			m(func(x sample) float64 { return x.Resident })/mib, m(func(x sample) float64 { return x.Anonymous })/mib, m(func(x sample) float64 { return x.Heap })/mib,
			m(func(x sample) float64 { return x.Goroutines }), m(func(x sample) float64 { return x.FDs }),
			m(func(x sample) float64 { return x.TickLag }), m(func(x sample) float64 { return x.Fsync }),
			m(func(x sample) float64 { return x.Store })/mib, m(func(x sample) float64 { return x.IDs }), m(func(x sample) float64 { return x.Chunks }))
	}
	b.WriteString("\n")
	for _, p := range r.Phases {
		fmt.Fprintf(&b, "- %s: %d sent (%d more were due), answered %v, %d with 429\n", p.Name, p.Offered, p.Unsent, p.Kinds, p.Busy)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// minutes returns the samples of each minute of each phase.
func (r *report) minutes() (out [][]sample) {
	for i, x := range r.Samples {
		if i == 0 || x.Phase != r.Samples[i-1].Phase || int(x.Seconds/60) != int(r.Samples[i-1].Seconds/60) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], x)
	}
	return out
}
