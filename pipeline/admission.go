package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"narthex"
	"narthex/internal/message"
)

// admission is one batch on its way through the limiter.
type admission struct {
	l        *Limiter
	id       *identity
	b        *narthex.Batch
	folds    folds
	suspects suspects
	why      map[refusal]string
}

// place is where it is noted whether a series is active.
type place struct {
	source *source
	hash   uint64
}

// refusal is what a sentence is for; there may be thousands of series with it.
type refusal struct {
	source *source
	over   reason
	folds  bool
}

// series keeps the series that there is room for, folds those that it can, and
// rejects the others.
func (a *admission) series() {
	l, all := a.l, a.b.Series
	a.find(all)
	defer clear(l.found)
	kept := 0
	for i := range all {
		s, at := &all[i], l.found[i]
		over := reason("")
		if !l.active(at.source, at.hash) {
			a.suspects.look(s.Labels)
			over = l.enter(at.source, at.hash)
		}
		if over != "" {
			a.exceed(at.source, s, over)
			continue
		}
		if kept != i {
			all[kept] = *s
		}
		kept++
	}
	clear(all[kept:])
	a.b.Series = all[:kept]
	for _, f := range a.folds.list {
		a.b.Series = append(a.b.Series, f.series)
	}
	a.folds.warn(a)
}

// find finds the place of each series in l.found, before any of them is looked up:
// the processor then waits for the memory of several at once.
func (a *admission) find(all []narthex.Series) {
	l, cur := a.l, (*source)(nil)
	l.found = slices.Grow(l.found[:0], len(all))
	for i := range all {
		ls := all[i].Labels
		cur = l.source(a.id, ls, cur)
		l.found = append(l.found, place{cur, l.hash(ls)})
	}
}

// exceed folds or rejects a series for which there is no room.
func (a *admission) exceed(src *source, s *narthex.Series, over reason) {
	if a.fold(src, s) {
		a.l.count(a.id, src, over, wasFolded)
		return
	}
	a.l.count(a.id, src, over, wasRejected)
	key := refusal{src, over, a.l.o.Fold && (s.As != narthex.AsDelta || a.b.Cumulative != "")}
	text, ok := a.why[key]
	if !ok {
		if a.why == nil {
			a.why = make(map[refusal]string)
		}
		text = "it is new, and " + a.l.whyFull(src, over)
		if key.folds {
			text += "; only increments can be counted under \"other\""
		}
		a.why[key] = text
	}
	a.b.Reject(s.Labels.String(), text)
}

// group takes all series of the batch, or none and returns the reason.
func (a *admission) group() error {
	var fresh []place
	all := a.b.Series
	if a.b.Group.Op == narthex.GroupFail { // the ledger notes it, in a new group too
		all = []narthex.Series{{Labels: a.b.Group.Labels.With(narthex.MetricName, "push_failure_time_seconds")}}
	}
	a.find(all)
	defer clear(a.l.found)
	for i := range all {
		s, at := &all[i], a.l.found[i]
		if a.l.active(at.source, at.hash) {
			continue
		}
		a.suspects.look(s.Labels)
		over := a.l.enter(at.source, at.hash)
		if over == "" {
			fresh = append(fresh, at)
			continue
		}
		for _, f := range fresh {
			a.l.leave(f.source, f.hash)
		}
		a.l.count(a.id, at.source, over, wasLimited)
		return narthex.Errorf(narthex.TooLarge, "nothing of the group was taken: its series %s is new, and %s",
			message.Clip(s.Labels.String(), 512), a.l.whyFull(at.source, over))
	}
	a.suspects.warn(a.l, a.b)
	return nil
}

// whyFull says what is full, and what to do about it.
func (l *Limiter) whyFull(s *source, over reason) string {
	const remedy = ": leave out the label that makes so many, or raise the limit"
	switch over {
	case reasonSource:
		return fmt.Sprintf("%s %s has %d active series, its limit (%s)", l.o.SourceLabel, message.Quote(s.name), s.id.limits.SeriesPerSource, over.setting()) + remedy
	case reasonIdentity:
		return fmt.Sprintf("the sender has %d active series, its limit (%s)", s.id.limits.Series, over.setting()) + remedy
	}
	return fmt.Sprintf("%d series are active, which is all that are told apart (%s)", l.series, over.setting()) + remedy
}

// warn says in the receipt what was folded.
func (f *folds) warn(a *admission) {
	if f.n == 0 {
		return
	}
	where := "all their labels but " + strings.Join(a.l.o.Keep, ", ")
	if len(a.l.o.FoldLabels) > 0 {
		where = strings.Join(a.l.o.FoldLabels, ", ")
	}
	a.b.Warn(fmt.Sprintf("%d new series were over a limit of active series, so they were counted under the value %q of %s; the first is %s",
		f.n, otherValue, where, message.Clip(f.list[0].origins[0].String(), 512)))
}
