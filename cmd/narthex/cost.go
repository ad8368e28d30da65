package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"narthex/config"
	"narthex/cost"
)

const costHelp = `usage: narthex cost [flags]

Says what narthex costs a month (of 30 days) on AWS, line by line: how much of what is
used, what of that is free, at which price; by component and by region; what other
choices would cost; and which change saves most.

  --requests N         invocations of a function a month; as in
                       narthex cost --requests 178560 --duration 300ms --memory 128 \
                         --arch x86_64 --no-free-tier
  --targets N          targets that are probed in each region, at each --interval
  --series-per-target N  series that a probe makes (default 44, an HTTPS page's; an
                       HTTP one makes 39)
  --mode MODE          push (the default: a schedule probes all targets at once) or pull
                       (a Prometheus fetches each probe from a function)
  --series N           series of pushes and logs
  --busy SHARE         how many of them change all the time (default 1; others are
                       written each two minutes)
  --pushes N           requests to push a month
  --batch N            how many of them are folded at a time (default: by how many there
                       are, if they come at any time)
  --objects N          log files a month
  --query-samples N    samples that queries read a month
  --interval D         of probes and ticks (default 15s)
  --regions LIST       their names, such as eu-central-1,us-east-1, or how many there
                       are (default 1); the first has the workspace and takes pushes
  --duration D         how long an invocation takes (default 300ms)
  --memory MB          of the function (default 128)
  --arch ARCH          arm64 (the default) or x86_64

  --scale              what 1, 10 and 100 million series (or --series N) need on Lambda,
                       each 15 s and 60 s (or --interval), each series pushed once a
                       minute, a thousand in a push: installations, memory, requests,
                       prices, quotas, and what bends first; a table in Markdown

  --config FILE        take from a configuration what it says of this: targets, ticks,
                       heartbeat, groups, S3 or DynamoDB, workspaces, their region
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
	scale             bool
	prices, file, url string
	regions           string
}

// costReport is what narthex cost tells.
type costReport struct {
	*cost.Bill
	Components map[string]float64 `json:"components"`
	Regions    map[string]float64 `json:"regions"`
	Levers     []cost.Lever       `json:"levers"`
	Compare    []cost.Variant     `json:"compare,omitempty"`
	Note       string             `json:"note"`
}

// costNote is what a bill leaves out.
const costNote = "not in it: logs of functions, KMS, a NAT gateway, taxes, people"

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
	f.Float64Var(&p.Batch, "batch", 0, "")
	f.Float64Var(&p.Objects, "objects", 0, "")
	f.Float64Var(&p.QuerySamples, "query-samples", 0, "")
	f.DurationVar(&p.Interval, "interval", 0, "")
	f.StringVar(&o.regions, "regions", "", "")
	f.DurationVar(&p.Duration, "duration", 0, "")
	f.IntVar(&p.Memory, "memory", 0, "")
	f.StringVar(&p.Arch, "arch", "", "")
	f.BoolVar(&o.scale, "scale", false, "")
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
	if o.scale {
		var other string
		f.Visit(func(given *flag.Flag) {
			if !slices.Contains(scaleFlags, given.Name) {
				other = given.Name
			}
		})
		if other != "" {
			return usageError("--scale goes with --%s, not with --%s", strings.Join(scaleFlags[1:], ", --"), other)
		}
	}
	p.Mode = cost.Mode(*mode)
	if n, err := strconv.Atoi(o.regions); err == nil && n > 0 && n <= 100 {
		p.Regions = cost.Anywhere(n)
	} else if o.regions != "" {
		p.Regions = strings.Split(o.regions, ",")
		if slices.ContainsFunc(p.Regions, func(name string) bool { return !regionName.MatchString(name) }) {
			return usageError("--regions is %q: want names such as eu-central-1,us-east-1, or how many there are, up to 100", o.regions)
		}
	}
	if o.file != "" {
		c, err := load(o.file)
		if err != nil {
			return err
		}
		o.configured(c)
	}
	return o.run(ctx, t)
}

// regionName is the form of a region's name.
var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)

// configured takes from a configuration what flags don't say.
func (o *costFlags) configured(c *config.Config) {
	p, asked := &o.plan, use(c, 0, 0)
	tick := c.ScrapeInterval
	if asked.Lambda {
		if tick = c.Tick(); tick < time.Minute && c.Lambda.ScheduleQueue == "" {
			tick = time.Minute // nothing makes ticks below it
		}
		p.Direct = c.Lambda.Direct()
	} else if len(c.Probes.Targets) > 0 {
		tick = c.Probes.Targets[0].Every
		for _, t := range c.Probes.Targets {
			tick = min(tick, t.Every)
		}
	}
	p.Interval = cmp.Or(p.Interval, tick)
	p.Heartbeat = cmp.Or(p.Heartbeat, c.Ledger.Heartbeat)
	p.Groups, p.DynamoDB, p.Silent = c.Lambda.Groups, asked.DynamoDB, !c.Lambda.Telemetry
	if p.Targets == 0 && len(c.Probes.Targets) > 0 {
		p.Targets = len(c.Probes.Targets)
		for _, t := range c.Probes.Targets {
			p.Due += min(1, p.Interval.Seconds()/t.Every.Seconds()) / float64(p.Targets)
		}
	}
	o.destinations(c)
}

// destinations takes where samples go.
func (o *costFlags) destinations(c *config.Config) {
	p := &o.plan
	for _, w := range c.RemoteWrite {
		if !amazonManaged(w.URL) {
			continue
		}
		p.Workspaces++
		if w.SigV4 != nil && w.SigV4.Region != "" && len(p.Regions) == 0 {
			p.Regions = []string{w.SigV4.Region}
		}
	}
	p.Elsewhere = len(c.RemoteWrite) > 0 && p.Workspaces == 0
}

// priceFile returns the prices that the flags name.
func (o *costFlags) priceFile() (*cost.Prices, error) {
	if o.prices == "" {
		return cost.Default()
	}
	file, err := os.ReadFile(o.prices)
	if err != nil {
		return nil, err
	}
	return cost.Parse(file)
}

func (o *costFlags) run(ctx context.Context, t terminal) error {
	prices, err := o.priceFile()
	if err != nil {
		return err
	}
	if o.scale {
		return o.scales(prices, t.out)
	}
	regions, err := o.plan.ByRegion()
	if err != nil {
		return usageError("%v", err)
	}
	if o.url != "" {
		if _, err := parseAddress("--url", o.url, narthexAddress); err != nil {
			return err
		}
		live, err := liveSamples(ctx, o.url)
		if err != nil {
			return err
		}
		regions[0].Usage.Add(live)
	}
	r := costReport{Note: costNote}
	if r.Bill, err = prices.BillRegions(regions, !o.noFree); err != nil {
		return usageError("%v", err)
	}
	if len(r.Lines) == 0 {
		return usageError("there is nothing to pay for: say --requests, --targets, --series, --config FILE or --url URL")
	}
	_, r.Components = r.Bill.Components()
	_, r.Regions = r.Bill.Regions()
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
