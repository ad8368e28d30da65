package push

import (
	"fmt"
	"math"
	"slices"
	"time"

	"narthex"
	"narthex/internal/message"
)

// collector makes a batch of entries.
type collector struct {
	o    *Options
	now  int64 // milliseconds
	push *Push
	// index has, by a series' key, where it stands in the batch.
	index map[string]int
	key   []byte // scratch
	// times has the samples by time, of series (by index) that occur in more
	// than one entry.
	times  map[int]map[int64]float64
	future future
}

// future is what was found to lie after the time of arrival.
type future struct {
	samples int
	most    time.Duration
	series  string // the first one
}

func (c *collector) collect(service string, entries []entry) {
	c.index = make(map[string]int, len(entries))
	c.push.Batch.Series = make([]narthex.Series, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		labels, err := withService(e.labels, service)
		if err == nil {
			err = c.o.Names.Check(labels)
		}
		if err == nil {
			err = c.take(labels, e)
		}
		if err != nil {
			text := seriesText(labels)
			if len(labels) == 0 {
				text = fmt.Sprintf("entry %d of the push", i+1)
			}
			c.push.Batch.Reject(text, err.Error())
			c.push.rejected++
		}
	}
	if f := c.future; f.samples > 0 {
		c.push.Warnings = append(c.push.Warnings, fmt.Sprintf(
			"%d samples had timestamps up to %v ahead of the server's clock and were given the time of arrival; the first is of %s",
			f.samples, f.most, message.Clip(f.series, maxText)))
	}
}

// withService returns the labels sorted, with the service's label.
func withService(ls []narthex.Label, service string) (narthex.Labels, error) {
	other := ""
	for _, l := range ls {
		if l.Name == "service" && l.Value != "" && service != "" {
			other = l.Value
		}
	}
	if other == "" && service != "" {
		ls[len(ls)-1] = narthex.Label{Name: "service", Value: service}
	}
	labels, err := narthex.NewLabels(ls...)
	switch {
	case err != nil:
		all := slices.DeleteFunc(narthex.Labels(ls), func(l narthex.Label) bool { return l.Value == "" })
		return all, err
	case other != "" && other != service:
		return labels, fmt.Errorf("its label service is %s, but the push's service is %s: leave one of them out", message.Quote(other), message.Quote(service))
	}
	return labels, nil
}

// take adds an entry to the batch, or nothing of it and returns the reason.
func (c *collector) take(labels narthex.Labels, e *entry) error {
	if e.ruled {
		e.as = c.rule(labels)
	}
	if e.histogram {
		if err := c.observe(labels, e); err != nil {
			return err
		}
	}
	if len(e.samples) == 0 {
		return fmt.Errorf("it has no samples")
	}
	ahead := future{}
	for i := range e.samples {
		if err := c.check(&e.samples[i], e.as, &ahead); err != nil {
			return err
		}
	}
	if e.as == narthex.AsSample {
		var err error
		if e.samples, err = distinct(e.samples); err != nil {
			return err
		}
	}
	c.key = labels.AppendKey(c.key[:0])
	at, found := c.index[string(c.key)]
	if found {
		if err := c.merge(at, e); err != nil {
			return err
		}
	} else {
		c.index[string(c.key)] = len(c.push.Batch.Series)
		c.push.Batch.Series = append(c.push.Batch.Series, narthex.Series{
			Labels: labels, Type: e.typ(), As: e.as, Samples: e.samples})
		at = len(c.push.Batch.Series) - 1
	}
	if e.as == narthex.AsGauge {
		c.push.Batch.Series[at].Samples = last(c.push.Batch.Series[at].Samples)
	}
	if ahead.samples > 0 {
		if c.future.samples == 0 {
			c.future.series = labels.String()
		}
		c.future.samples += ahead.samples
		c.future.most = max(c.future.most, ahead.most)
	}
	return nil
}

func (c *collector) rule(labels narthex.Labels) narthex.As {
	for _, r := range c.o.Rules {
		if r.matches(labels) {
			return r.As
		}
	}
	return narthex.AsSample
}

// typ returns the type of the series that the entry makes.
func (e *entry) typ() narthex.Type {
	switch {
	case e.histogram:
		return narthex.TypeHistogram
	case e.as == narthex.AsDelta:
		return narthex.TypeCounter
	case e.as == narthex.AsGauge:
		return narthex.TypeGauge
	}
	return narthex.TypeUnknown
}

// check looks at a sample and sets its time, if it has none or one in the
// future.
func (c *collector) check(s *narthex.Sample, as narthex.As, ahead *future) error {
	switch {
	case math.IsInf(s.Value, 0) || math.IsNaN(s.Value):
		return fmt.Errorf("a value is too large for a 64-bit floating-point number")
	case as == narthex.AsDelta && s.Value < 0:
		return fmt.Errorf("the increment %v is negative: a counter only goes up; send what goes down as a gauge", s.Value)
	case s.Time == 0:
		s.Time = c.now
	case s.Time > c.now:
		ahead.samples++
		ahead.most = max(ahead.most, span(s.Time-c.now))
		s.Time = c.now
	case s.Time < c.now/100: // 1970, or the right time in seconds
		return fmt.Errorf("the timestamp %d is decades ago: timestamps are milliseconds since 1970", s.Time)
	case as == narthex.AsDelta && span(c.now-s.Time) > c.o.Horizon:
		return fmt.Errorf("an increment has the time %s, which is older than the horizon of %s: a retry this late could not be recognised, so it is refused",
			time.UnixMilli(s.Time).UTC().Format(time.RFC3339), message.Duration(c.o.Horizon))
	}
	return nil
}

// span is a duration of so many milliseconds, or the longest there is.
func span(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}
