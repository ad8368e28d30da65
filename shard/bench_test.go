package shard_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"narthex"
	"narthex/state"
)

// BenchmarkGroup folds one increment into a group of 31,250 series (a million in
// 32 groups) and ticks it, by a process that has it in its cache and by one that
// has not.
func BenchmarkGroup(b *testing.B) {
	const series = 31_250
	for _, cold := range []bool{false, true} {
		c, mem := &clock{now: epoch}, new(state.Memory)
		discard := map[string]narthex.Sink{"none": narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })}
		s := open(b, mem, c, 1, discard)
		big := &narthex.Batch{ID: "big", Received: c.Now()}
		for i := range series {
			ls, err := narthex.NewLabels(
				narthex.Label{Name: narthex.MetricName, Value: fmt.Sprintf("http_server_requests_%d_total", i%20)},
				narthex.Label{Name: "service", Value: fmt.Sprintf("service-%d", i%50)},
				narthex.Label{Name: "method", Value: []string{"GET", "POST", "PUT", "DELETE"}[i%4]},
				narthex.Label{Name: "route", Value: fmt.Sprintf("/api/v1/things/%d", i)},
				narthex.Label{Name: "status", Value: []string{"200", "404", "500"}[i%3]})
			if err != nil {
				b.Fatal(err)
			}
			big.Series = append(big.Series, narthex.Series{Labels: ls, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}})
		}
		if err := s.Write(b.Context(), big); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("fold/cold=%v", cold), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if cold {
					s = open(b, mem, c, 1, discard)
				}
				if err := s.Write(b.Context(), batch(b, c, fmt.Sprint(b.N, "/", i), "one_total")); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("tick/cold=%v", cold), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if cold {
					s = open(b, mem, c, 1, discard)
				}
				c.add(15 * time.Second)
				if err := s.Tick(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
