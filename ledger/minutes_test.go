package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

// Increments that come in any order, up to lateness after they happened, are
// written in the minute in which they happened: its total is the difference of
// two stored samples. What comes later is counted all the same. Stores that
// fail and a state that is saved and loaded at each step change nothing.
func TestMinutesProperty(t *testing.T) {
	const lateness = 15 * time.Minute
	r := rand.New(rand.NewPCG(7, 8))
	p, st := ledger.Policy{}, newStore(t)
	s := ledger.NewState()
	perMinute, total, beyond := map[string]map[int64]float64{}, map[string]float64{}, 0
	first := map[string]int64{}
	now := epoch.UnixMilli()
	for i := range 4 * 60 * 6 { // six hours
		now += 15 * sec
		quiet := i%400 > 300 // the series rest for a while, some beyond idle
		for range r.IntN(4) {
			if quiet {
				break
			}
			name := fmt.Sprintf("c%d_total", r.IntN(5))
			at := now - r.Int64N(lateness.Milliseconds()-90*sec)
			if r.IntN(50) == 0 {
				at = now - lateness.Milliseconds() - r.Int64N(3600*sec)
				beyond++
			} else {
				if perMinute[name] == nil {
					perMinute[name] = map[int64]float64{}
				}
				perMinute[name][at/60000]++
			}
			if _, ok := first[name]; !ok {
				first[name] = at
			}
			total[name]++
			d := delta(t, name, 1)
			d.Samples[0].Time = at
			e, err := ledger.NewEntry(&narthex.Batch{Received: time.UnixMilli(now), Series: []narthex.Series{d}, Lateness: lateness})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Fold(e, now, p); err != nil {
				t.Fatal(err)
			}
		}
		leads, values := s.Tick(now, p)
		if len(values) > 0 {
			t.Fatalf("values at the tick: %s", text(values))
		}
		if r.IntN(3) > 0 { // else the store is away
			if err := st.Write(context.Background(), &narthex.Batch{Series: leads, Totals: true}); err != nil {
				t.Fatal(err)
			}
			s.Took("store", now, p)
		}
		var err error
		if s, err = ledger.Decode(s.Encode()); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 * 120 {
		now += 15 * sec
		leads, _ := s.Tick(now, p)
		if err := st.Write(context.Background(), &narthex.Batch{Series: leads, Totals: true}); err != nil {
			t.Fatal(err)
		}
		s.Took("store", now, p)
	}
	if st.refused > 0 {
		t.Errorf("%d samples were out of order", st.refused)
	}
	off := 0.0
	for name, want := range total {
		if got := greatest(st, name); got != want || st.resets(name) > 0 {
			t.Errorf("%s is %v, want %v; %d resets", name, got, want, st.resets(name))
		}
		stored := map[int64]float64{}
		was := 0.0
		for _, x := range st.series[name] {
			if x.Value == x.Value { // no marker
				if x.Time%60000 == 0 {
					stored[x.Time/60000-1] = x.Value - was
				}
				was = x.Value
			}
		}
		for minute, n := range perMinute[name] {
			off += max(0, n-stored[minute])
			delete(stored, minute)
		}
		for _, n := range stored {
			off += n
		}
	}
	// Each late one may be in a minute of others.
	if beyond == 0 || off > float64(beyond) {
		t.Errorf("%v increments are in another minute than theirs, %d were late", off, beyond)
	}
}

// What came too late is counted as such.
func TestLateIsCounted(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	for _, ago := range []time.Duration{time.Minute, 2 * time.Hour} {
		d := delta(t, "c_total", 1)
		d.Samples[0].Time = epoch.Add(-ago).UnixMilli()
		if err := l.Write(t.Context(), &narthex.Batch{Received: c.Now(), Series: []narthex.Series{d}, Lateness: 15 * time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Stats().Late; got != 1 {
		t.Errorf("%d late increments, want 1", got)
	}
}
