package tsdb_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"narthex"
	"narthex/tsdb"
)

// writeRow is a case of TestWriteTable.
type writeRow struct {
	name    string
	window  time.Duration
	pushes  [][]narthex.Series // the last one is the one in question
	want    []point
	refused []string // one substring for each rejection of the last push
}

// writeRows are what Prometheus's remote-write receiver was asked, with and
// without an out-of-order window; ours answers otherwise where Prometheus loses
// or flips a value in silence.
func writeRows() []writeRow {
	m := name("m")
	const window = 30 * time.Minute
	return []writeRow{
		{"older sample, in order only", 0, [][]narthex.Series{{floats(m, 10, 1)}, {floats(m, 5, 2)}}, []point{{10, 1}},
			[]string{"out of order"}},
		{"older sample, in the window", window, [][]narthex.Series{{floats(m, 10, 1)}, {floats(m, 5, 2)}}, []point{{5, 2}, {10, 1}}, nil},
		{"newest again", 0, [][]narthex.Series{{floats(m, 10, 1)}, {floats(m, 10, 1)}}, []point{{10, 1}}, nil},
		{"older one again, in order only", 0, [][]narthex.Series{{floats(m, 5, 1, 10, 2)}, {floats(m, 5, 1)}}, []point{{5, 1}, {10, 2}}, nil},
		{"older one again, in the window", window, [][]narthex.Series{{floats(m, 5, 1, 10, 2)}, {floats(m, 5, 1)}}, []point{{5, 1}, {10, 2}}, nil},
		{"late one again", window, [][]narthex.Series{{floats(m, 10, 2)}, {floats(m, 5, 1)}, {floats(m, 5, 1)}}, []point{{5, 1}, {10, 2}}, nil},
		{"newest, other value, in order only", 0, [][]narthex.Series{{floats(m, 10, 2)}, {floats(m, 10, 99)}}, []point{{10, 2}},
			[]string{"there is 2, the push says 99"}},
		{"newest, other value, window", window, [][]narthex.Series{{floats(m, 10, 2)}, {floats(m, 10, 99)}}, []point{{10, 2}},
			[]string{"there is 2, the push says 99"}},
		{"older, other value, in order only", 0, [][]narthex.Series{{floats(m, 5, 2, 10, 3)}, {floats(m, 5, 77)}}, []point{{5, 2}, {10, 3}},
			[]string{"there is 2, the push says 77"}},
		{"older, other value, window", window, [][]narthex.Series{{floats(m, 5, 2, 10, 3)}, {floats(m, 5, 77)}}, []point{{5, 2}, {10, 3}},
			[]string{"there is 2, the push says 77"}},
		{"late, other value, window", window, [][]narthex.Series{{floats(m, 10, 3)}, {floats(m, 5, 2)}, {floats(m, 5, 1)}}, []point{{5, 2}, {10, 3}},
			[]string{"there is 2, the push says 1"}},
		{"before the window", window, [][]narthex.Series{{floats(m, 0, 1)}, {floats(m, -100*60e3, 2)}}, []point{{0, 1}},
			[]string{"too old: it is outside the out-of-order window of 30m before the newest sample in the store (2027-01-15T08:00:00.000Z)"}},
		{"before the window, new series", window, [][]narthex.Series{{floats(name("other"), 0, 1)}, {floats(m, -100*60e3, 2)}}, nil,
			[]string{"too old"}},
		{"long ago, in order only", 0, [][]narthex.Series{{floats(m, 0, 1)}, {floats(m, -100*60e3, 2)}}, []point{{0, 1}},
			[]string{"out of bounds: the store takes none before 2027-01-15T07:00:00.000Z now; storage.out_of_order_time_window"}},
		{"5 minutes ahead", 0, [][]narthex.Series{{floats(m, 5*60e3, 1)}}, []point{{5 * minute, 1}}, nil},
		{"20 minutes ahead", window, [][]narthex.Series{{floats(m, 20*60e3, 1)}}, nil,
			[]string{"2027-01-15T08:20:00.000Z is in the future: it is more than 10m ahead of this server's clock (2027-01-15T08:00:00.000Z)"}},
		{"older than the retention", window, [][]narthex.Series{{floats(m, -31*24*3600e3, 1)}}, nil, []string{"samples are kept for 30d"}},
		{"one push, one time, two values", window, [][]narthex.Series{{floats(m, 5, 1, 5, 2, 5, 1)}}, []point{{5, 1}},
			[]string{"another value for this series and time is in the same push: at 2027-01-15T08:00:00.005Z it says 1 and then 2"}},
		{"one push, one series twice", 0, [][]narthex.Series{{floats(m, 5, 1), floats(m, 4, 7, 5, 2)}}, []point{{4, 7}, {5, 1}},
			[]string{"in the same push"}},
		{"one push, falling times", 0, [][]narthex.Series{{floats(m, 10, 1, 5, 2, 20, 3)}}, []point{{5, 2}, {10, 1}, {20, 3}}, nil},
		{"good, too old, good", window, [][]narthex.Series{{floats(m, 0, 1)}, {floats(m, 1, 2, -100*60e3, 9, 2, 3)}}, []point{{0, 1}, {1, 2}, {2, 3}},
			[]string{"too old"}},
		{"UTF-8 name", 0, [][]narthex.Series{{floats(m, 0, 1), floats(name("good", "1bad-label", "x"), 0, 2)}}, []point{{0, 1}}, nil},
		{"no name", 0, [][]narthex.Series{{floats(m, 0, 1), floats(narthex.Labels{{Name: "a", Value: "b"}}, 0, 2)}}, []point{{0, 1}},
			[]string{`{a="b"}: it has no metric name`}},
		{"label twice", 0, [][]narthex.Series{{floats(m, 0, 1), floats(append(name("m"), narthex.Label{Name: "a", Value: "1"}, narthex.Label{Name: "a", Value: "2"}), 0, 2)}}, []point{{0, 1}},
			[]string{`label "a" is given twice`}},
		{"not UTF-8", 0, [][]narthex.Series{{floats(m, 0, 1), floats(name("m", "a", "\xff"), 0, 2)}}, []point{{0, 1}},
			[]string{"not UTF-8"}},
		{"unsorted labels", 0, [][]narthex.Series{{floats(narthex.Labels{{Name: "z", Value: ""}, {Name: narthex.MetricName, Value: "m"}}, 0, 1)}}, []point{{0, 1}}, nil},
		{"no time", 0, [][]narthex.Series{{floats(m, 0, 1, -float64(t0), 2)}}, []point{{0, 1}}, []string{"has no time"}},
		{"empty", 0, [][]narthex.Series{nil}, nil, nil},
		{"NaN again", window, [][]narthex.Series{{floats(m, 0, math.Inf(1), 1, 2)}, {floats(m, 0, math.Inf(1))}}, []point{{0, math.Inf(1)}, {1, 2}}, nil},
	}
}

func TestWriteTable(t *testing.T) {
	for _, r := range writeRows() {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, dir, options(r.window))
			var refused []string
			for i, p := range r.pushes {
				if refused = push(t, db, p...); i < len(r.pushes)-1 && refused != nil {
					t.Fatalf("push %d: %q", i, refused)
				}
			}
			if len(refused) != len(r.refused) {
				t.Fatalf("refused %q, want %q", refused, r.refused)
			}
			for i, want := range r.refused {
				if !strings.Contains(refused[i], want) {
					t.Errorf("refused with %q, want %q", refused[i], want)
				}
			}
			check := func(when string) {
				if d := cmp.Diff(r.want, stored(t, db)[`{__name__="m"}`]); d != "" {
					t.Errorf("%s: %s", when, d)
				}
			}
			check("at once")
			if err := db.Inner().CompactOOOHead(context.Background()); err != nil {
				t.Fatal(err)
			}
			check("compacted")
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open(t, dir, options(r.window))
			check("reopened")
		})
	}
}

// An out-of-order chunk is cut after 32 samples. Prometheus lets another value
// for a time in a chunk that has been cut win until the next compaction.
func TestNoFlipAfterChunkIsCut(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	push(t, db, floats(name("m"), 0, 1))
	want := []point{{0, 1}}
	for i := 40; i > 0; i-- {
		push(t, db, floats(name("m"), float64(-i), float64(i)))
	}
	for i := range 40 {
		want = append([]point{{int64(-i - 1), float64(i + 1)}}, want...)
	}
	for i := 1; i <= 40; i++ {
		got := push(t, db, floats(name("m"), float64(-i), 500))
		if len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf("there is %d, the push says 500", i)) {
			t.Fatalf("another value at -%d: %q", i, got)
		}
	}
	for _, when := range []string{"at once", "compacted"} {
		if d := cmp.Diff(want, stored(t, db)[`{__name__="m"}`]); d != "" {
			t.Errorf("%s: %s", when, d)
		}
		if err := db.Inner().CompactOOOHead(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever comes in whatever order: the first value of a series and time stays,
// the same again is silent, any other is refused; compacting and reopening
// change nothing. (Seed 1 loses samples on reopening if blocks of late samples
// are merged too early.)
func TestWriteAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			db := open(t, dir, options(9*time.Hour))
			model := map[string]map[int64]float64{}
			for round := range 60 {
				var in []narthex.Series
				conflicts := 0
				for range r.IntN(5) {
					series := name("m", "i", fmt.Sprint(r.IntN(3)))
					at, v := -int64(r.IntN(100))*5*minute, float64(r.IntN(3))
					in = append(in, floats(series, float64(at), v))
					have := model[series.String()]
					if have == nil {
						have = map[int64]float64{}
						model[series.String()] = have
					}
					if old, ok := have[at]; !ok {
						have[at] = v
					} else if old != v {
						conflicts++
					}
				}
				if got := push(t, db, in...); len(got) != conflicts {
					t.Fatalf("round %d: refused %q, want %d", round, got, conflicts)
				}
				switch r.IntN(8) {
				case 0:
					if err := db.Inner().CompactOOOHead(context.Background()); err != nil {
						t.Fatal(err)
					}
				case 1:
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
					db = open(t, dir, options(9*time.Hour))
				case 2:
					if err := db.Inner().Compact(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := map[string]map[int64]float64{}
			each(t, db, func(ls labels.Labels, it chunkenc.Iterator, _ chunkenc.ValueType) {
				key := name("m", "i", ls.Get("i")).String()
				if got[key] == nil {
					got[key] = map[int64]float64{}
				}
				at, v := it.At()
				if _, twice := got[key][at-t0]; twice {
					t.Errorf("%s holds two samples at %d", key, at-t0)
				}
				got[key][at-t0] = v
			})
			if d := cmp.Diff(model, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRivals(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	push(t, db, floats(name("m"), 0, 1))
	for at := -20; at < 0; at++ {
		var wg sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for rival := range 4 {
			wg.Go(func() {
				got := push(t, db, floats(name("m"), float64(at), float64(rival)))
				mu.Lock()
				defer mu.Unlock()
				refused += len(got)
			})
		}
		wg.Wait()
		if refused != 3 {
			t.Errorf("%d of 4 rivals were refused", refused)
		}
	}
}

func TestTotals(t *testing.T) {
	for _, window := range []time.Duration{0, time.Hour} {
		t.Run(window.String(), func(t *testing.T) {
			db := open(t, t.TempDir(), options(window))
			totals := func(s ...narthex.Series) []string {
				return pushBatch(t, db, &narthex.Batch{Totals: true, Series: s})
			}
			m := name("m")
			for _, s := range []narthex.Series{
				floats(m, 0, 0, 15000, 42), // a birth at zero and its first value
				floats(m, 0, 0, 15000, 42), // a crash later: the same again
				floats(m, 15000, 43),       // superseded by the next tick
				floats(m, 5000, 7),
				floats(m, -3*3600e3, 7),
				floats(m, -31*24*3600e3, 7),
				floats(m, 30000, 43),
			} {
				if got := totals(s); got != nil {
					t.Errorf("refused %q", got)
				}
			}
			if d := cmp.Diff([]point{{0, 0}, {15000, 42}, {30000, 43}}, stored(t, db)[`{__name__="m"}`]); d != "" {
				t.Error(d)
			}
			if got := totals(floats(narthex.Labels{{Name: "a", Value: "b"}}, 0, 2)); len(got) != 1 {
				t.Errorf("a total without a name: %q", got)
			}
		})
	}
}

func TestStaleMarker(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	stale := math.Float64frombits(value.StaleNaN)
	m := name("m")
	push(t, db, floats(m, 0, 1, 1, stale))
	for range 2 {
		if got := push(t, db, floats(m, 1, stale)); got != nil {
			t.Errorf("the marker again: %q", got)
		}
		push(t, db, floats(m, 2, 3))
	}
	if got := push(t, db, floats(m, 1, math.NaN())); len(got) != 1 || !strings.Contains(got[0], "there is a stale marker, the push says NaN") {
		t.Errorf("NaN for a marker: %q", got)
	}
	if v := stored(t, db)[`{__name__="m"}`][1].V; math.Float64bits(v) != value.StaleNaN {
		t.Errorf("the marker is stored as %x", math.Float64bits(v))
	}
}

func TestCanceled(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := db.Write(ctx, &narthex.Batch{Series: []narthex.Series{floats(name("m"), 0, 1)}})
	if narthex.KindOf(err) != narthex.Unavailable || len(stored(t, db)) > 0 {
		t.Errorf("got %v and %v", err, stored(t, db))
	}
}

func TestExemplars(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	s := floats(name("req_total"), 0, 1)
	s.Exemplars = []narthex.Exemplar{
		{Labels: narthex.Labels{{Name: "trace_id", Value: "b"}}, Time: t0 - 1, Value: 2},
		{Labels: narthex.Labels{{Name: "trace_id", Value: "a"}}, Time: t0 - 2, Value: 1},
		{Labels: narthex.Labels{{Name: "trace_id", Value: "c"}}, Value: 3}, // at its sample's time
		{Labels: narthex.Labels{{Name: "trace_id", Value: strings.Repeat("x", 200)}}, Value: 4},
	}
	if got := push(t, db, s); got != nil {
		t.Errorf("refused %q", got)
	}
	q, err := db.ExemplarQuerier(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found, err := q.Select(t0-10, t0+10, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "req_total")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, series := range found {
		for _, e := range series.Exemplars {
			got = append(got, fmt.Sprint(e.Labels.Get("trace_id"), " ", e.Ts-t0, " ", e.Value))
		}
	}
	if d := cmp.Diff([]string{"a -2 1", "b -1 2", "c 0 3"}, got); d != "" {
		t.Error(d)
	}
}

var _ narthex.Sink = (*tsdb.DB)(nil)
