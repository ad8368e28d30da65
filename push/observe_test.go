package push_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/push"
)

func TestPushHistograms(t *testing.T) {
	g := newGate(t, push.Options{Layouts: map[string]narthex.Layout{"small": {Bounds: []float64{1, 2.5}}}})
	for range 2 {
		code, answer := g.do("POST", "/api/v1/push", `{"service":"shop","histograms":[
			{"name":"lat","labels":{"r":"/a"},"observe":[0.5,1,2,9],"buckets":"small"},
			{"name":"lat","labels":{"r":"/a"},"observe":[2.5],"buckets":"small"},
			{"observe":[1,2.5e0],"name":"nat","buckets":"native","labels":null}]}`)
		if code != 200 || !strings.Contains(answer, `"accepted":3,`) {
			t.Fatalf("%d %s", code, answer)
		}
	}
	const want = `lat_bucket{le="+Inf",r="/a",service="shop"} 10
lat_bucket{le="1.0",r="/a",service="shop"} 4
lat_bucket{le="2.5",r="/a",service="shop"} 8
lat_count{r="/a",service="shop"} 10
lat_sum{r="/a",service="shop"} 30
nat{service="shop"} count 4`
	if d := cmp.Diff(want, g.tick()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// The layouts that are always there have the bounds they promise.
func TestPushLayouts(t *testing.T) {
	f := func(buckets string, bounds int) {
		t.Helper()
		s := serve(push.Options{})
		if w := s.push(`{"histograms":[{"name":"a","observe":[0.1]` + buckets + `}]}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		h := s.batches[0].Series[0].Samples[0].Histogram
		if len(h.Bounds) != bounds || h.Count != 1 || h.Sum != 0.1 || (h.Schema == narthex.CustomBounds) != (bounds > 0) {
			t.Errorf("%s: %d bounds: %+v", buckets, len(h.Bounds), h)
		}
	}
	f(``, 11)
	f(`,"buckets":null`, 11)
	f(`,"buckets":"default"`, 11)
	f(`,"buckets":"api_latency"`, 20+16+45+9)
	f(`,"buckets":"native"`, 0)
}

func TestPushHistogramsRejected(t *testing.T) {
	f := func(entry, want string) {
		t.Helper()
		s := serve(push.Options{Layouts: map[string]narthex.Layout{"small": {Bounds: []float64{1}}}})
		w := s.push(`{"counters":[{"name":"c","add":1}],"histograms":[{"name":"h","observe":[1]},` + entry + `]}`)
		got := fields(t, w)
		if w.Code == 400 {
			if e, _ := got["error"].(string); !strings.Contains(e, want) {
				t.Errorf("%s: %s, want %s", entry, e, want)
			}
			return
		}
		list, _ := got["rejected"].([]any)
		if w.Code != 200 || got["status"] != "partial" || got["accepted"] != 2.0 || len(list) != 1 || !strings.Contains(list[0].(map[string]any)["reason"].(string), want) {
			t.Errorf("%s: %d %v, want %s", entry, w.Code, got, want)
		}
		if len(s.batches) != 1 || len(s.batches[0].Series) != 2 {
			t.Errorf("%s: wrote %v", entry, s.batches)
		}
	}
	f(`{"name":"x","observe":[]}`, "it observed nothing")
	f(`{"name":"x","observe":[1,1e999]}`, "an observation is too large")
	f(`{"name":"x","observe":[1.7e308,1.7e308]}`, "the sum of its observations is too large")
	f(`{"name":"x","observe":[1],"buckets":"smal"}`, `the layout "smal" is not known; did you mean "small"?`)
	f(`{"name":"x","observe":[1],"buckets":"quite another"}`, "known are api_latency, default, native, small")
	f(`{"name":"x","labels":{"le":"1"},"observe":[1]}`, "its label le is what a histogram's buckets are named by")
	f(`{"name":"","observe":[1]}`, "no metric name")
	f(`{"name":"h","observe":[1],"buckets":"small"}`, "it has other buckets here than earlier in the same push")
	f(`{"name":"c","observe":[1]}`, "it is a histogram here or earlier in the same push, but not in both")

	f(`{"name":"x"}`, "histograms[1].observe: the field is missing")
	f(`{"name":"x","observe":null}`, "histograms[1].observe: want a list, got null")
	f(`{"name":"x","observe":[null]}`, "histograms[1].observe[0]: want a number, got null (which is what JavaScript makes of NaN and Infinity)")
	f(`{"name":"x","observe":["1"]}`, "histograms[1].observe[0]: want a number, got a string")
	f(`{"name":"x","observe":[1],"bucket":"small"}`, `histograms[1].bucket: unknown field; did you mean "buckets"?`)
}
