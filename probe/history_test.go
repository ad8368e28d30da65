package probe_test

import (
	"fmt"
	"testing"
	"time"

	"narthex/probe"
)

// TestHistoryIsBounded: of what is asked for by hand the first goes, what is on a
// schedule stays, and a target's own list has an end.
func TestHistoryIsBounded(t *testing.T) {
	var h probe.History
	result := func(target string, success bool) *probe.Result {
		r := &probe.Result{Target: target, Module: "http_2xx", Success: success}
		if !success {
			r.Failure = &probe.Failure{Phase: probe.PhaseConnect, Reason: probe.ReasonRefused, Err: fmt.Errorf("x")}
		}
		return r
	}
	h.Add(probe.Seen{Name: "shop", Every: time.Minute, Result: result("https://shop.example", true)})
	for i := range 3000 {
		h.Add(probe.Seen{Result: result(fmt.Sprint(i), true)})
	}
	all := h.Records(func(*probe.Seen) bool { return true })
	if len(all) != 2000 || all[len(all)-1].Last.Name != "shop" {
		t.Errorf("%d records, the last of %q", len(all), all[len(all)-1].Last.Name)
	}
	var ids []int64
	for i := range 200 {
		ids = append(ids, h.Add(probe.Seen{Name: "shop", Every: time.Minute, Result: result("https://shop.example", i%10 != 0)}))
	}
	r := h.Records(func(s *probe.Seen) bool { return s.Name == "shop" })[0]
	if len(r.Recent) != 60 || r.Recent[59].ID != ids[199] || len(r.Failures) != 3 || r.Failures[0].ID != ids[190] || r.Failures[2].ID != ids[170] {
		t.Errorf("%d outcomes, the last %d; failures %v", len(r.Recent), r.Recent[len(r.Recent)-1].ID, r.Failures)
	}
	for id, kept := range map[int64]bool{ids[199]: true, ids[190]: true, ids[198]: false, ids[160]: false} {
		if got := h.Get(id) != nil; got != kept {
			t.Errorf("result %d is kept: %v", id, got)
		}
	}
}
