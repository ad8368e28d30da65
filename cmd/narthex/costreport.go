package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"narthex/cost"
)

// write writes the bill for people.
func (r *costReport) write(w io.Writer) {
	free := "without the free tier"
	if r.FreeTier {
		free = "with the free tier"
	}
	fmt.Fprintf(w, "a month at the prices of %s of %s (%s), %s\n\n", r.Region, r.AsOf, r.Currency, free)
	r.lines(w)
	fmt.Fprintf(w, "\ntotal $%.4f\n", r.Total)
	names, costs := r.Bill.Components()
	for _, name := range names {
		if r.Total > 0 {
			fmt.Fprintf(w, "  %-20s $%.4f  %3.0f %%\n", name, costs[name], 100*costs[name]/r.Total)
		}
	}
	if len(r.Regions) > 1 {
		r.byRegion(w, names)
	}
	if len(r.Compare) > 0 {
		fmt.Fprintln(w, "\nthe same, otherwise")
		for _, v := range r.Compare {
			fmt.Fprintf(w, "  %-32s $%.2f\n", v.Name, v.Total)
		}
	}
	if len(r.Levers) > 0 {
		fmt.Fprintf(w, "\nthe largest lever: %s, which saves $%.4f\n", r.Levers[0].Change, r.Levers[0].Saves)
		for _, l := range r.Levers[1:] {
			fmt.Fprintf(w, "  then %s: $%.4f\n", l.Change, l.Saves)
		}
	}
	fmt.Fprintf(w, "\n%s\n", r.Note)
	if len(r.Elsewhere) > 0 {
		fmt.Fprintf(w, "no prices of their own for all of it, so that those of %s stand (--prices FILE gives them): %s\n", r.Region, strings.Join(r.Elsewhere, ", "))
	}
}

// lines writes the items, those of all regions together where their price is the
// same.
func (r *costReport) lines(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	for _, l := range r.together() {
		what := grouped(l.Quantity) + " " + l.Unit
		switch {
		case l.Free == l.Quantity:
			what += ", all free"
		case l.Free > 0:
			what += ", " + grouped(l.Free) + " free"
		}
		price := ""
		if l.Rate > 0 {
			price = "x $" + rate(l.Rate)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t= $%.6f\n", l.Component, what, price, l.Cost)
	}
}

// together returns the lines with those of one item in several regions as one, whose
// rate is the mean.
func (r *costReport) together() []cost.Line {
	var out []cost.Line
	for _, l := range r.Lines {
		i := slices.IndexFunc(out, func(o cost.Line) bool { return o.Item == l.Item })
		if i < 0 {
			out = append(out, l)
			continue
		}
		o := &out[i]
		o.Quantity, o.Free, o.Cost = o.Quantity+l.Quantity, o.Free+l.Free, o.Cost+l.Cost
		if paid := o.Quantity - o.Free; paid > 0 {
			o.Rate = o.Cost / paid
		}
	}
	return out
}

// byRegion writes a table with a row for each region and a column for each
// component.
func (r *costReport) byRegion(w io.Writer, components []string) {
	cells := make(map[string]float64)
	for _, l := range r.Lines {
		cells[l.Region+"\x00"+l.Component] += l.Cost
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprintf(t, "by region\t%s\ttotal\t\n", strings.Join(components, "\t"))
	names, totals := r.Bill.Regions()
	for _, region := range names {
		fmt.Fprintf(t, "%s\t", region)
		for _, c := range components {
			fmt.Fprintf(t, "$%.4f\t", cells[region+"\x00"+c])
		}
		fmt.Fprintf(t, "$%.4f\t\n", totals[region])
	}
}

// rate writes a price for one with the digits that it has.
func rate(v float64) string {
	return strings.TrimRight(fmt.Sprintf("%.10f", v), "0")
}

// grouped writes a quantity with commas between thousands.
func grouped(v float64) string {
	if v < 1000 && v != math.Trunc(v) {
		return fmt.Sprintf("%.4g", v)
	}
	v = math.Round(v)
	text := fmt.Sprint(int64(v))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
