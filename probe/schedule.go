package probe

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"narthex"
	"narthex/internal/stats"
	"narthex/state"
)

// ScheduleOptions are a Schedule's parts.
type ScheduleOptions struct {
	Targets []Target
	Runner  *Runner
	History *History // nil: results are not kept
	// Job and Region are the labels of that name; Region may be "".
	Job, Region string
	// Samples takes what probes found, with the times of the probes: one batch for
	// all that ended together.
	Samples narthex.Sink
	// Counts takes increments, such as the number of probes. A batch has the same ID
	// if its round is made again.
	Counts narthex.Sink
	// Pace is how far apart the probes of a round begin, so that they do not wait for
	// each other's turn on the processor; see [Pace].
	Pace time.Duration
	// Keep remembers which series there are, so that they end with a stale marker
	// when their target leaves while nothing runs. Nil: this process alone does.
	Keep   state.Store
	Logger *slog.Logger     // nil means slog.Default()
	Now    func() time.Time // nil means time.Now
	Stats  *stats.Set       // nil: nothing is counted
}

// Schedule probes targets at regular times and writes out what it finds. Use
// either [Schedule.Run], in a process that stays, or [Schedule.Round], in a
// function that is called.
type Schedule struct {
	o       ScheduleOptions
	series  *memory
	current map[string]bool // the keys of the targets that there are

	late, missed, lost atomic.Uint64
	rounds             atomic.Uint64
}

// NewSchedule returns a schedule and ends the series of targets that are no more.
func NewSchedule(ctx context.Context, o ScheduleOptions) (*Schedule, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Job == "" {
		o.Job = "probe"
	}
	s := &Schedule{o: o, current: make(map[string]bool, len(o.Targets))}
	for i := range o.Targets {
		s.current[o.Targets[i].key()] = true
	}
	var err error
	if s.series, err = openMemory(ctx, o.Keep, o.Region); err != nil {
		return nil, err
	}
	if o.Stats != nil {
		s.register(o.Stats)
	}
	return s, nil
}

func (s *Schedule) register(set *stats.Set) {
	set.GaugeFunc("narthex_probe_targets", "Targets that are probed on a schedule.", func() float64 { return float64(len(s.o.Targets)) })
	set.CounterFunc("narthex_probe_rounds_total", "Batches of probes' samples that were written.", s.rounds.Load)
	set.CounterFunc("narthex_probe_late_total", "Scheduled probes that began a second or more after their time.", s.late.Load)
	set.CounterFunc("narthex_probe_missed_total", "Scheduled probes that were not made: the one before had not ended, or too many were under way.", s.missed.Load)
	set.CounterFunc("narthex_probe_lost_total", "Probes whose samples could not be kept.", s.lost.Load)
}

// key identifies a target.
func (t *Target) key() string { return t.Name + "\x00" + t.Target + "\x00" + t.Module }

// offset is the target's place within its interval, which is always the same, so
// that targets are spread over it.
func (t *Target) offset() time.Duration {
	h := fnv.New64a()
	h.Write([]byte(t.key()))
	return time.Duration(h.Sum64() % uint64(t.Every))
}

// slots returns the target's last slot at or before at, and how many there are
// after since, that one included.
func (t *Target) slots(since, at time.Time) (slot time.Time, n int) {
	every, offset := t.Every.Nanoseconds(), t.offset().Nanoseconds()
	last, before := floor(at.UnixNano()-offset, every), floor(since.UnixNano()-offset, every)
	return time.Unix(0, last*every+offset), int(last - before)
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// done is a scheduled probe: made, or not (nil) but due all the same.
type done struct {
	target *Target
	slot   time.Time
	due    int // slots since the last one that was told of
	seen   *Seen
}

// flushEvery is how often results are written out while probes run.
const flushEvery = time.Second

// Run probes until ctx ends, and returns once all is written.
func (s *Schedule) Run(ctx context.Context) {
	if len(s.o.Targets) == 0 && s.series.empty() {
		return
	}
	results := make(chan done, 1024)
	var probing sync.WaitGroup
	for i := range s.o.Targets {
		probing.Go(func() { s.follow(ctx, &s.o.Targets[i], results) })
	}
	go func() { probing.Wait(); close(results) }()
	s.collect(ctx, results)
}

// collect writes results out, those of a second together.
func (s *Schedule) collect(ctx context.Context, results <-chan done) {
	// What has been found is written also while the program stops.
	writing := context.WithoutCancel(ctx)
	s.flush(writing, nil) // ends what left while nothing ran
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var batch []done
	for {
		select {
		case d, open := <-results:
			if !open {
				s.flush(writing, batch)
				return
			}
			if batch = append(batch, d); len(batch) < 2000 {
				continue
			}
		case <-tick.C:
		}
		if len(batch) > 0 {
			s.flush(writing, batch)
			batch = nil
		}
	}
}

// flushTimeout bounds the writing of a batch.
const flushTimeout = 30 * time.Second

func (s *Schedule) flush(ctx context.Context, batch []done) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	if err := s.write(ctx, batch, nil); err != nil {
		s.o.Logger.Warn("results of probes were not written", "probes", len(batch), "err", err)
	}
}

// lateness is from when on a probe counts as late.
const lateness = time.Second

// follow probes a target at each of its slots.
func (s *Schedule) follow(ctx context.Context, t *Target, results chan<- done) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	told := s.o.Now()
	for {
		slot, _ := t.slots(told, told)
		if next := slot.Add(t.Every); !sleep(ctx, timer, next.Sub(s.o.Now())) {
			return
		}
		now := s.o.Now()
		slot, due := t.slots(told, now)
		if due <= 0 { // the clock was set back, or the timer was early
			continue
		}
		told = now
		if now.Sub(slot) >= lateness {
			s.late.Add(1)
		}
		s.missed.Add(uint64(due - 1))
		d := done{target: t, slot: slot, due: due, seen: s.probe(ctx, t, slot.Add(t.Every))}
		if d.seen == nil {
			s.missed.Add(1)
		}
		results <- d
	}
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, timer *time.Timer, d time.Duration) bool {
	timer.Reset(max(d, 0))
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// probe probes a target, if there is room for that before until. It returns nil if
// nothing was probed.
func (s *Schedule) probe(ctx context.Context, t *Target, until time.Time) *Seen {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if err := s.o.Runner.take(waiting); err != nil {
		s.o.Logger.Debug("a target was not probed", "name", t.Name, "target", t.Target, "module", t.Module, "err", err)
		return nil
	}
	defer s.o.Runner.give()
	if _, bound := ctx.Deadline(); bound {
		ctx = waiting // all has to be over by then
	}
	result, err := s.o.Runner.run(ctx, Request{Target: t.Target, Module: t.Module, Hostname: t.Hostname, Timeout: t.Timeout})
	if err != nil {
		s.o.Logger.Debug("a target was not probed", "name", t.Name, "target", t.Target, "module", t.Module, "err", err)
		return nil
	}
	seen := &Seen{Name: t.Name, Region: s.o.Region, Labels: t.Labels, Every: t.Every, Result: result}
	if s.o.History != nil {
		seen.ID = s.o.History.Add(*seen)
	}
	return seen
}
