package tsdb_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"narthex"
	"narthex/tsdb"
)

// Blocks of the past are seen by a store that is open, and do not keep a store from
// finding in its log what it has of the same time.
func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "tsdb")
	now := time.Now().Truncate(time.Minute)
	db, err := tsdb.Open(store, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	series := func(name string, at ...time.Time) []narthex.Series {
		ls, err := narthex.NewLabels(narthex.Label{Name: narthex.MetricName, Value: name})
		if err != nil {
			t.Fatal(err)
		}
		s := narthex.Series{Labels: ls, Type: narthex.TypeCounter, Help: "Help of " + name, As: narthex.AsSample}
		for i, x := range at {
			s.Samples = append(s.Samples, narthex.Sample{Time: x.UnixMilli(), Value: float64(i)})
		}
		return []narthex.Series{s}
	}
	live := series("live_total", now.Add(-3*time.Minute), now.Add(-2*time.Minute), now.Add(-time.Minute))
	if err := db.Write(t.Context(), &narthex.Batch{Series: live}); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(dir, "made")
	b, err := tsdb.NewBlocks(made)
	if err != nil {
		t.Fatal(err)
	}
	var times []time.Time
	for at := now.Add(-5 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
		times = append(times, at)
	}
	if err := b.Write(t.Context(), series("past_total", times...)); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), now.Add(-3*time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	blocks, samples, err := b.Close(t.Context())
	if err != nil || blocks < 3 || samples != int64(len(times)) {
		t.Fatalf("%d blocks, %d samples, %v", blocks, samples, err)
	}
	for range 2 { // the second time there is nothing left to move
		if err := tsdb.Publish(made, store); err != nil {
			t.Fatal(err)
		}
	}
	count := func(db *tsdb.DB, name string) int { return len(stored(t, db)[`{__name__="`+name+`"}`]) }
	for deadline := time.Now().Add(time.Minute); count(db, "past_total") != len(times); {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d samples", count(db, "past_total"), len(times))
		}
		time.Sleep(100 * time.Millisecond) // between two looks at a store that looks by itself
	}
	if m := db.Metadata("past_total")["past_total"]; m.Help != "Help of past_total" {
		t.Errorf("metadata %+v", m)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := tsdb.Open(store, tsdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := count(again, "live_total"); n != 3 {
		t.Errorf("after a restart %d samples of what is live, want 3", n)
	}
	if n := count(again, "past_total"); n != len(times) {
		t.Errorf("after a restart %d samples of the past, want %d", n, len(times))
	}
}

// A store that blocks make is its user's alone, as one that is opened.
func TestPublishMakesPrivateDirectory(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "data", "tsdb")
	if err := tsdb.Publish(t.TempDir(), store); err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{filepath.Dir(store), store} {
		if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", made, info.Mode(), err)
		}
	}
}
