package probe

import (
	"context"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/openmetrics"
)

// Runner makes probes, bounded in their number, and measures what the place where
// they run does to them: a function that gets little CPU must not be taken for a
// slow site. Its methods may be called from several goroutines.
type Runner struct {
	o     RunnerOptions
	slots chan struct{}
	stall stallClock
	warm  atomic.Bool // a probe was made before

	probes   func(...string) *stats.Counter
	failures func(...string) *stats.Counter
	running  atomic.Int64
}

// RunnerOptions are a Runner's parts.
type RunnerOptions struct {
	Prober *Prober
	// Concurrency is how many probes run at a time; default 100.
	Concurrency int
	// Stats, if not nil, has the counters.
	Stats *stats.Set
}

// NewRunner returns a runner.
func NewRunner(o RunnerOptions) *Runner {
	if o.Concurrency <= 0 {
		o.Concurrency = 100
	}
	if o.Stats == nil {
		o.Stats = new(stats.Set)
	}
	r := &Runner{o: o, slots: make(chan struct{}, o.Concurrency)}
	r.probes = o.Stats.CounterVec("narthex_probes_total", "Probes that were made, by verdict.", "verdict")
	r.failures = o.Stats.CounterVec("narthex_probe_failures_total", "Probes that failed, by where and why; the reason denied is the guard's.", "phase", "reason")
	o.Stats.GaugeFunc("narthex_probes_running", "Probes that are under way.", func() float64 { return float64(r.running.Load()) })
	return r
}

// Run makes a probe as soon as there is room for it, or until ctx ends. An error
// of kind [narthex.Limited] means that there was none; others are those of
// [Prober.Run].
func (r *Runner) Run(ctx context.Context, what Request) (*Result, error) {
	if err := r.take(ctx); err != nil {
		return nil, err
	}
	defer r.give()
	return r.run(ctx, what)
}

// take waits for room.
func (r *Runner) take(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return narthex.Errorf(narthex.Limited, "%d probes are under way, and none ended in time", r.o.Concurrency)
	}
}

func (r *Runner) give() { <-r.slots }

// TryRun is Run without waiting.
func (r *Runner) TryRun(ctx context.Context, what Request) (*Result, error) {
	select {
	case r.slots <- struct{}{}:
	default:
		return nil, narthex.Errorf(narthex.Limited, "%d probes are under way: try again in a moment", r.o.Concurrency)
	}
	defer r.give()
	return r.run(ctx, what)
}

func (r *Runner) run(ctx context.Context, what Request) (*Result, error) {
	cold := !r.warm.Swap(true)
	r.running.Add(1)
	waited := r.stall.start()
	out, err := r.o.Prober.Run(ctx, what)
	wait := waited()
	r.running.Add(-1)
	if err != nil {
		return nil, err
	}
	out.Cold, out.Wait = cold, min(wait, out.Duration)
	out.Families = append([]openmetrics.Family{
		gaugeFamily("narthex_runner_cold_start", "Whether the probe was the first one of its process", oneIf(out.Cold)),
		gaugeFamily("narthex_runner_cpu_wait_seconds", "How long of the probe its process was kept from the CPU", out.Wait.Seconds()),
		gaugeFamily("narthex_runner_throttled", "Whether that is so much that the probe's durations are not those of its target", oneIf(out.Throttled())),
	}, out.Families...)
	if out.Success {
		r.probes("success").Add(1)
	} else {
		r.probes("failure").Add(1)
	}
	if f := out.Failure; f != nil {
		r.failures(string(f.Phase), string(f.Reason)).Add(1)
	}
	return out, nil
}

// Throttled reports whether the probe's process was kept from the CPU for so long
// that the durations are not those of the target: a fifth of the probe, and 5 ms.
func (r *Result) Throttled() bool { return r.Wait >= 5*time.Millisecond && r.Wait >= r.Duration/5 }

func gaugeFamily(name, help string, v float64) openmetrics.Family {
	return openmetrics.Family{Name: name, Help: help, Type: narthex.TypeGauge, Metrics: []openmetrics.Metric{{Value: v}}}
}
