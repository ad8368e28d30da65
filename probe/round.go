package probe

import (
	"context"
	"sync"
	"time"

	"narthex"
	"narthex/openmetrics"
)

// RoundReport says what became of a round.
type RoundReport struct {
	Due       int           `json:"due"`       // targets whose time it was
	Probed    int           `json:"probed"`    // those for which there is a verdict
	Failed    int           `json:"failed"`    // whose verdict is bad
	Duration  time.Duration `json:"-"`         // of the probes
	Seconds   float64       `json:"seconds"`   // the same
	Throttled int           `json:"throttled"` // see [Result.Throttled]
}

// Round probes all targets that are due after at-window and not after at, all at
// once as far as the runner and the pace let them, and writes what it found in one
// batch. at is
// the time for which the round was asked, which stays the same when it is asked for
// again, so that its increments count once.
//
// It ends before ctx does: of the time that is left, a fifth (at most 3 s) is kept
// for writing. A target that does not get its turn is counted as scheduled and not
// as probed.
func (s *Schedule) Round(ctx context.Context, at time.Time, window time.Duration) (*RoundReport, error) {
	var due []done
	for i := range s.o.Targets {
		t := &s.o.Targets[i]
		if slot, n := t.slots(at.Add(-window), at); n > 0 {
			due = append(due, done{target: t, slot: slot, due: n})
		}
	}
	if err := s.series.refresh(ctx); err != nil {
		s.o.Logger.Warn("which series of probes there are could not be loaded", "err", err)
	}
	begun, used := time.Now(), processTimes()
	waited := s.o.Runner.stall.start()
	s.probeAll(ctx, due)
	report := &RoundReport{Due: len(due), Duration: time.Since(begun)}
	report.Seconds = report.Duration.Seconds()
	for _, d := range due {
		if d.seen == nil {
			continue
		}
		report.Probed++
		if !d.seen.Success {
			report.Failed++
		}
		if d.seen.Throttled() {
			report.Throttled++
		}
	}
	return report, s.write(ctx, due, &place{
		at: at, report: report, wait: waited(), cpu: processTimes() - used, began: s.o.Now().Add(-report.Duration),
	})
}

// probeAll probes what is due.
func (s *Schedule) probeAll(ctx context.Context, due []done) {
	until := time.Now().Add(time.Hour)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		until = deadline.Add(-min(left/5, 3*time.Second))
	}
	pace := s.o.Pace
	if n := time.Duration(len(due)); n > 0 { // at most half of the time goes into it
		pace = min(pace, time.Until(until)/2/n)
	}
	begin := time.Now()
	var all sync.WaitGroup
	for i := range due {
		all.Go(func() {
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			if sleep(ctx, timer, time.Until(begin.Add(time.Duration(i)*pace))) {
				due[i].seen = s.probe(ctx, due[i].target, until)
			}
		})
	}
	all.Wait()
}

// probeCost is about what a probe over TLS uses of the processor, the way to it and
// back included.
const probeCost = 4 * time.Millisecond

// Pace returns how far apart probes have to begin on a share of a processor, so
// that it is enough for them.
func Pace(share float64) time.Duration { return time.Duration(float64(probeCost) / share) }

// place is what a round tells of where it was made.
type place struct {
	at        time.Time
	began     time.Time
	report    *RoundReport
	wait, cpu time.Duration
}

// series are the metrics of the place, with the labels job and region.
func (p *place) series(labels narthex.Labels) []narthex.Series {
	families := []openmetrics.Family{
		gaugeFamily("narthex_runner_round_cpu_seconds", "CPU time that the process used for the last round of probes", p.cpu.Seconds()),
		gaugeFamily("narthex_runner_round_cpu_wait_seconds", "How long of the last round of probes the process was kept from the CPU", p.wait.Seconds()),
		gaugeFamily("narthex_runner_round_duration_seconds", "How long the last round of probes took", p.report.Duration.Seconds()),
		gaugeFamily("narthex_runner_round_probes", "Targets that were probed in the last round", float64(p.report.Probed)),
		gaugeFamily("narthex_runner_round_due", "Targets that were due in the last round", float64(p.report.Due)),
	}
	return stamped(families, labels, p.began)
}
