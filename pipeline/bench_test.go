package pipeline_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"narthex"
	"narthex/pipeline"
)

func thousand(b *testing.B) *narthex.Batch {
	out := batch(0)
	for i := range 1000 {
		out.Series = append(out.Series, increment(labels(b, "http_requests_total", "service", "shop", "env", "prod",
			"route", fmt.Sprintf("/route/%d", i), "status", "200", "region", "eu-central-1"), 1))
	}
	return out
}

// One known series through the limiter.
func BenchmarkLimiterKnown(b *testing.B) {
	s := pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 50000, Series: 1e6, Pushes: 1e12, Samples: 1e12, SourceSamples: 1e12}}).
		Before(sinkOf(func(*narthex.Batch) {}))
	all := thousand(b)
	ctx := context.Background()
	if err := s.Write(ctx, all); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(all.Series) == 0 {
			if err := s.Write(ctx, all); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// One new series through the limiter, looked at for ids.
func BenchmarkLimiterNew(b *testing.B) {
	all := thousand(b)
	ctx := context.Background()
	var s narthex.Sink
	for n := 0; b.Loop(); n++ {
		if n%len(all.Series) == 0 {
			s = pipeline.NewLimiter(pipeline.LimiterOptions{Default: pipeline.Limits{SeriesPerSource: 50000}}).Before(sinkOf(func(*narthex.Batch) {}))
			if err := s.Write(ctx, all); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// One sample through a time policy that matches it.
func BenchmarkTimePolicy(b *testing.B) {
	p := pipeline.NewTimePolicy([]pipeline.TimeRule{{Match: map[string]*regexp.Regexp{"service": regexp.MustCompile("^(?s:shop)$")}, Policy: pipeline.Clamp, MaxAge: time.Hour}})
	s := p.Before(sinkOf(func(*narthex.Batch) {}))
	all := thousand(b)
	for i := range all.Series {
		all.Series[i].As, all.Series[i].Samples[0].Time = narthex.AsSample, began.UnixMilli()
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(all.Series) == 0 {
			if err := s.Write(context.Background(), all); err != nil {
				b.Fatal(err)
			}
		}
	}
}
