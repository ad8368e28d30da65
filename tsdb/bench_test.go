package tsdb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"narthex"
)

// BenchmarkWrite writes 1,000 series, one sample each: newer samples, as a tick
// brings them; late ones that are new; and old ones again.
func BenchmarkWrite(b *testing.B) {
	const series = 1000
	batch := func(at int64, v float64) *narthex.Batch {
		out := &narthex.Batch{}
		for i := range series {
			s := floats(name("http_requests_total", "instance", fmt.Sprint(i), "job", "shop", "env", "prod"), float64(at), v)
			out.Series = append(out.Series, s)
		}
		return out
	}
	for _, c := range []struct {
		name string
		at   func(i int) int64
	}{
		{"newer", func(i int) int64 { return int64(i + 1) }},
		{"late", func(i int) int64 { return -int64(i + 1) }},
		{"again", func(int) int64 { return -1 }},
	} {
		b.Run(c.name, func(b *testing.B) {
			db := open(b, b.TempDir(), options(24*time.Hour))
			push(b, db, batch(0, 1).Series...)
			push(b, db, batch(-1, 1).Series...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				in := batch(c.at(i), 1)
				b.StartTimer()
				if err := db.Write(context.Background(), in); err != nil || in.Rejected != nil {
					b.Fatal(err, in.Rejected)
				}
			}
			b.ReportMetric(float64(b.N*series)/b.Elapsed().Seconds(), "samples/s")
		})
	}
}
