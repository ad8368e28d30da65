package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// truth is what was acknowledged.
type truth struct {
	orders         [shops]atomic.Int64
	observed, sums [routes]atomic.Int64 // sums in sixty-fourths
	sequence       [groups]atomic.Int64
	written        [writers]atomic.Int64
}

// compare asks the store until it has what was acknowledged, for three ticks or half a
// minute, and returns what is wrong with it.
func (t *truth) compare(ctx context.Context, base string, interval time.Duration) (wrong []string) {
	deadline := time.Now().Add(max(3*interval, 30*time.Second))
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if wrong = t.differences(ctx, base); len(wrong) == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return wrong
		}
		<-ticker.C
	}
}

func (t *truth) differences(ctx context.Context, base string) (wrong []string) {
	check := func(expr, label, prefix string, n int, want func(int) float64) {
		got, err := ask(ctx, base, expr, label)
		if err != nil {
			wrong = append(wrong, err.Error())
			return
		}
		bad, example := 0, ""
		for i := range n {
			key := prefix + strconv.Itoa(i)
			if want := want(i); got[key] != want {
				bad++
				example = fmt.Sprintf("%s=%q is %v, want %v", label, key, got[key], want)
			}
		}
		if bad > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d are not what was acknowledged: %s", expr, bad, n, example))
		}
	}
	check("load_orders_total", "shop", "s", shops, func(i int) float64 { return float64(t.orders[i].Load()) })
	check("load_latency_seconds_count", "route", "/r", routes, func(i int) float64 { return float64(t.observed[i].Load()) })
	check("load_latency_seconds_sum", "route", "/r", routes, func(i int) float64 { return float64(t.sums[i].Load()) / 64 })
	check("load_group_sequence", "instance", "", groups, func(i int) float64 { return float64(t.sequence[i].Load()) })
	check("sum by (writer) (count_over_time(load_written[1d]))", "writer", "", writers, func(i int) float64 { return float64(t.written[i].Load()) })
	return wrong
}

// ask returns the values of an instant query, by a label.
func ask(ctx context.Context, base, expr, label string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", expr, resp.Status, err)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", expr, answer.Error)
	}
	out := make(map[string]float64)
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if out[r.Metric[label]], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", expr, err)
		}
	}
	return out, nil
}

// total is how many increments and samples were acknowledged.
func (t *truth) total() (n int64) {
	for _, list := range [][]atomic.Int64{t.orders[:], t.observed[:], t.written[:]} {
		for i := range list {
			n += list[i].Load()
		}
	}
	return n
}
