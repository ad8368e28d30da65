package push

import (
	"fmt"
	"slices"
	"time"

	"narthex"
)

// distinct sorts samples by time and drops repetitions. Two values at one time
// are an error.
func distinct(samples []narthex.Sample) ([]narthex.Sample, error) {
	slices.SortStableFunc(samples, func(a, b narthex.Sample) int {
		return int(max(-1, min(a.Time-b.Time, 1)))
	})
	out := samples[:1]
	for _, s := range samples[1:] {
		switch before := out[len(out)-1]; {
		case before.Time != s.Time:
			out = append(out, s)
		case before.Value != s.Value:
			return nil, twoValues(s.Time, before.Value, s.Value)
		}
	}
	return out, nil
}

func twoValues(t int64, first, second float64) error {
	return fmt.Errorf("it has two values at the time %s, %v and %v: give each its own timestamp, or send what is to be added up as a delta",
		time.UnixMilli(t).UTC().Format("2006-01-02T15:04:05.000Z07:00"), first, second)
}

// merge adds an entry to the series at the index, which has the same labels,
// or nothing of it and returns the reason.
func (c *collector) merge(at int, e *entry) error {
	s := &c.push.Batch.Series[at]
	if s.As != e.as {
		return fmt.Errorf("it is a %s here and a %s earlier in the same push: a series is one or the other", e.as, s.As)
	}
	if was, is := s.Samples[0].Histogram, e.samples[0].Histogram; (was == nil) != (is == nil) {
		return fmt.Errorf("it is a histogram here or earlier in the same push, but not in both: give one of the two another name")
	} else if is != nil && (was.Schema != is.Schema || !slices.Equal(was.Bounds, is.Bounds)) {
		return fmt.Errorf("it has other buckets here than earlier in the same push: use one layout for the name")
	}
	fresh := e.samples
	if e.as == narthex.AsSample {
		var err error
		if fresh, err = c.unseen(at, s.Samples, e.samples); err != nil {
			return err
		}
	}
	s.Samples = append(s.Samples, fresh...)
	if c.push.repeats == nil {
		c.push.repeats = make(map[string]int)
	}
	c.push.repeats[s.Labels.String()]++
	return nil
}

// unseen returns those of more whose times the series at the index, which has
// the samples, does not have yet.
func (c *collector) unseen(at int, samples, more []narthex.Sample) ([]narthex.Sample, error) {
	byTime := c.times[at]
	if byTime == nil {
		byTime = make(map[int64]float64, len(samples))
		for _, s := range samples {
			byTime[s.Time] = s.Value
		}
		if c.times == nil {
			c.times = make(map[int]map[int64]float64)
		}
		c.times[at] = byTime
	}
	fresh := more[:0:0]
	for _, s := range more {
		v, found := byTime[s.Time]
		if !found {
			fresh = append(fresh, s)
		} else if v != s.Value {
			return nil, twoValues(s.Time, v, s.Value)
		}
	}
	for _, s := range fresh {
		byTime[s.Time] = s.Value
	}
	return fresh, nil
}

// last returns the sample with the greatest time, of several the last one.
func last(samples []narthex.Sample) []narthex.Sample {
	at := 0
	for i, s := range samples {
		if s.Time >= samples[at].Time {
			at = i
		}
	}
	return samples[at : at+1 : at+1]
}
