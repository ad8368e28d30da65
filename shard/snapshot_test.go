package shard_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
	"narthex/shard"
	"narthex/state"
)

// What is exported of a ledger in a store is imported into another one that is
// grouped otherwise: the same totals, the same ids, and edits as in any ledger.
func TestSnapshotAndImport(t *testing.T) {
	c := &clock{now: epoch}
	none := map[string]narthex.Sink{"none": narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })}
	if there, err := shard.Exists(t.Context(), new(state.Memory)); there || err != nil {
		t.Errorf("an empty store: %v, %v", there, err)
	}
	mem := new(state.Memory)
	s := open(t, mem, c, 4, none)
	for i := range 100 {
		if err := s.Write(t.Context(), batch(t, c, fmt.Sprint("id", i), fmt.Sprintf("c%d_total", i%60))); err != nil {
			t.Fatal(err)
		}
	}
	c.add(15 * time.Second)
	if err := s.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if series, _ := whole.Sizes(); series != 60 {
		t.Fatalf("%d series", series)
	}
	entries, err := ledger.ImportEntries(whole, c.Now())
	if err != nil {
		t.Fatal(err)
	}
	other := new(state.Memory)
	if there, err := shard.Exists(t.Context(), mem); !there || err != nil {
		t.Errorf("a store with totals: %v, %v", there, err)
	}
	s = open(t, other, c, 7, none)
	for _, r := range s.Fold(t.Context(), entries) {
		if r.Err != nil || len(r.Rejected) > 0 {
			t.Fatal(r)
		}
	}
	for i := range 100 {
		b := batch(t, c, fmt.Sprint("id", i), fmt.Sprintf("c%d_total", i%60))
		if err := s.Write(t.Context(), b); err != nil || !b.Duplicate {
			t.Fatalf("id%d counts again (%v)", i, err)
		}
	}
	name := narthex.Labels{{Name: narthex.MetricName, Value: "c7_total"}}
	set, err := ledger.NewSet("", "", c.Now(), name, 40, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := narthex.Labels{{Name: narthex.MetricName, Value: "c8_total"}}
	del, err := ledger.NewDelete("", "", c.Now(), gone, narthex.Labels{{Name: narthex.MetricName, Value: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	results := s.Fold(t.Context(), []*ledger.Entry{set, del})
	if results[0].Err != nil || len(results[0].Rejected) != 0 || results[1].Err != nil || len(results[1].Rejected) != 1 {
		t.Fatal(results)
	}
	if err := s.Regroup(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if whole, err = s.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum, n := 0.0, 0
	totals, _ := whole.Find(nil, 1000)
	for _, x := range totals {
		sum, n = sum+x.Value, n+1
	}
	// c7_total had 2 and has 40; c8_total had 2 and is gone.
	if n != 59 || sum != 100-2+40-2 {
		t.Errorf("%d series, %v in sum", n, sum)
	}
}
