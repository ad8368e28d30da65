package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"narthex/config"
	"narthex/cost"
)

const costHelp = `usage: narthex cost [flags]

Says what narthex costs a month (of 30 days) on AWS, line by line: how much of what is
used, what of that is free, at which price; by component; in how many regions; what
others choices would cost; and which change saves most.

  --requests N         invocations of a function a month; as in
                       narthex cost --requests 178560 --duration 300ms --memory 128 \
                         --arch x86_64 --no-free-tier
  --targets N          targets that are probed in each region, at each --interval
  --series-per-target N  series that a probe makes (default 25)
  --mode MODE          push (the default: a schedule probes all targets at once) or pull
                       (a Prometheus fetches each probe from a function)
  --series N           series of pushes and logs, in each region
  --busy SHARE         how many of them change all the time (default 1; others are
                       written each two minutes)
  --pushes N           requests to push a month, in each region
  --query-samples N    samples that queries read a month
  --interval D         of probes and ticks (default 15s)
  --regions N          (default 1)
  --duration D         how long an invocation takes (default 300ms)
  --memory MB          of the function (default 128)
  --arch ARCH          arm64 (the default) or x86_64

  --config FILE        take targets, interval and heartbeat from a configuration
  --url URL            take the samples written from a narthex that runs (a token is
                       taken from $NARTHEX_TOKEN)
  --no-free-tier       without what is free each month
  --prices FILE        other prices, as in cost/prices.json; those that are not in it
                       stay
  --json               for programs

Exit codes: 0 done, 1 the narthex or a file can't be read, 2 wrong usage.
`

// costFlags are the flags of narthex cost.
type costFlags struct {
	plan              cost.Plan
	noFree, json      bool
	prices, file, url string
}

// costReport is what narthex cost tells.
type costReport struct {
	*cost.Bill
	Components map[string]float64 `json:"components"`
	Levers     []cost.Lever       `json:"levers"`
	Compare    []cost.Variant     `json:"compare,omitempty"`
	Note       string             `json:"note"`
}

// costNote is what a bill leaves out.
const costNote = "prices of one region for all; without logs of functions, taxes and people"

// costCommand says what things cost.
func costCommand(ctx context.Context, args []string, t terminal) error {
	f, o := flags("cost", t), &costFlags{}
	p := &o.plan
	mode := f.String("mode", "push", "")
	f.Float64Var(&p.Requests, "requests", 0, "")
	f.IntVar(&p.Targets, "targets", 0, "")
	f.IntVar(&p.SeriesPerTarget, "series-per-target", 0, "")
	f.Float64Var(&p.Series, "series", 0, "")
	f.Float64Var(&p.Busy, "busy", 0, "")
	f.Float64Var(&p.Pushes, "pushes", 0, "")
	f.Float64Var(&p.QuerySamples, "query-samples", 0, "")
	f.DurationVar(&p.Interval, "interval", 0, "")
	f.IntVar(&p.Regions, "regions", 0, "")
	f.DurationVar(&p.Duration, "duration", 0, "")
	f.IntVar(&p.Memory, "memory", 0, "")
	f.StringVar(&p.Arch, "arch", "", "")
	f.BoolVar(&o.noFree, "no-free-tier", false, "")
	f.StringVar(&o.prices, "prices", "", "")
	f.StringVar(&o.file, "config", "", "")
	f.StringVar(&o.url, "url", "", "")
	f.BoolVar(&o.json, "json", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError("it takes no arguments, but got %q", f.Arg(0))
	}
	p.Mode = cost.Mode(*mode)
	if o.file != "" {
		c, err := load(o.file)
		if err != nil {
			return err
		}
		o.configured(c)
	}
	return o.run(ctx, t)
}

// configured takes from a configuration what flags don't say.
func (o *costFlags) configured(c *config.Config) {
	if o.plan.Targets == 0 {
		o.plan.Targets = len(c.Probes.Targets)
	}
	if o.plan.Interval == 0 {
		o.plan.Interval = c.ScrapeInterval
		if len(c.Probes.Targets) > 0 && c.Probes.Every > 0 {
			o.plan.Interval = c.Probes.Every
		}
	}
	if o.plan.Heartbeat == 0 {
		o.plan.Heartbeat = c.Ledger.Heartbeat
	}
}

func (o *costFlags) run(ctx context.Context, t terminal) error {
	prices, err := cost.Default()
	if o.prices != "" {
		var file []byte
		if file, err = os.ReadFile(o.prices); err == nil {
			prices, err = cost.Parse(file)
		}
	}
	if err != nil {
		return err
	}
	u, err := o.plan.Usage()
	if err != nil {
		return usageError("%v", err)
	}
	if o.url != "" {
		live, err := liveSamples(ctx, o.url)
		if err != nil {
			return err
		}
		u.Add(live)
	}
	r := costReport{Note: costNote}
	if r.Bill, err = prices.Bill(u, !o.noFree); err != nil {
		return usageError("%v", err)
	}
	if len(r.Lines) == 0 {
		return usageError("there is nothing to pay for: say --requests, --targets, --series, --config FILE or --url URL")
	}
	_, r.Components = r.Bill.Components()
	if r.Levers, err = prices.Levers(o.plan, !o.noFree); err == nil && o.plan.Targets > 0 {
		r.Compare, err = prices.Compare(o.plan, !o.noFree)
	}
	if err != nil {
		return usageError("%v", err)
	}
	if o.json {
		text, _ := json.MarshalIndent(r, "", "  ") // plain data
		fmt.Fprintf(t.out, "%s\n", text)
		return nil
	}
	r.write(t.out)
	return nil
}

// liveSamples is what a narthex that runs writes in a month at its pace.
func liveSamples(ctx context.Context, url string) (cost.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/api/v1/status/cost", nil)
	if err != nil {
		return nil, usageError("--url: %v", err)
	}
	client := http.DefaultClient
	if c := withToken(os.Getenv("NARTHEX_TOKEN")); c != nil {
		client = c
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the narthex at %s: %w", url, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Destinations []struct {
				Total struct {
					SamplesPerDay float64 `json:"samplesPerDay"`
				} `json:"total"`
			} `json:"destinations"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the narthex at %s: %s, %v", url, resp.Status, err)
	}
	most := 0.0 // each destination gets the same
	for _, d := range answer.Data.Destinations {
		most = max(most, d.Total.SamplesPerDay)
	}
	return cost.WrittenSamples(most * cost.Month.Hours() / 24), nil
}

// write writes the bill for people.
func (r *costReport) write(w io.Writer) {
	free := "without the free tier"
	if r.FreeTier {
		free = "with the free tier"
	}
	fmt.Fprintf(w, "a month at the prices of %s of %s (%s), %s\n\n", r.Region, r.AsOf, r.Currency, free)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range r.Lines {
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
	t.Flush()
	fmt.Fprintf(w, "\ntotal $%.4f\n", r.Total)
	names, costs := r.Bill.Components()
	for _, name := range names {
		if r.Total > 0 {
			fmt.Fprintf(w, "  %-20s $%.4f  %3.0f %%\n", name, costs[name], 100*costs[name]/r.Total)
		}
	}
	if len(r.Compare) > 0 {
		fmt.Fprintln(w, "\nthe same probes")
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
}

// rate writes a price for one with the digits that it has.
func rate(v float64) string {
	return strings.TrimRight(fmt.Sprintf("%.10f", v), "0")
}

// grouped writes a quantity with commas between thousands.
func grouped(v float64) string {
	if v != float64(int64(v)) {
		return fmt.Sprintf("%.4g", v)
	}
	text := fmt.Sprint(int64(v))
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
