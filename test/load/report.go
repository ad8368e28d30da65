package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what is written.
type report struct {
	Options string    `json:"options"`
	Begun   time.Time `json:"begun"`
	Cores   int       `json:"cores"`
	Go      string    `json:"go"`
	Most    float64   `json:"most_per_second"`
	Passed  bool      `json:"passed"`
	Verdict []check   `json:"verdict"`
	Phases  []phase   `json:"phases"`
	Samples []sample  `json:"samples"`
	Counted int64     `json:"counted"` // increments, observations and samples that were compared
	Wrong   []string  `json:"wrong"`
	Stopped string    `json:"stopped,omitempty"`

	loose bool
}

// phase is what one came to.
type phase struct {
	Name     string         `json:"name"`
	Offered  int            `json:"offered"`
	Unsent   int            `json:"not_sent"` // were due when too many were under way
	Busy     int            `json:"answered_429"`
	Rude     int            `json:"without_retry_after"`
	Kinds    map[string]int `json:"answered"`
	Failures map[string]int `json:"failures"`
}

// check is one bound.
type check struct {
	What   string `json:"what"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Passed bool   `json:"passed"`
	Judged bool   `json:"judged"` // it counts
}

func (r *report) check(passed bool, what, got, want string) {
	r.Verdict = append(r.Verdict, check{what, got, want, passed, true})
}

// speed is check for what depends on the machine.
func (r *report) speed(passed bool, what, got, want string) {
	r.Verdict = append(r.Verdict, check{what, got, want, passed, !r.loose})
}

// judge compares what was seen with the bounds.
func (r *report) judge(o options, w *watch, d *driver) {
	r.loose = o.loose
	r.Cores, r.Go, r.Samples, r.Counted = runtime.NumCPU(), runtime.Version(), w.samples, d.truth.total()
	for _, name := range []string{measuring, steady, overloaded, recovering} {
		t := w.totals[name]
		r.Phases = append(r.Phases, phase{name, t.offered, t.unsent, len(t.busy), t.rude, t.kinds, t.failures})
	}
	r.judgeSteady(o, w)
	r.judgeOverload(o, w)
	r.judgeRecovery(o, w)
	late := d.take().failures
	r.check(len(r.Wrong) == 0 && r.Counted > 0 && len(late) == 0, "the store has exactly what was acknowledged",
		fmt.Sprintf("%d increments, observations and samples; %s", r.Counted, cmp.Or(strings.Join(r.Wrong, "; "), "no difference")), "no difference")
	r.check(r.Stopped == "", "narthex stops when asked", cmp.Or(r.Stopped, "exit code 0"), "exit code 0")
	r.Passed = !slices.ContainsFunc(r.Verdict, func(c check) bool { return c.Judged && !c.Passed })
}

// explained is how much of the memory has its reason in the work and not in a leak:
// the ids of pushes, which are remembered for a day, and the chunks of samples that
// the store's head refers to until it writes a block, after three hours.
func (x sample) explained() float64 { return bytesOfID*x.IDs + bytesOfChunk*x.Chunks }

// Bytes of memory: see docs/scale.md.
const bytesOfID, bytesOfChunk = 40, 64

// judgeSteady looks at the steady load, and at growth after a fifth of it.
func (r *report) judgeSteady(o options, w *watch) {
	all := w.of(steady)
	warm := o.duration.Seconds() / 5
	var list []sample
	for _, x := range all {
		if x.Seconds >= warm && !x.Missed {
			list = append(list, x)
		}
	}
	r.none(w, steady)
	rate := float64(w.totals[steady].offered-len(w.totals[steady].busy)) / o.duration.Seconds()
	r.speed(rate >= 0.95*o.ratio*r.Most && len(w.totals[steady].busy) == 0, "the steady load is taken whole", fmt.Sprintf("%.0f/s, %d answered 429", rate, len(w.totals[steady].busy)), fmt.Sprintf("%.0f/s, none answered 429", o.ratio*r.Most))
	for _, x := range []struct {
		what  string
		of    func(sample) float64
		slack float64
		unit  float64
		name  string
	}{
		{"the heap after a collection, without ids and chunks,", func(x sample) float64 { return x.Heap - x.explained() }, 32 << 20, 1 << 20, "MiB"},
		// The collector lets as much again come to lie beside what is alive.
		{"resident memory that is no file's, without twice that,", func(x sample) float64 { return x.Anonymous - 2*x.explained() }, 64 << 20, 1 << 20, "MiB"},
		{"goroutines", func(x sample) float64 { return x.Goroutines }, 20, 1, ""},
		{"descriptors", func(x sample) float64 { return x.FDs }, 20, 1, ""},
	} {
		grown, median := trend(list, x.of)
		bound := o.growth*median + x.slack
		r.check(len(list) > 2 && grown <= bound, "growth of "+x.what+" in the steady load", fmt.Sprintf("%+.1f %s, median %.1f", grown/x.unit, x.name, median/x.unit), fmt.Sprintf("at most %.1f %s", bound/x.unit, x.name))
	}
	r.speedAtMost(all, "lag of the store behind the ticks, steady", func(x sample) float64 { return x.Lag }, o.interval.Seconds(), "s")
	r.speedAtMost(all, "a tick is in the store after its time, steady", func(x sample) float64 { return x.TickLag }, float64(o.interval.Milliseconds()), "ms")
	r.speedMedian(list, "99% of pushes take, steady", func(x sample) float64 { return x.P99 }, float64(o.calm.Milliseconds()), "ms")
}

func (r *report) judgeOverload(o options, w *watch) {
	list, t := w.of(overloaded), w.totals[overloaded]
	r.none(w, overloaded)
	offered := float64(t.offered) / o.step.Seconds()
	r.speed(offered >= 1.1*r.Most, "the overload is one", fmt.Sprintf("%.0f/s offered, %.2f of the most", offered, offered/r.Most), "1.1 of the most at least")
	r.check(len(t.busy) > 0 && t.rude == 0, "it is answered 429, with Retry-After", fmt.Sprintf("%d of %d, %d without", len(t.busy), t.offered, t.rude), "some, none without")
	r.speed(w.answered(overloaded) >= 0.25*r.Most, "what is taken meanwhile", fmt.Sprintf("%.0f/s, %.2f of the most", w.answered(overloaded), w.answered(overloaded)/r.Most), "a quarter of the most at least")
	r.speedMedian(list, "99% of pushes that are taken take, overload", func(x sample) float64 { return x.P99 }, 5000, "ms")
	r.speedMedian(list, "99% of answers 429 take", func(x sample) float64 { return x.BusyP99 }, 5000, "ms")
	mib := func(x sample) float64 { return x.Resident / (1 << 20) }
	got, bound := most(list, mib), 2*median(w.of(steady), mib)+512
	r.check(len(list) > 0 && got <= bound, "resident memory, overload", fmt.Sprintf("%.0f MiB at most", got), fmt.Sprintf("%.0f MiB at most", bound))
}

// judgeRecovery looks at the half of the time after the overload that comes last.
func (r *report) judgeRecovery(o options, w *watch) {
	r.none(w, recovering)
	var list []sample
	for _, x := range w.of(recovering) {
		if x.Seconds > o.recovery.Seconds()/2 {
			list = append(list, x)
		}
	}
	within := fmt.Sprintf("after %v", o.recovery/2)
	r.speedMedian(list, "99% of pushes take, "+within, func(x sample) float64 { return x.P99 }, float64(o.calm.Milliseconds()), "ms")
	r.speedAtMost(list, "lag of the store behind the ticks, "+within, func(x sample) float64 { return x.Lag }, o.interval.Seconds(), "s")
	r.speedMedian(list, "answers 429 a second, "+within, func(x sample) float64 { return x.Busy }, 0, "")
}

// none checks that nothing failed in a phase.
func (r *report) none(w *watch, phase string) {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(w.totals[phase].failures)) {
		list = append(list, fmt.Sprintf("%d × %s", w.totals[phase].failures[k], k))
	}
	r.check(len(list) == 0, "requests without a proper answer, "+phase, cmp.Or(strings.Join(list, "; "), "none"), "none")
}

func (r *report) speedAtMost(list []sample, what string, of func(sample) float64, bound float64, unit string) {
	got := most(list, of)
	r.speed(len(list) > 0 && got <= bound, what, fmt.Sprintf("%.1f %s at most", got, unit), fmt.Sprintf("%.1f %s at most", bound, unit))
}

func most(list []sample, of func(sample) float64) (m float64) {
	for _, x := range list {
		m = max(m, of(x))
	}
	return m
}

func (r *report) speedMedian(list []sample, what string, of func(sample) float64, bound float64, unit string) {
	m := median(list, of)
	r.speed(len(list) > 0 && m <= bound, what, fmt.Sprintf("%.1f %s in the middle of %d samples", m, unit, len(list)), fmt.Sprintf("%.1f %s at most", bound, unit))
}

func median(list []sample, of func(sample) float64) float64 {
	var values []float64
	for _, x := range list {
		values = append(values, of(x))
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

// trend returns by how much something grew over the samples, and its median. The
// slope is the median of those between all pairs of samples, which a few that are far
// off do not move.
//
// Source: Theil and Sen, "Estimates of the regression coefficient based on Kendall's
// tau", 1968.
func trend(list []sample, of func(sample) float64) (grown, middle float64) {
	var slopes []float64
	for i, a := range list {
		for _, b := range list[i+1:] {
			if b.Seconds > a.Seconds {
				slopes = append(slopes, (of(b)-of(a))/(b.Seconds-a.Seconds))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, median(list, of)
	}
	slices.Sort(slopes)
	return slopes[len(slopes)/2] * (list[len(list)-1].Seconds - list[0].Seconds), median(list, of)
}

// write writes the report: to the directory, or as text to the standard output.
func (r *report) write(dir string) error {
	if dir == "" {
		return r.text(os.Stdout)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "report.md"))
	if err != nil {
		return err
	}
	if err := r.text(io.MultiWriter(f, os.Stdout)); err != nil {
		return err
	}
	return f.Close()
}
