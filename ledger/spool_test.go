package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// Samples that a destination does not take wait on disk, in order, over a
// restart, and arrive with all that they came with.
func TestOutboxSurvives(t *testing.T) {
	c, near, far := &clock{now: epoch}, newStore(t), newStore(t)
	o := options(t, t.TempDir(), near, c)
	o.Others = map[string]narthex.Sink{"far": far}
	far.away(true)
	l := open(t, o)
	for i := range 500 {
		c.add(time.Second)
		write(t, l, c, fmt.Sprint(i), sample(t, "s", float64(i), c.Now().UnixMilli()))
	}
	if d := l.Destinations()[0]; d.Name != "far" || d.Waiting == 0 {
		t.Errorf("while it is away: %+v", d)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	far.away(false)
	l = open(t, o)
	poll(t, "all samples are there", func() bool { return far.samples() == 500 && far.last("s") == 499 })
	poll(t, "the outbox is empty", func() bool { return l.Destinations()[0].Waiting == 0 })
	if far.refused > 0 || near.samples() != 500 {
		t.Errorf("%d out of order, %d near", far.refused, near.samples())
	}
}

// What a destination that is away for too long can't be given is given up,
// oldest first, and counted.
func TestOutboxBounds(t *testing.T) {
	for what, set := range map[string]func(*ledger.Options){
		"bytes": func(o *ledger.Options) { o.OutboxBytes = 6 << 20 },
		"age":   func(o *ledger.Options) { o.OutboxAge = 500 * time.Second },
	} {
		c, far := &clock{now: epoch}, newStore(t)
		o := options(t, t.TempDir(), nil, c)
		o.Sink, o.Others = nil, map[string]narthex.Sink{"far": far}
		set(&o)
		far.away(true)
		l := open(t, o)
		help := strings.Repeat("x", 16<<10)
		for i := range 1000 {
			c.add(time.Second)
			s := sample(t, "s", float64(i), c.Now().UnixMilli())
			s.Help = help
			write(t, l, c, fmt.Sprint(i), s)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		far.away(false)
		l = open(t, o)
		poll(t, what+": the newest is there", func() bool { return far.last("s") == 999 && l.Destinations()[0].Waiting == 0 })
		if n := far.samples(); n < 200 || n > 700 {
			t.Errorf("%s: %d samples arrived", what, n)
		}
		if what == "age" && l.Destinations()[0].Dropped == 0 {
			t.Errorf("%s: nothing is counted", what)
		}
	}
}

// Starts and exemplars of samples go the same way.
func TestOutboxKeepsAll(t *testing.T) {
	c := &clock{now: epoch}
	var got []narthex.Series
	arrived, away := make(chan struct{}), true
	sink := narthex.SinkFunc(func(_ context.Context, b *narthex.Batch) error {
		if away {
			away = false
			return errAway
		}
		got = b.Series
		close(arrived)
		return nil
	})
	o := options(t, t.TempDir(), nil, c)
	o.Sink = sink
	l := open(t, o)
	s := sample(t, "s", 1, epoch.UnixMilli()-5000)
	s.Samples[0].Start = epoch.UnixMilli() - 60000
	s.Exemplars = []narthex.Exemplar{{Labels: labels(t, "x", "trace_id", "abc"), Time: epoch.UnixMilli() - 5000, Value: 0.5}}
	write(t, l, c, "a", s)
	<-arrived
	if len(got) != 1 || got[0].Samples[0].Start != epoch.UnixMilli()-60000 || len(got[0].Exemplars) != 1 ||
		got[0].Exemplars[0].Value != 0.5 || got[0].Exemplars[0].Labels.Get("trace_id") != "abc" || got[0].Exemplars[0].Time != epoch.UnixMilli()-5000 {
		t.Errorf("got %+v", got)
	}
}
