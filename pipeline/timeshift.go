package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"narthex"
	"narthex/internal/message"
)

// shift is what was changed in a batch.
type shift struct {
	changed, dropped int
	most             int64 // ms
	first            narthex.Labels
}

func (x *shift) note(ls narthex.Labels, from, to int64) {
	if x.changed == 0 {
		x.first = ls
	}
	x.changed++
	x.most = max(x.most, from-to, to-from)
}

func (x *shift) text(policy Policy) string {
	text := fmt.Sprintf("the time policy %q changed %d times by up to %s; the first is of %s",
		policy, x.changed, time.Duration(min(x.most, int64(100*365*24*time.Hour/time.Millisecond)))*time.Millisecond, message.Clip(x.first.String(), 512))
	if x.dropped > 0 {
		text += fmt.Sprintf("; %d samples were dropped for newer ones that got the same time", x.dropped)
	}
	return text
}

// series changes the times of one series.
func (r *TimeRule) series(s *narthex.Series, now int64, sum *shift) {
	if s.As == narthex.AsDelta {
		for i := range s.Exemplars {
			r.exemplar(s, &s.Exemplars[i], 0, now, sum)
		}
		return
	}
	move := int64(0)
	if r.Policy == Now {
		newest := int64(0)
		for _, x := range s.Samples {
			newest = max(newest, x.Time)
		}
		if newest != 0 {
			move = now - newest
		}
	}
	crowded := false
	if r.Policy == Clamp { // so that of those that meet the last is the newest
		slices.SortStableFunc(s.Samples, func(a, b narthex.Sample) int { return cmp.Compare(a.Time, b.Time) })
	}
	for i := range s.Samples {
		x := &s.Samples[i]
		if x.Time == 0 { // it gets the arrival's anyway
			continue
		}
		to := r.time(x.Time, move, now)
		if to == x.Time {
			continue
		}
		sum.note(s.Labels, x.Time, to)
		crowded = crowded || r.Policy == Clamp
		if x.Start != 0 {
			x.Start += move
		}
		x.Time = to
	}
	for i := range s.Samples { // counting began before the sample
		if x := &s.Samples[i]; x.Time != 0 {
			x.Start = min(x.Start, x.Time)
		}
	}
	for i := range s.Exemplars {
		r.exemplar(s, &s.Exemplars[i], move, now, sum)
	}
	if crowded {
		before := len(s.Samples)
		s.Samples = lastOfEach(s.Samples)
		sum.dropped += before - len(s.Samples)
	}
}

// lastOfEach returns of samples in order the last at each time.
func lastOfEach(samples []narthex.Sample) []narthex.Sample {
	out := samples[:0]
	for i, x := range samples {
		if i+1 < len(samples) && x.Time != 0 && samples[i+1].Time == x.Time {
			continue
		}
		out = append(out, x)
	}
	return out
}

// time returns what the time becomes.
func (r *TimeRule) time(t, move, now int64) int64 {
	if r.Policy == Now {
		return t + move
	}
	return max(now-r.MaxAge.Milliseconds(), min(t, now+r.MaxFuture.Milliseconds()))
}

func (r *TimeRule) exemplar(s *narthex.Series, e *narthex.Exemplar, move, now int64, sum *shift) {
	if e.Time == 0 {
		return
	}
	to := min(r.time(e.Time, move, now), now+r.MaxFuture.Milliseconds())
	if s.As == narthex.AsDelta && r.Policy == Now {
		to = now
	}
	if to != e.Time {
		sum.note(s.Labels, e.Time, to)
		e.Time = to
	}
}
