package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/lambda/emulator"
)

// The microservice of the article "Serverless Prometheus in Action", the way it
// would be with narthex: many short-lived senders, each a session of its own of
// an IAM role, push {service, series} through an HTTP API; the preset article adds
// up what ends in _total. A real Prometheus has the right totals and rates, and no
// series of any one sender.
func TestFunctionArticle(t *testing.T) {
	t.Parallel()
	store := startPrometheus(t, "global: {}\n").base
	c := newAccount(t, `
scrape_interval: 1s
ledger: {state: "s3://narthex-test/article"}
push: {preset: article}
remote_write: [{url: $WRITE}]
lambda: {queue: "$QUEUE", schedule_queue: "$TICKS"}
`, store+"/api/v1/write", emulator.Options{Memory: 512, Timeout: 20 * time.Second})
	c.mapping(c.log)
	c.run((&emulator.Schedule{Function: c.f, Every: time.Second}).Run)
	base := c.front(emulator.Front{Kind: emulator.HTTPAPI, IAM: role("shop")})

	const senders, each = 20, 5
	codes := []string{"200", "404", "500"}
	truth := map[string]float64{}
	var pushing sync.WaitGroup
	for n := range senders {
		for _, code := range codes {
			truth[code] += each
		}
		pushing.Go(func() {
			for i := range each {
				var series []map[string]any
				for _, code := range codes {
					series = append(series, map[string]any{
						"labels":  map[string]string{"__name__": "response_status_code_total", "status_code": code, "method": "GET", "route": "/v1/users/{id}", "account_id": "a1"},
						"samples": []map[string]any{{"value": 1, "timestamp": time.Now().UnixMilli() - int64(7*n)}}, // in no order
					})
				}
				body, err := json.Marshal(map[string]any{"service": "authress", "series": series})
				if err != nil {
					t.Error(err)
				}
				id := fmt.Sprintf("%d-%d", n, i)
				for range 1 + i%2 { // its answer was lost, so it is sent again
					if status, text := post(t, base+"/", "application/json", body, "Idempotency-Key", id); status != http.StatusNotFound {
						t.Errorf("a path that is none: %d %s", status, text)
					}
					if status, text := post(t, base+"/api/v1/push", "application/json", body, "Idempotency-Key", id); status != http.StatusOK || !strings.Contains(text, `"queued"`) {
						t.Errorf("a push: %d %s", status, text)
					}
				}
			}
		})
	}
	pushing.Wait()

	const all = `response_status_code_total{service="authress"}`
	eventually(t, "the totals are there", func() bool {
		got := query(t, store, all, time.Time{})
		right := 0
		for _, x := range got {
			if x.Value.v == fmt.Sprint(truth[x.Metric["status_code"]]) {
				right++
			}
		}
		return right == len(codes)
	})
	got := query(t, store, all, time.Time{})
	if len(got) != len(codes) {
		t.Errorf("%d senders made %d series, want %d", senders, len(got), len(codes))
	}
	for _, x := range got {
		if len(x.Metric) != 6 { // the five of the push and the service
			t.Errorf("the labels are %v", x.Metric)
		}
	}
	now := time.Now()
	for what, want := range map[string]float64{
		`sum(resets(response_status_code_total[5m]))`:                            0,
		`max(min_over_time(response_status_code_total[5m]))`:                     0,
		`sum(max_over_time(response_status_code_total[5m]))`:                     3 * senders * each,
		`sum(last_over_time(response_status_code_total{status_code="500"}[5m]))`: senders * each,
		`count(narthex_function_cold_starts_total) > bool 0`:                     1,
		`sum(narthex_function_invocations_total{outcome="failed"}) or vector(0)`: 0,
	} {
		var last string
		eventually(t, what, func() bool {
			r := query(t, store, what, now.Add(time.Since(now)))
			if len(r) == 1 {
				last = r[0].Value.v
			}
			return last == fmt.Sprint(want)
		})
	}
	// increase() without what plain extrapolation adds: the last value less the first.
	if r := query(t, store, `sum(last_over_time(response_status_code_total[5m]) - min_over_time(response_status_code_total[5m]))`, time.Time{}); len(r) != 1 || r[0].Value.v != fmt.Sprint(3*senders*each) {
		t.Errorf("the increase is %v, want %d", r, 3*senders*each)
	}
}
