package tsdb_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"narthex"
	"narthex/tsdb"
)

// t0 is when the tests take place, in milliseconds.
const t0 = int64(1_800_000_000_000)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
)

// options has a clock that stands still at t0.
func options(window time.Duration) tsdb.Options {
	return tsdb.Options{OutOfOrderTimeWindow: window, Now: func() time.Time { return time.UnixMilli(t0) }}
}

func open(t testing.TB, dir string, o tsdb.Options) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func name(s string, more ...string) narthex.Labels {
	ls := narthex.Labels{{Name: narthex.MetricName, Value: s}}
	for i := 0; i < len(more); i += 2 {
		ls = ls.With(more[i], more[i+1])
	}
	return ls
}

// floats is a series of times (relative to t0) and values in turn.
func floats(ls narthex.Labels, pairs ...float64) narthex.Series {
	s := narthex.Series{Labels: ls}
	for i := 0; i < len(pairs); i += 2 {
		s.Samples = append(s.Samples, narthex.Sample{Time: t0 + int64(pairs[i]), Value: pairs[i+1]})
	}
	return s
}

// push writes the series as one batch and returns what was rejected, as
// "series: reason".
func push(t testing.TB, db *tsdb.DB, in ...narthex.Series) []string {
	t.Helper()
	return pushBatch(t, db, &narthex.Batch{Series: in})
}

func pushBatch(t testing.TB, db *tsdb.DB, b *narthex.Batch) []string {
	t.Helper()
	if err := db.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range b.Rejected {
		out = append(out, r.Series+": "+r.Reason)
	}
	return out
}

type point struct {
	T int64 // relative to t0
	V float64
}

// stored reads the floats of each series, by its labels.
func stored(t testing.TB, db *tsdb.DB) map[string][]point {
	t.Helper()
	out := map[string][]point{}
	each(t, db, func(ls labels.Labels, it chunkenc.Iterator, typ chunkenc.ValueType) {
		if typ != chunkenc.ValFloat {
			t.Fatalf("%s holds a %s", ls, typ)
		}
		at, v := it.At()
		out[ls.String()] = append(out[ls.String()], point{at - t0, v})
	})
	return out
}

func each(t testing.TB, db *tsdb.DB, f func(labels.Labels, chunkenc.Iterator, chunkenc.ValueType)) {
	t.Helper()
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchNotEqual, "__name__", ""))
	for set.Next() {
		it := set.At().Iterator(nil)
		for typ := it.Next(); typ != chunkenc.ValNone; typ = it.Next() {
			f(set.At().Labels(), it, typ)
		}
		if err := it.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenHeldDirectory(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, options(0))
	_, err := tsdb.Open(dir, options(0))
	if err == nil || !strings.Contains(err.Error(), "another process is using it") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second Open says %v", err)
	}
}

func TestOpenUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tsdb.Open(file, options(0)); err == nil || !strings.Contains(err.Error(), "open store "+file) {
		t.Errorf("Open of a file says %v", err)
	}
}

func TestRegisterer(t *testing.T) {
	reg := prometheus.NewRegistry()
	o := options(0)
	o.Registerer = reg
	for range 2 { // the second time shows that Close unregisters
		db := open(t, t.TempDir(), o)
		got, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 || !strings.HasPrefix(got[0].GetName(), "prometheus_tsdb_") {
			t.Errorf("the registry has %d families", len(got))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosed(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Write(context.Background(), &narthex.Batch{Series: []narthex.Series{floats(name("m"), 0, 1)}})
	if narthex.KindOf(err) != narthex.Unavailable {
		t.Errorf("Write to a closed store says %v", err)
	}
}

func TestStats(t *testing.T) {
	db := open(t, t.TempDir(), options(0))
	if _, ok := db.Newest(); ok {
		t.Error("an empty store has a newest sample")
	}
	push(t, db, floats(name("a", "x", "1"), 0, 1), floats(name("a", "x", "2"), -5, 1), floats(name("b"), -9, 1))
	s := db.Stats(1)
	if got := s.IndexPostingStats.CardinalityMetricsStats; len(got) != 1 || got[0].Name != "a" || got[0].Count != 2 {
		t.Errorf("the largest metric is %v", got)
	}
	if newest, ok := db.Newest(); s.NumSeries != 3 || db.Series() != 3 || db.Chunks() != 3 || !ok || newest != t0 {
		t.Errorf("series %d and %d, chunks %d, newest %d", s.NumSeries, db.Series(), db.Chunks(), newest)
	}
}

func TestMetadata(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, options(0))
	learn := floats(name("req_total"), 0, 1)
	learn.Type, learn.Help, learn.Unit = narthex.TypeCounter, "Requests.", "requests"
	push(t, db, learn, floats(name("plain"), 0, 1))
	want := map[string]metadata.Metadata{"req_total": {Type: "counter", Help: "Requests.", Unit: "requests"}}
	if d := cmp.Diff(want, db.Metadata("")); d != "" {
		t.Error(d)
	}
	if got := db.Metadata("plain"); len(got) != 0 {
		t.Errorf("a metric without type has %v", got)
	}
	later := floats(name("other"), 0, 1) // changed a moment after the first save
	later.Help = strings.Repeat("é", 1000)
	push(t, db, later)
	want["other"] = metadata.Metadata{Type: "unknown", Help: strings.Repeat("é", 512)}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, open(t, dir, options(0)).Metadata("")); d != "" {
		t.Errorf("after a restart: %s", d)
	}
}

func TestMetadataFileDamaged(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "narthex_metadata.json")
	if err := os.WriteFile(file, []byte(`{"a":{"type":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := options(0)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	db := open(t, dir, o)
	if !strings.Contains(log.String(), file) {
		t.Errorf("the log doesn't tell of the damage: %s", log.String())
	}
	s := floats(name("a"), 0, 1)
	s.Type = narthex.TypeGauge
	push(t, db, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, options(0)).Metadata("a"); got["a"].Type != "gauge" {
		t.Errorf("learned again: %v", got)
	}
}

func TestSync(t *testing.T) {
	db, err := tsdb.Open(t.TempDir(), tsdb.Options{OutOfOrderTimeWindow: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Sync(); err != nil {
		t.Errorf("of an empty store: %v", err)
	}
	now := time.Now().UnixMilli()
	for _, at := range []int64{now, now - 1000} { // in order, and late
		b := &narthex.Batch{Series: []narthex.Series{{
			Labels: narthex.Labels{{Name: narthex.MetricName, Value: "x"}}, Samples: []narthex.Sample{{Time: at, Value: 1}},
		}}}
		if err := db.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := db.Sync(); err != nil {
			t.Error(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Sync(); err == nil {
		t.Error("a closed store was synced")
	}
}

// Nobody else on the machine reads what is stored.
func TestDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tsdb")
	db, err := tsdb.Open(dir, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
