// Load puts a real narthex under load for as long as it is told, and says whether
// it stood it.
//
//	go run ./test/load -duration 30m
//
// It starts narthex serve with a data directory of its own and sends it pushes, from
// this process, over HTTP. First as fast as it answers, which gives the most that it
// can do (-measure). Then, for -duration, -ratio of that at a steady pace whatever the
// answers take; every -every it notes memory, goroutines, descriptors, lag, fsync,
// latencies and the size of the store, none of which may grow. Then -overload times
// the most for -step, which has to be answered with 429s, and again -ratio for
// -recover, in which everything has to be as before. At the end the store has to have
// exactly what was acknowledged.
//
// The clients share the machine with narthex. It writes report.md and report.json
// into -out, and ends with 1 if a bound was not kept.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	duration, measure, step, recovery time.Duration
	every, interval                   time.Duration
	ratio, overload                   float64
	seed                              uint64
	workers                           int
	out, binary                       string
	growth                            float64
	calm                              time.Duration
	loose                             bool
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	f.DurationVar(&o.duration, "duration", 30*time.Minute, "how long the steady load lasts")
	f.DurationVar(&o.measure, "measure", time.Minute, "how long the most is measured")
	f.DurationVar(&o.step, "step", time.Minute, "how long the overload lasts")
	f.DurationVar(&o.recovery, "recover", time.Minute, "how long it is watched after it")
	f.DurationVar(&o.every, "every", 10*time.Second, "how often a sample is taken")
	f.DurationVar(&o.interval, "interval", 15*time.Second, "narthex's scrape_interval")
	f.Float64Var(&o.ratio, "ratio", 0.7, "the steady load, as a part of the most")
	f.Float64Var(&o.overload, "overload", 3, "the overload, as a multiple of the most")
	f.Uint64Var(&o.seed, "seed", 1, "of what is pushed")
	f.IntVar(&o.workers, "workers", 64, "clients that measure the most")
	f.StringVar(&o.out, "out", "", "where report.md and report.json go (default: report.md on the standard output)")
	f.StringVar(&o.binary, "narthex", "", "the program (default: it is built)")
	f.Float64Var(&o.growth, "growth", 0.05, "how much memory, goroutines and descriptors may grow in the steady load, as a part of their median")
	f.DurationVar(&o.calm, "calm", time.Second, "the 99th percentile that pushes have at most, while steady and recovered")
	f.BoolVar(&o.loose, "loose", false, "judge only what does not depend on how fast the machine is and what else it does")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.duration <= 0 || o.measure <= 0 || o.step <= 0 || o.recovery <= 0 || o.every <= 0 || o.ratio <= 0 || o.ratio >= 1 || o.overload <= 1 || f.NArg() > 0 {
		return o, errors.New("want durations above 0, a ratio between 0 and 1, an overload above 1, and no arguments")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	r, err := run(ctx, o)
	if err == nil {
		err = r.write(o.out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if !r.Passed {
		os.Exit(1)
	}
}

// run is the whole of it.
func run(ctx context.Context, o options) (_ *report, err error) {
	s, err := startServer(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nnarthex said: %s", err, s.Log.Tail())
		}
		s.end()
	}()
	d := newDriver(s.URL(), o.seed)
	w := newWatch(s, d)
	r := &report{Options: o.String(), Begun: time.Now().UTC()}
	phase := func(name string, rate float64, length time.Duration) error {
		fmt.Fprintf(os.Stderr, "%s for %v", name, length)
		if rate > 0 {
			fmt.Fprintf(os.Stderr, " at %.0f/s", rate)
		}
		fmt.Fprintln(os.Stderr)
		w.begin(name)
		sampling := w.every(ctx, o.every)
		if rate > 0 {
			d.open(ctx, rate, length)
		} else {
			d.closed(ctx, o.workers, length)
		}
		sampling()
		return errors.Join(ctx.Err(), s.alive())
	}
	if err := phase(measuring, 0, o.measure); err != nil {
		return nil, err
	}
	r.Most = w.answered(measuring)
	for _, p := range []struct {
		name   string
		rate   float64
		length time.Duration
	}{{steady, o.ratio * r.Most, o.duration}, {overloaded, o.overload * r.Most, o.step}, {recovering, o.ratio * r.Most, o.recovery}} {
		if err := phase(p.name, p.rate, p.length); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(os.Stderr, "comparing the store with what was acknowledged")
	d.settle(ctx)
	r.Wrong = d.truth.compare(ctx, s.URL(), o.interval)
	r.Stopped = s.stop()
	r.judge(o, w, d)
	return r, nil
}

func (o options) String() string {
	return fmt.Sprintf("-duration %v -measure %v -step %v -recover %v -ratio %v -overload %v -interval %v -workers %d -seed %d", o.duration, o.measure, o.step, o.recovery, o.ratio, o.overload, o.interval, o.workers, o.seed)
}
