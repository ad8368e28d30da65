package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"narthex/cost"
	"narthex/quota"
)

// scaleFlags are what narthex cost --scale takes; the rest it knows itself.
var scaleFlags = []string{"scale", "series", "interval", "prices", "no-free-tier", "json"}

// scaled is one column of narthex cost --scale.
type scaled struct {
	cost.Sized
	Bill   *cost.Bill `json:"bill"`
	Items  *cost.Bill `json:"items_bill"`
	Quotas []string   `json:"quotas"` // of Amazon's that are too small
}

// scales writes what so many series need, side by side.
func (o *costFlags) scales(prices *cost.Prices, w io.Writer) error {
	series, every := []float64{1e6, 1e7, 1e8}, []time.Duration{15 * time.Second, time.Minute}
	if o.plan.Series != 0 {
		series = []float64{o.plan.Series}
	}
	if o.plan.Interval != 0 {
		every = []time.Duration{o.plan.Interval}
	}
	var columns []*scaled
	for _, n := range series {
		for _, d := range every {
			x, err := newScaled(cost.Scale{Series: n, Interval: d}, prices, !o.noFree)
			if err != nil {
				return usageError("%v", err)
			}
			columns = append(columns, x)
		}
	}
	if o.json {
		text, err := json.MarshalIndent(columns, "", "  ")
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", text)
		}
		return err
	}
	return writeScales(w, columns)
}

func newScaled(s cost.Scale, prices *cost.Prices, free bool) (*scaled, error) {
	sized, err := s.Size()
	if err != nil {
		return nil, err
	}
	x := &scaled{Sized: sized}
	if x.Bill, err = prices.Bill(x.Usage, free); err != nil {
		return nil, err
	}
	if x.Items, err = prices.Bill(x.Sized.Items, free); err != nil {
		return nil, err
	}
	use := quota.Use{Amazon: true, Lambda: true, Delayed: true, Series: int(x.Series), Interval: x.Interval, Groups: x.Groups * x.Installations}
	for _, f := range quota.Check(use) {
		if !f.Fits() {
			x.Quotas = append(x.Quotas, fmt.Sprintf("%s (%s of %s)", f.Quota, f.Want, f.Limit))
		}
	}
	return x, nil
}

// scaleRows are the rows of the table. A number of requests is a month's.
var scaleRows = []struct {
	name string
	cell func(*scaled) string
}{
	{"installations of so many groups", func(x *scaled) string { return fmt.Sprintf("%d of %d", x.Installations, x.Groups) }},
	{"a tick: processor time", func(x *scaled) string { return fmt.Sprintf("%.1f s", x.Tick.CPU) }},
	{"a tick takes, with so much memory", func(x *scaled) string { return stepText(x.Tick) }},
	{"a fold: processor time, for so many pushes", func(x *scaled) string { return fmt.Sprintf("%.1f s for %.0f", x.Fold.CPU, x.Batch) }},
	{"a fold takes, with so much memory", func(x *scaled) string { return stepText(x.Fold) }},
	{"folds at a time, of 2", func(x *scaled) string { return fmt.Sprintf("%.1f", x.Folds) }},
	{"ids of an hour, an installation", func(x *scaled) string { return short(x.IDs) + "B" }},
	{"functions at a time, of 1,000", func(x *scaled) string { return fmt.Sprintf("%.1f", x.Running) }},
	{"puts to S3 while a tick runs, of 3,500/s a prefix", func(x *scaled) string {
		return fmt.Sprintf("%.0f/s", float64(x.Groups)/x.Tick.Duration.Seconds())
	}},
	{"Lambda: requests", func(x *scaled) string { return short(x.Usage[cost.LambdaRequests]) }},
	{"Lambda: GB-seconds", func(x *scaled) string { return short(x.Usage[cost.LambdaArm]) }},
	{"S3: puts, gets", func(x *scaled) string { return short(x.Usage[cost.S3Puts]) + ", " + short(x.Usage[cost.S3Gets]) }},
	{"S3: stored", func(x *scaled) string { return short(1e9*x.Usage[cost.S3Storage]) + "B" }},
	{"S3: written", func(x *scaled) string {
		group := 1e9 * x.Usage[cost.S3Storage] / float64(x.Installations*x.Groups)
		return short(group*x.Usage[cost.S3Puts]) + "B"
	}},
	{"SQS: requests", func(x *scaled) string { return short(x.Usage[cost.SQSRequests]) }},
	{"Managed Prometheus: samples", func(x *scaled) string { return short(x.Usage[cost.Samples]) }},
	{"Lambda", component("Lambda")},
	{"S3", component("S3")},
	{"SQS", component("SQS")},
	{"Managed Prometheus", component("Managed Prometheus")},
	{"**in all, a month**", func(x *scaled) string { return "**" + dollars(x.Bill.Total) + "**" }},
	{"DynamoDB instead of S3: installations of so many groups", func(x *scaled) string { return fmt.Sprintf("%d of %d", x.ItemInstallations, x.ItemGroups) }},
	{"its write units, read units", func(x *scaled) string {
		return short(x.Sized.Items[cost.DynamoWrites]) + ", " + short(x.Sized.Items[cost.DynamoReads])
	}},
	{"DynamoDB", func(x *scaled) string { return dollars(x.Items.Total) }},
	{"one installation alone", func(x *scaled) string { return orNone(x.Alone, "is enough") }},
	{"quotas that are too small", func(x *scaled) string { return orNone(x.Quotas, "none") }},
}

func writeScales(w io.Writer, columns []*scaled) error {
	var s strings.Builder
	s.WriteString("| |")
	for _, x := range columns {
		fmt.Fprintf(&s, " %s, %.0f s |", short(x.Series), x.Interval.Seconds())
	}
	s.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, row := range scaleRows {
		s.WriteString("| " + row.name + " |")
		for _, x := range columns {
			s.WriteString(" " + row.cell(x) + " |")
		}
		s.WriteString("\n")
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func component(name string) func(*scaled) string {
	return func(x *scaled) string {
		_, costs := x.Bill.Components()
		return dollars(costs[name])
	}
}

func stepText(x cost.Step) string {
	return fmt.Sprintf("%.1f s, %s MB", x.Duration.Seconds(), grouped(float64(x.Memory)))
}

func dollars(v float64) string {
	if v < 100 {
		return fmt.Sprintf("$%.2f", v)
	}
	return "$" + grouped(v)
}

// short writes a large number with three digits and a letter.
func short(v float64) string {
	for _, u := range []struct {
		unit float64
		name string
	}{{1e15, " P"}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= u.unit {
			return fmt.Sprintf("%.3g", v/u.unit) + u.name
		}
	}
	return fmt.Sprintf("%.3g", v)
}

func orNone(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, "; ")
}
