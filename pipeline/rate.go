package pipeline

import (
	"fmt"
	"strconv"
	"time"

	"narthex"
	"narthex/internal/message"
)

// bucket is a token bucket. It may owe: a push larger than the bucket is taken
// when it is full.
type bucket struct {
	tokens float64
	at     int64 // when tokens was right, ms; 0 is never: it is full
}

// wait returns how long n tokens are not to be had, at rate tokens a second.
func (b *bucket) wait(now int64, rate float64, burst time.Duration, n float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	size := max(1, rate*burst.Seconds())
	if b.at == 0 {
		b.tokens = size
	} else {
		b.tokens = min(size, b.tokens+rate*float64(now-b.at)/1000)
	}
	b.at = now
	if lack := min(n, size) - b.tokens; lack > 1e-9 {
		return time.Duration(min(lack/rate, maxWait.Seconds()) * float64(time.Second))
	}
	return 0
}

const maxWait = 24 * time.Hour

// rates takes the push's tokens from all buckets that it needs some of, or from
// none. What belongs to a push that has begun is no push of its own, and is paid
// off afterwards.
func (l *Limiter) rates(id *identity, b *narthex.Batch, begun bool) error {
	if begun {
		l.owe(id, b)
		return nil
	}
	m := &id.limits
	samples := 0
	for i := range b.Series {
		samples += len(b.Series[i].Samples)
	}
	who := "the sender " + message.Quote(b.Identity)
	if err := l.full(id, nil, &id.pushes, m.Pushes, 1, who, reasonPushes); err != nil {
		return err
	}
	if err := l.full(id, nil, &id.samples, m.Samples, float64(samples), who, reasonSamples); err != nil {
		return err
	}
	due, err := l.sourceRates(id, b)
	if err != nil {
		return err
	}
	id.pushes.tokens--
	id.samples.tokens -= float64(samples)
	for _, s := range due {
		s.pushes.tokens--
		s.samples.tokens -= float64(s.due)
	}
	return nil
}

// owe takes the samples' tokens, whether they are there or not.
func (l *Limiter) owe(id *identity, b *narthex.Batch) {
	m, cur := &id.limits, (*source)(nil)
	id.samples.wait(l.now, m.Samples, m.Burst, 0) // what has come in until now
	for i := range b.Series {
		n := float64(len(b.Series[i].Samples))
		id.samples.tokens -= n
		if m.SourceSamples > 0 {
			cur = l.source(id, b.Series[i].Labels, cur)
			cur.samples.wait(l.now, m.SourceSamples, m.Burst, 0)
			cur.samples.tokens -= n
		}
	}
}

// sourceRates returns the sources that the push is of, if there are limits for
// them, with the samples that it has of each.
func (l *Limiter) sourceRates(id *identity, b *narthex.Batch) ([]*source, error) {
	if id.limits.SourcePushes <= 0 && id.limits.SourceSamples <= 0 {
		return nil, nil
	}
	due, cur := l.due[:0], (*source)(nil)
	for i := range b.Series {
		s := &b.Series[i]
		if cur = l.source(id, s.Labels, cur); cur.round != l.pass {
			cur.round, cur.due = l.pass, 0
			due = append(due, cur)
		}
		cur.due += len(s.Samples)
	}
	l.due = due
	for _, s := range due {
		who := l.o.SourceLabel + " " + message.Quote(s.name)
		if err := l.full(id, s, &s.pushes, id.limits.SourcePushes, 1, who, reasonSourcePushes); err != nil {
			return nil, err
		}
		if err := l.full(id, s, &s.samples, id.limits.SourceSamples, float64(s.due), who, reasonSourceSamples); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// full returns the error of a bucket that has not enough.
func (l *Limiter) full(id *identity, s *source, b *bucket, rate float64, n float64, who string, why reason) error {
	wait := b.wait(l.now, rate, id.limits.Burst, n)
	if wait == 0 {
		return nil
	}
	l.count(id, s, why, wasLimited)
	return &narthex.Error{Kind: narthex.Limited, After: wait, Msg: fmt.Sprintf(
		"%s sends more than %s a second (%s): try again in %s, under the same id",
		who, strconv.FormatFloat(rate, 'g', -1, 64)+" "+why.noun(), why.setting(), roundUp(wait))}
}

func roundUp(d time.Duration) time.Duration {
	if d < time.Second {
		return time.Second
	}
	return (d + time.Second - 1).Truncate(time.Second)
}
