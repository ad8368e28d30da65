package tsdb_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"narthex"
)

// TestWriteExact has batches of which a part is refused; what is left of each is
// what is stored.
func TestWriteExact(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	m, n := name("m"), name("n", "a", "b")
	push(t, db, floats(m, 10, 1), floats(n, 10, 1))
	broken := narthex.Series{Labels: m, Samples: []narthex.Sample{{Time: t0 + 30, Histogram: &narthex.Histogram{Count: -1}}}}
	ex := func(at int64, v float64) narthex.Exemplar {
		return narthex.Exemplar{Labels: narthex.Labels{{Name: "id", Value: fmt.Sprint(v)}}, Time: at, Value: v}
	}
	with := func(s narthex.Series, e ...narthex.Exemplar) narthex.Series { s.Exemplars = e; return s }
	for _, c := range []struct {
		name     string
		in, left []narthex.Series
		refused  int
		warning  string
	}{
		{"all new", []narthex.Series{floats(m, 11, 1), floats(n, 11, 1)}, []narthex.Series{floats(m, 11, 1), floats(n, 11, 1)}, 0, ""},
		{"stored before", []narthex.Series{floats(m, 10, 1, 11, 1)}, []narthex.Series{floats(m, 10, 1, 11, 1)}, 0, ""},
		{"too late, other value, new", []narthex.Series{floats(m, 5, 1, 12, 1, 11, 7), floats(n, 12, 1)}, []narthex.Series{floats(m, 12, 1), floats(n, 12, 1)}, 2, ""},
		{"a time twice, in two entries", []narthex.Series{floats(m, 13, 1), floats(m, 13, 2, 14, 1)}, []narthex.Series{floats(m, 13, 1), floats(m, 14, 1)}, 1, ""},
		{"no name", []narthex.Series{floats(narthex.Labels{{Name: "a", Value: "b"}}, 15, 1, 16, 1), floats(m, 15, 1)}, []narthex.Series{floats(m, 15, 1)}, 1, ""},
		{"a histogram", []narthex.Series{broken, floats(m, 16, 1)}, []narthex.Series{floats(m, 16, 1)}, 1, ""},
		{"exemplars", []narthex.Series{with(floats(m, 20, 1), ex(t0+20, 1), ex(t0+19, 2))}, []narthex.Series{with(floats(m, 20, 1), ex(t0+20, 1), ex(t0+19, 2))}, 0, ""},
		{"an exemplar alone", []narthex.Series{with(narthex.Series{Labels: m}, ex(t0+21, 3))}, []narthex.Series{with(narthex.Series{Labels: m}, ex(t0+21, 3))}, 0, ""},
		{"an older exemplar", []narthex.Series{with(floats(m, 22, 1), ex(t0+5, 3))}, []narthex.Series{floats(m, 22, 1)}, 0, "1 exemplars were not taken; the first: m: the series has a newer one"},
		{"one too long", []narthex.Series{with(floats(m, 23, 1), narthex.Exemplar{Labels: narthex.Labels{{Name: "id", Value: strings.Repeat("x", 200)}}, Time: t0 + 23})}, []narthex.Series{floats(m, 23, 1)}, 0, "more than 128 characters"},
		{"an exemplar of nothing", []narthex.Series{with(narthex.Series{Labels: name("nobody")}, ex(t0+21, 3))}, nil, 0, "1 exemplars were not taken"},
		{"with a sample that was stored", []narthex.Series{with(floats(m, 23, 1), ex(t0+24, 3))}, []narthex.Series{with(floats(m, 23, 1), ex(t0+24, 3))}, 0, ""},
	} {
		b := &narthex.Batch{Series: c.in}
		if err := db.WriteExact(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Series { // an empty slice is as good as none
			if len(b.Series[i].Exemplars) == 0 {
				b.Series[i].Exemplars = nil
			}
		}
		if diff := cmp.Diff(c.left, b.Series); diff != "" && len(c.left)+len(b.Series) > 0 {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
		if len(b.Rejected) != c.refused || !strings.Contains(strings.Join(b.Warnings, " "), c.warning) || (c.warning == "") != (b.Warnings == nil) {
			t.Errorf("%s: rejected %v, warnings %v", c.name, b.Rejected, b.Warnings)
		}
	}
	q, err := db.ExemplarQuerier(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	found, err := q.Select(t0, t0+100, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "m")})
	if err != nil || len(found) != 1 || len(found[0].Exemplars) != 4 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestKnownSeries writes series again that the head has dropped meanwhile, whose
// references are remembered.
func TestKnownSeries(t *testing.T) {
	o := options(0)
	clock := time.UnixMilli(t0)
	o.Now = func() time.Time { return clock }
	db := open(t, t.TempDir(), o)
	push(t, db, floats(name("old"), 0, 1), floats(name("other"), 0, 1))
	later := float64(6 * time.Hour / time.Millisecond)
	clock = clock.Add(6 * time.Hour)
	push(t, db, floats(name("other"), later, 1))
	if err := db.Inner().Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := db.Series(); n != 1 {
		t.Fatalf("%d series in memory, want that which was written of late", n)
	}
	push(t, db, floats(name("old"), later, 2))
	want := []point{{0, 1}, {int64(later), 2}}
	if diff := cmp.Diff(want, stored(t, db)[`{__name__="old"}`]); diff != "" {
		t.Errorf("(-want +got)\n%s\n%v", diff, stored(t, db))
	}
}

// TestSyncTogether calls Sync from many sides while samples are written.
func TestSyncTogether(t *testing.T) {
	db := open(t, t.TempDir(), options(time.Hour))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for at := range 50 {
				b := &narthex.Batch{Series: []narthex.Series{floats(name("m", "i", fmt.Sprint(i)), float64(at), 1)}}
				if err := db.Write(context.Background(), b); err != nil {
					t.Error(err)
				}
				if err := db.Sync(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A push of one series whose samples are refused by the thousand costs neither a
// copy of its labels for each of them, nor the square of their number.
func TestWriteExactManyRefused(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	const n = 100_000
	s := narthex.Series{Labels: name("m", "a", strings.Repeat("x", 50_000))}
	var left []narthex.Sample
	for i := range int64(n) {
		x := narthex.Sample{Time: t0 + i, Value: 1}
		if i%2 == 1 {
			x.Time += 365 * 24 * time.Hour.Milliseconds()
		} else {
			left = append(left, x)
		}
		s.Samples = append(s.Samples, x)
	}
	b := &narthex.Batch{Series: []narthex.Series{s}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := db.WriteExact(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if len(b.Rejected) != n/2 || len(b.Series) != 1 || !slices.Equal(b.Series[0].Samples, left) {
		t.Errorf("%d rejected, %d left", len(b.Rejected), len(b.Series[0].Samples))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 500<<20 { // 50,000 copies are 2.5 GB
		t.Errorf("%d MB were allocated", grown>>20)
	}
}
