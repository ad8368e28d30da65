package cost

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Month is how long a month is.
const Month = 30 * 24 * time.Hour

// Mode is how probes are run.
type Mode string

// The modes.
const (
	Push Mode = "push" // a schedule starts a function that probes all targets and writes their samples
	Pull Mode = "pull" // a Prometheus fetches each target's probe from a function
)

// Plan is what narthex is to do. The zero value of a field says that there is none of
// it, or the default.
type Plan struct {
	// Requests, if not 0, are invocations of a function a month, and nothing is
	// worked out of targets.
	Requests float64
	// Duration is how long an invocation takes (default 300 ms), Memory its size in
	// MB (default 128), Arch arm64 (the default) or x86_64.
	Duration time.Duration
	Memory   int
	Arch     string
	// Door, Fold and Tick are what a push, a batch of them and a tick take (default
	// Duration with Memory each).
	Door, Fold, Tick Work

	// Targets are probed in each region at each Interval (default 15 s), which makes
	// SeriesPerTarget series (default 44, those of an HTTPS page; an HTTP one has 39).
	Targets         int
	SeriesPerTarget int
	Mode            Mode
	// Due is which share of the targets a tick probes on average (default 1).
	Due float64

	// Series are those of pushes and logs, of which the share Busy (default 1)
	// changes all the time; the others are written each Heartbeat.
	Series    float64
	Busy      float64
	Heartbeat time.Duration
	// Pushes are requests to push a month, and Objects log files, of functions.
	// They come to the first region, as Series are of it.
	Pushes, Objects float64
	// Batch is how many pushes are folded at a time (default: what one of two pollers
	// gathers in the five seconds of the queue's window, of pushes at any time).
	Batch float64
	// Groups are the values that the totals are spread over (default 1), kept in S3,
	// or in DynamoDB.
	Groups   int
	DynamoDB bool
	// Direct is whether pushes are counted before they are answered, without a queue.
	Direct bool
	// Silent is whether the functions do not tell of themselves each minute
	// (lambda.telemetry: false).
	Silent bool

	// Workspaces are written to, each sample to all of them (default 1). Elsewhere is
	// whether samples go to other receivers only, for which nothing is reckoned.
	Workspaces int
	Elsewhere  bool

	Interval time.Duration
	// Regions is where it runs (default the region of the prices, once). The first
	// has the workspace, which all write to.
	Regions []string
	// QuerySamples are read by queries in a month.
	QuerySamples float64
}

func (p Plan) withDefaults() Plan {
	if p.Duration == 0 {
		p.Duration = 300 * time.Millisecond
	}
	if p.Memory == 0 {
		p.Memory = 128
	}
	if p.Arch == "" {
		p.Arch = "arm64"
	}
	if p.SeriesPerTarget == 0 {
		p.SeriesPerTarget = 44
	}
	if p.Mode == "" {
		p.Mode = Push
	}
	if p.Interval == 0 {
		p.Interval = 15 * time.Second
	}
	if p.Heartbeat == 0 {
		p.Heartbeat = 2 * time.Minute
	}
	if p.Busy == 0 {
		p.Busy = 1
	}
	if p.Due == 0 {
		p.Due = 1
	}
	if p.Workspaces == 0 && !p.Elsewhere {
		p.Workspaces = 1
	}
	if p.Groups == 0 {
		p.Groups = 1
	}
	if len(p.Regions) == 0 {
		p.Regions = []string{""}
	}
	return p
}

func (p Plan) check() error {
	switch {
	case !slices.Contains([]string{"arm64", "x86_64"}, p.Arch):
		return fmt.Errorf("the architecture %q is not one of Lambda's: want arm64 or x86_64", p.Arch)
	case p.Memory < 128 || p.Memory > 10_240:
		return fmt.Errorf("%d MB is no size of a function: want 128 to 10,240", p.Memory)
	case p.Duration < 0 || p.Duration > 15*time.Minute:
		return fmt.Errorf("an invocation takes at most 15m, not %s", p.Duration)
	case p.Mode != Push && p.Mode != Pull:
		return fmt.Errorf("the mode is %q: want push or pull", p.Mode)
	case p.Interval < time.Second || p.Heartbeat < time.Second:
		return errors.New("an interval is at least 1s")
	case p.Batch > 0 && p.Batch < 1 || p.Batch > foldMost:
		return fmt.Errorf("a batch has 1 to %d pushes, not %v", foldMost, p.Batch)
	case p.Busy < 0 || p.Busy > 1 || p.Due < 0 || p.Due > 1:
		return fmt.Errorf("a share is %v: want 0 to 1", max(p.Busy, p.Due))
	case p.Requests < 0 || p.Series < 0 || p.Pushes < 0 || p.Objects < 0 || p.QuerySamples < 0 || p.Targets < 0 || p.SeriesPerTarget < 0 || p.Groups < 0 || p.Workspaces < 0 || p.Batch < 0:
		return errors.New("a quantity is negative")
	}
	return nil
}

// Usage returns what the plan uses in a month, in all regions together.
func (p Plan) Usage() (Usage, error) {
	regions, err := p.ByRegion()
	if err != nil {
		return nil, err
	}
	u := Usage{}
	for _, r := range regions {
		u.Add(r.Usage)
	}
	return u, nil
}

// ByRegion returns what the plan uses in a month in each of its regions.
func (p Plan) ByRegion() ([]Region, error) {
	p = p.withDefaults()
	if err := p.check(); err != nil {
		return nil, err
	}
	var out []Region
	for i, name := range p.Regions {
		u := Usage{}
		if p.Targets > 0 {
			probes := p.probes()
			u.Add(probes)
			if i > 0 && p.Mode == Push { // to the workspace
				u[DataRegion] += probes[Samples] * bytesSent / 1e9
			}
		}
		out = append(out, Region{name, u})
	}
	home := out[0].Usage
	home.Add(p.counting())
	written := Usage{}
	for _, r := range out { // it is paid for where the workspace is
		for _, item := range []string{Samples, SampleStorage} {
			written[item] += r.Usage[item]
			delete(r.Usage, item)
		}
	}
	home.Add(written.Times(float64(p.Workspaces)))
	if p.Requests > 0 {
		p.invoke(home, p.Requests, Work{})
	}
	home[QuerySamples] += p.QuerySamples
	return out, nil
}

// bytesStored and bytesSent are what a sample takes in a store, compressed, and on
// the wire (docs/benchmarks.md).
const (
	bytesStored = 2
	bytesSent   = 19
)

// samples adds samples that are written.
func samples(u Usage, n float64) {
	u[Samples] += n
	u[SampleStorage] += n * bytesStored / 1e9
}

// WrittenSamples is what samples of a month use that somebody has counted.
func WrittenSamples(n float64) Usage {
	u := Usage{}
	samples(u, n)
	return u
}
