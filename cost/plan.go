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

	// Targets are probed in each region at each Interval (default 15 s), which makes
	// SeriesPerTarget series (default 25).
	Targets         int
	SeriesPerTarget int
	Mode            Mode

	// Series are those of pushes and logs in each region, of which the share Busy
	// (default 1) changes all the time; the others are written each Heartbeat.
	Series    float64
	Busy      float64
	Heartbeat time.Duration
	// Pushes are requests to push a month in each region, of a function.
	Pushes float64

	Interval time.Duration
	// Regions is how many there are (default 1).
	Regions int
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
		p.SeriesPerTarget = 25
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
	if p.Regions == 0 {
		p.Regions = 1
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
	case p.Busy < 0 || p.Busy > 1:
		return fmt.Errorf("the busy share is %v: want 0 to 1", p.Busy)
	case p.Requests < 0 || p.Series < 0 || p.Pushes < 0 || p.QuerySamples < 0 || p.Targets < 0 || p.Regions < 1:
		return errors.New("a quantity is negative")
	}
	return nil
}

// Usage returns what the plan uses in a month.
func (p Plan) Usage() (Usage, error) {
	p = p.withDefaults()
	if err := p.check(); err != nil {
		return nil, err
	}
	u := Usage{}
	if p.Requests > 0 {
		p.invoke(u, p.Requests)
	}
	ticks := float64(Month) / float64(p.Interval)
	if p.Targets > 0 {
		u.Add(p.probes(ticks).Times(float64(p.Regions)))
	}
	if p.Series > 0 || p.Pushes > 0 {
		u.Add(p.pushes(ticks).Times(float64(p.Regions)))
	}
	u[QuerySamples] = p.QuerySamples
	return u, nil
}

// invoke adds invocations of the function.
func (p Plan) invoke(u Usage, n float64) {
	u[LambdaRequests] += n
	item := LambdaArm
	if p.Arch == "x86_64" {
		item = LambdaX86
	}
	u[item] += n * p.Duration.Seconds() * float64(p.Memory) / 1024
}

// bytesPerSample is what a sample of a store takes compressed, and what it takes on
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

// probes is what the probes of one region use. Pull has an invocation for each target,
// whose answer leaves AWS; push has one for all of them, started by a schedule each
// minute that sends itself delayed messages for what is below a minute.
func (p Plan) probes(ticks float64) Usage {
	u := Usage{}
	samples(u, ticks*float64(p.Targets*p.SeriesPerTarget))
	if p.Mode == Pull {
		p.invoke(u, ticks*float64(p.Targets))
		u[DataOut] += ticks * float64(p.Targets) * 4e3 / 1e9 // an exposition of 4 kB
		return u
	}
	minutes := float64(Month) / float64(time.Minute)
	p.invoke(u, ticks)
	u[Scheduler] += min(ticks, minutes)
	if p.Interval < time.Minute {
		p.invoke(u, minutes)
		u[SQSRequests] += minutes + 2*ticks // to send in a batch, to receive, to delete
	}
	u[S3Gets] += ticks
	return u
}

// pushes is what counting uses in one region: the queue for pushes, and at each tick
// a fold and the totals of the series.
func (p Plan) pushes(ticks float64) Usage {
	u := Usage{}
	beats := float64(Month) / float64(max(p.Heartbeat, p.Interval))
	samples(u, p.Series*(p.Busy*ticks+(1-p.Busy)*beats))
	if p.Pushes == 0 {
		return u // counted by a narthex that runs somewhere, or by one's own
	}
	p.invoke(u, p.Pushes+p.Pushes/10+ticks) // ten messages in a batch
	u[SQSRequests] += p.Pushes + 2*p.Pushes/10
	u[Scheduler] += float64(Month) / float64(time.Minute)
	u[S3Puts] += p.Pushes/10 + ticks
	u[S3Gets] += p.Pushes/10 + ticks
	return u
}

// WrittenSamples is what samples of a month use that somebody has counted.
func WrittenSamples(n float64) Usage {
	u := Usage{}
	samples(u, n)
	return u
}
