package ledger_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

func entry(t testing.TB, id string, digest byte, received time.Time, series ...narthex.Series) *ledger.Entry {
	t.Helper()
	e, err := ledger.NewEntry(&narthex.Batch{ID: id, Digest: narthex.Digest{digest}, Received: received, Series: series})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestFoldIDs(t *testing.T) {
	p := ledger.Policy{Interval: 15 * time.Second, Horizon: time.Hour}
	s := ledger.NewState()
	must := func(e *ledger.Entry, now time.Time, dup bool) {
		t.Helper()
		out, err := s.Fold(e, now.UnixMilli(), p)
		if err != nil || out.Duplicate != dup {
			t.Errorf("duplicate %v, %v; want %v", out.Duplicate, err, dup)
		}
	}
	must(entry(t, "a", 1, epoch, delta(t, "x_total", 1)), epoch, false)
	must(entry(t, "a", 1, epoch, delta(t, "x_total", 1)), epoch, true)
	if _, err := s.Fold(entry(t, "a", 2, epoch, delta(t, "x_total", 1)), epoch.UnixMilli(), p); narthex.KindOf(err) != narthex.Conflict {
		t.Errorf("same id, other body: %v", err)
	}
	// Another identity's "a" is another entry.
	b := &narthex.Batch{ID: "a", Identity: "other", Received: epoch, Series: []narthex.Series{delta(t, "x_total", 1)}}
	e, err := ledger.NewEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	must(e, epoch, false)
	// Within the horizon an id is known, also once it lies in a segment.
	for i := range 50 {
		now := epoch.Add(time.Duration(i) * time.Minute)
		must(entry(t, fmt.Sprint("n", i), 1, now, delta(t, "x_total", 1)), now, false)
	}
	must(entry(t, "a", 1, epoch.Add(59*time.Minute), delta(t, "x_total", 1)), epoch.Add(59*time.Minute), true)
	// A delivery that is older than the horizon is refused and changes nothing.
	late := epoch.Add(3 * time.Hour)
	_, err = s.Fold(entry(t, "late", 1, epoch, delta(t, "x_total", 1)), late.UnixMilli(), p)
	if narthex.KindOf(err) != narthex.Invalid || !strings.Contains(err.Error(), "1h") {
		t.Errorf("late entry: %v", err)
	}
	tickOf(s, late.UnixMilli(), p)
	if _, ids := s.Sizes(); ids < 50 {
		t.Errorf("one tick that may be a clock's leap made the ledger forget: %d ids", ids)
	}
	late = late.Add(15 * time.Second)
	tickOf(s, late.UnixMilli(), p)
	if _, ids := s.Sizes(); ids > 3 {
		t.Errorf("%d ids are kept past the horizon", ids)
	}
	_, v := tickOf(s, late.UnixMilli()+15*sec, p)
	if got := text(v); !strings.HasSuffix(got, " x_total 52\n") {
		t.Errorf("total: %s", got)
	}
}

// Ids lie in the map, in segments and in those that are made of them: each is known,
// and there are few segments, however many ids there are.
func TestIDsInSegments(t *testing.T) {
	const n = 3000
	p := ledger.Policy{OpenIDs: 7, MergedIDs: 500}
	s, now := ledger.NewState(), epoch.UnixMilli()
	for i := range n {
		if out, err := s.Fold(entry(t, fmt.Sprint(i), 1, epoch, delta(t, "x_total", 1)), now, p); err != nil || out.Duplicate {
			t.Fatalf("entry %d: duplicate %v, %v", i, out.Duplicate, err)
		}
	}
	stored, named := map[string][]byte{}, 0
	for _, seg := range s.Segments(func(int64) string { named++; return fmt.Sprint("k", named) }) {
		stored[seg.Key] = seg.Encode()
	}
	if len(stored) < n/p.MergedIDs || len(stored) > 2*n/p.MergedIDs+10 {
		t.Errorf("%d ids lie in %d segments", n, len(stored))
	}
	again, err := ledger.Decode(s.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := again.LoadSegments(func(key string) ([]byte, error) { return stored[key], nil }); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*ledger.State{s, again} {
		for i := range n {
			if out, err := s.Fold(entry(t, fmt.Sprint(i), 1, epoch, delta(t, "x_total", 1)), now, p); err != nil || !out.Duplicate {
				t.Fatalf("entry %d again: duplicate %v, %v", i, out.Duplicate, err)
			}
		}
	}
}

func TestFoldRefusals(t *testing.T) {
	p := ledger.Policy{MaxSeries: 3}
	s := ledger.NewState()
	n := 0
	try := func(x narthex.Series) string {
		n++
		out, err := s.Fold(entry(t, fmt.Sprint(n), 0, epoch, x), epoch.UnixMilli(), p)
		if err != nil {
			return err.Error()
		}
		if len(out.Rejected) > 0 {
			return out.Rejected[0].Series + ": " + out.Rejected[0].Reason
		}
		return "ok"
	}
	for _, c := range []struct {
		s    narthex.Series
		want string
	}{
		{delta(t, "c_total", 1), "ok"},
		{gauge(t, "g", 1, 1), "ok"},
		{gauge(t, "c_total", 1, 1), "c_total: it is pushed as a gauge, but the ledger keeps it as a counter"},
		{delta(t, "g", 1), "g: it is pushed as a counter, but the ledger keeps it as a gauge"},
		{sample(t, "c_total", 1, 1), "c_total: the ledger keeps this series"},
		{delta(t, "c_total", math.MaxFloat64), "ok"},
		{delta(t, "c_total", math.MaxFloat64), "c_total: the total would pass the largest number"},
		{delta(t, "d_total", 1), "ok"},
		{delta(t, "e_total", 1), "e_total: the ledger is full"},
		{delta(t, "d_total", 1), "ok"},
		{sample(t, "raw", 1, 1), "ok"},
	} {
		if got := try(c.s); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %v: %s, want %s", c.s.As, c.s.Labels, got, c.want)
		}
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		_, err := ledger.NewEntry(&narthex.Batch{ID: "x", Received: epoch, Series: []narthex.Series{delta(t, "c_total", bad)}})
		if narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("increment of %v: %v", bad, err)
		}
	}
}

// The state is the same after any number of folds and ticks whether or not it
// is encoded and decoded in between, and totals are the truth, whatever is
// repeated, in whatever order, with whatever step lost and done again.
func TestFoldProperty(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { foldProperty(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func foldProperty(t *testing.T, r *rand.Rand) {
	p := ledger.Policy{Interval: 15 * time.Second, Settle: time.Minute, Idle: 10 * time.Minute}
	st, s := newStore(t), ledger.NewState()
	truth := make(map[string]float64)
	now := epoch
	var all []*ledger.Entry
	// reload is what a crash between two steps amounts to.
	reload := func() {
		again, err := ledger.Decode(s.Encode())
		if err != nil {
			t.Fatal(err)
		}
		s = again
	}
	tick := func() {
		reload()
		saved := s.Encode()
		leads, values := tickOf(s, ledger.Grid(now.UnixMilli(), p.Interval), p)
		for range 1 + r.IntN(2) { // written, or written again after a crash
			for _, g := range [][]narthex.Series{leads, values} {
				if err := st.Write(t.Context(), &narthex.Batch{Series: g, Totals: true}); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(3) == 0 { // the tick itself is done again from the state before it
				again, err := ledger.Decode(saved)
				if err != nil {
					t.Fatal(err)
				}
				s = again
				leads, values = tickOf(s, ledger.Grid(now.UnixMilli(), p.Interval), p)
			}
		}
	}
	for i := range 400 {
		switch r.IntN(10) {
		case 0, 1:
			now = now.Add(time.Duration(r.IntN(60)) * time.Second)
			tick()
		case 2, 3, 4: // a delivery, late or again
			if len(all) > 0 {
				e := all[r.IntN(len(all))]
				if out, err := s.Fold(e, now.UnixMilli(), p); err != nil || !out.Duplicate {
					t.Fatalf("entry delivered again: %+v, %v", out, err)
				}
			}
		default:
			name, v := fmt.Sprintf("c%d_total", r.IntN(20)), float64(r.IntN(100))
			truth[name] += v
			e := entry(t, fmt.Sprint(i), byte(i), now, delta(t, name, v))
			all = append(all, e)
			if r.IntN(4) == 0 { // lost before it was saved, and done again
				saved := s.Encode()
				s.Fold(e, now.UnixMilli(), p)
				var err error
				if s, err = ledger.Decode(saved); err != nil {
					t.Fatal(err)
				}
			}
			if out, err := s.Fold(e, now.UnixMilli(), p); err != nil || out.Duplicate {
				t.Fatalf("new entry: %+v, %v", out, err)
			}
		}
		if r.IntN(5) == 0 {
			reload()
		}
	}
	now = now.Add(time.Minute)
	tick()
	for name, want := range truth {
		if want == 0 {
			continue
		}
		have := st.series[name]
		if len(have) == 0 {
			t.Errorf("%s was never written", name)
			continue
		}
		got := 0.0
		for _, v := range have { // the newest that is no marker
			if !math.IsNaN(v.Value) {
				got = v.Value
			}
		}
		if got != want || have[0].Value != 0 {
			t.Errorf("%s: from %v to %v, want from 0 to %v", name, have[0].Value, got, want)
		}
		if n := st.resets(name); n != 0 {
			t.Errorf("%s has %d resets", name, n)
		}
	}
}
