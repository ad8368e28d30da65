package main

import (
	"fmt"
	"io"
	"time"
)

// cost is what keeping series in Amazon Managed Service for Prometheus costs a
// month, in US dollars, for taking in their samples.
type cost struct {
	// Samples is how many a month at most: with each series changing all the
	// time.
	Samples  int64   `json:"samples_a_month_at_most"`
	Dollars  float64 `json:"dollars_a_month_at_most"`
	Least    int64   `json:"samples_a_month_if_rarely_changing"`
	Cheapest float64 `json:"dollars_a_month_if_rarely_changing"`
}

// The prices of Amazon Managed Service for Prometheus in us-east-1, without what
// is free.
const pricesAsOf = "November 2026"

var tiers = [...]struct {
	samples int64   // up to so many a month
	dollars float64 // for ten million
}{{2e9, 0.90}, {252e9, 0.35}, {1 << 62, 0.16}}

// costTick and costBeat are how often a series is written that changes, and one
// that rarely does, by default.
const (
	costTick  = 15 * time.Second
	costBeat  = 2 * time.Minute
	costMonth = 30 * 24 * time.Hour
)

func costOf(series int) cost {
	c := cost{Samples: int64(series) * int64(costMonth/costTick), Least: int64(series) * int64(costMonth/costBeat)}
	c.Dollars, c.Cheapest = dollars(c.Samples), dollars(c.Least)
	return c
}

func dollars(samples int64) (sum float64) {
	from := int64(0)
	for _, t := range tiers {
		if n := min(samples, t.samples) - from; n > 0 {
			sum += float64(n) / 1e7 * t.dollars
		}
		from = t.samples
	}
	return sum
}

func (c cost) write(w io.Writer) {
	fmt.Fprintf(w, "  in Amazon Managed Prometheus about $%.2f a month if they change all the time, $%.2f if rarely\n", c.Dollars, c.Cheapest)
	fmt.Fprintf(w, "  (%.1f M and %.1f M samples at ticks of %s; us-east-1, %s, without the free tier)\n", float64(c.Samples)/1e6, float64(c.Least)/1e6, costTick, pricesAsOf)
}
