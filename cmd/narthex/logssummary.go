package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/openmetrics"
)

// logsSummary is what a dry run tells.
type logsSummary struct {
	Files int `json:"files"`
	accesslog.Report
	Routes   []accesslog.RouteShare `json:"routes"`
	Metrics  []metricSummary        `json:"metrics"`
	Series   int                    `json:"series"` // each bucket counted
	Cost     logsPrice              `json:"cost"`
	Problems []logsProblem          `json:"problems,omitempty"`

	series  []narthex.Series
	latency *latency
}

type metricSummary struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Labels int    `json:"label_sets"`
	Series int    `json:"series"`
}

// take makes the summary of what was counted.
func (s *logsSummary) take(c *accesslog.Counts, labels narthex.Labels) {
	s.Report, s.Routes, s.series = c.Report, c.Routes(), c.Series()
	byName := make(map[string]*metricSummary)
	for i := range s.series {
		x := &s.series[i]
		for _, l := range labels {
			x.Labels = x.Labels.With(l.Name, l.Value)
		}
		name := x.Labels.Get(narthex.MetricName)
		m := byName[name]
		if m == nil {
			m = &metricSummary{Name: name, Type: x.Type.String()}
			byName[name] = m
		}
		n := seriesOf(x)
		m.Labels++
		m.Series += n
		s.Series += n
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s.Metrics = append(s.Metrics, *byName[name])
	}
	s.Cost = priceOf(s.Series)
	s.latency = latencyOf(s.series)
}

// seriesOf is how many series a store has of one: a classic histogram has one
// for each bucket, and the sum and the count.
func seriesOf(x *narthex.Series) int {
	if h := x.Samples[0].Histogram; h != nil && h.Schema == narthex.CustomBounds {
		return len(h.Bounds) + 3
	}
	return 1
}

func (s *logsSummary) json(w io.Writer) {
	text, _ := json.MarshalIndent(s, "", "  ") // plain data
	fmt.Fprintf(w, "%s\n", text)
}

// expose writes the counts as an exposition.
func (s *logsSummary) expose(w io.Writer) error {
	var families []openmetrics.Family
	at := make(map[string]int)
	for _, x := range s.series {
		name := x.Labels.Get(narthex.MetricName)
		i, known := at[name]
		if !known {
			i = len(families)
			at[name] = i
			families = append(families, openmetrics.Family{Name: name, Type: x.Type, Help: x.Help, Unit: x.Unit})
		}
		p := x.Samples[0]
		families[i].Metrics = append(families[i].Metrics, openmetrics.Metric{
			Labels: x.Labels.With(narthex.MetricName, ""), Value: p.Value, Histogram: p.Histogram,
		})
	}
	return openmetrics.WriteOpenMetrics(w, families)
}

// suggest writes the routes as a list to paste into a configuration.
func (s *logsSummary) suggest(w io.Writer) {
	fmt.Fprintln(w, "routes:")
	for _, r := range s.Routes {
		if r.Route == "other" {
			fmt.Fprintf(w, "  # %-46s %5.1f %% of %d requests\n", "what matches none of these:", 100*r.Share, s.Counted)
			continue
		}
		text, _ := json.Marshal(r.Route) // a YAML string as well
		fmt.Fprintf(w, "  - %-48s # %5.1f %%\n", text, 100*r.Share)
	}
}

// maxShown is how many routes and so on the table shows.
const maxShown = 20

// table writes the summary for people.
func (s *logsSummary) table(w io.Writer) {
	fmt.Fprintf(w, "%d lines of %s (%s): %d counted, %d rejected\n", s.Lines, plural(s.Files, "log"), cmp.Or(s.Format, "empty"), s.Counted, s.Rejected)
	if !s.First.IsZero() {
		fmt.Fprintf(w, "from %s to %s\n", s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "not counted: %s: %s\n", p.Name, p.Error)
	}
	s.rejections(w)
	s.notes(w)
	if len(s.Routes) > 0 {
		fmt.Fprintf(w, "\nroutes (%d)\n", len(s.Routes))
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for i, r := range s.Routes {
			if i == maxShown {
				fmt.Fprintf(t, "\t\t  and %d more: --suggest-routes lists them all\n", len(s.Routes)-i)
				break
			}
			fmt.Fprintf(t, "%d\t%.1f %%\t  %s\n", r.Requests, 100*r.Share, r.Route)
		}
		t.Flush()
	}
	if len(s.Metrics) > 0 {
		fmt.Fprintf(w, "\nmetrics (%d series)\n", s.Series)
		t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		for _, m := range s.Metrics {
			fmt.Fprintf(t, "  %s\t%s\t%d label sets\t%d series\n", m.Name, m.Type, m.Labels, m.Series)
		}
		t.Flush()
		s.Cost.write(w)
	}
	s.latency.write(w)
}

// rejections says why lines were rejected.
func (s *logsSummary) rejections(w io.Writer) {
	for _, why := range slices.Sorted(maps.Keys(s.Reasons)) {
		fmt.Fprintf(w, "  rejected %d: %s\n", s.Reasons[why], why)
	}
	for _, e := range s.Examples {
		text := strings.Map(printable, e.Text)
		if len(text) > 100 {
			text = strings.ToValidUTF8(text[:100], "") + "…"
		}
		fmt.Fprintf(w, "    line %d: %s\n", e.Line, text)
	}
}

// printable keeps a log's text from speaking to the terminal.
func printable(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}

// notes says what else is worth knowing of the logs.
func (s *logsSummary) notes(w io.Writer) {
	if len(s.Unknown) > 0 {
		fmt.Fprintf(w, "columns that are not known here, and do no harm: %s\n", strings.Join(slices.Sorted(maps.Keys(s.Unknown)), ", "))
	}
	if len(s.Missing) > 0 {
		fmt.Fprintf(w, "columns that the log does not have, so that labels or metrics are missing: %s\n", strings.Join(s.Missing, ", "))
	}
	for _, f := range s.Folded {
		what := cmp.Or(f.Label, "labels")
		if f.Metric != "" {
			what += " of " + f.Metric
		}
		fmt.Fprintf(w, "folded into %q: %s in %d lines", "other", what, f.Lines)
		if len(f.Top) > 0 {
			fmt.Fprintf(w, ", such as %s", strings.Map(printable, strings.Join(f.Top[:min(3, len(f.Top))], ", ")))
		}
		fmt.Fprintln(w)
	}
}
