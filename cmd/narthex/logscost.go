package main

import (
	"fmt"
	"io"
	"time"

	"narthex/cost"
)

// logsPrice is what keeping series in Amazon Managed Service for Prometheus costs a
// month, in US dollars, for taking in their samples, without what is free.
type logsPrice struct {
	// Samples is how many a month at most: with each series changing all the
	// time.
	Samples  int64   `json:"samples_a_month_at_most"`
	Dollars  float64 `json:"dollars_a_month_at_most"`
	Least    int64   `json:"samples_a_month_if_rarely_changing"`
	Cheapest float64 `json:"dollars_a_month_if_rarely_changing"`

	prices *cost.Prices
}

// costTick and costBeat are how often a series is written that changes, and one
// that rarely does, by default.
const (
	costTick = 15 * time.Second
	costBeat = 2 * time.Minute
)

func priceOf(series int) logsPrice {
	p, _ := cost.Default() // those that are built in are right
	c := logsPrice{Samples: int64(series) * int64(cost.Month/costTick), Least: int64(series) * int64(cost.Month/costBeat), prices: p}
	c.Dollars, c.Cheapest = c.dollars(c.Samples), c.dollars(c.Least)
	return c
}

func (c logsPrice) dollars(samples int64) float64 {
	b, err := c.prices.Bill(cost.Usage{cost.Samples: float64(samples)}, false)
	if err != nil {
		return 0
	}
	return b.Total
}

func (c logsPrice) write(w io.Writer) {
	fmt.Fprintf(w, "  in Amazon Managed Prometheus about $%.2f a month if they change all the time, $%.2f if rarely\n", c.Dollars, c.Cheapest)
	fmt.Fprintf(w, "  (%.1f M and %.1f M samples at ticks of %s; %s, %s, without the free tier)\n", float64(c.Samples)/1e6, float64(c.Least)/1e6, costTick, c.prices.Region, c.prices.AsOf)
}
