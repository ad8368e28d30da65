package test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	prices "narthex/cost"
	"narthex/lambda/emulator"
)

// counts is what AWS would charge for.
type counts struct {
	mu       sync.Mutex
	http     map[string]float64 // requests to S3 by method, to SQS by action
	reports  map[string]*billed // by function
	recorder *recorder
	mappings []*emulator.Mapping
}

// billed is what Lambda charges for.
type billed struct {
	requests, cold, seconds, gbSeconds float64
}

func newCounts() *counts {
	return &counts{http: make(map[string]float64), reports: make(map[string]*billed)}
}

// front counts requests on their way to a service.
func (c *counts) front(t *testing.T, to string, name func(*http.Request) string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.http[name(r)]++
		c.http[r.Method+" "+r.URL.Path]++
		c.mu.Unlock()
		forwardTo(w, r, to)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// s3 counts by what is charged: a list costs what a PUT does, a DELETE nothing.
func (c *counts) s3(t *testing.T, to string) string {
	return c.front(t, to, func(r *http.Request) string {
		if r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "list-type") {
			return http.MethodPut
		}
		return r.Method
	})
}

func (c *counts) sqs(t *testing.T, to string) string {
	return c.front(t, to, func(*http.Request) string { return "SQS" })
}

// receiver counts samples.
func (c *counts) receiver(t *testing.T) string {
	c.recorder = newRecorder(t, "")
	return c.recorder.url
}

// report counts invocations of a function; of nil counts there is none.
func (c *counts) report(function string) func(emulator.Report) {
	if c == nil {
		return nil
	}
	return func(r emulator.Report) {
		c.mu.Lock()
		defer c.mu.Unlock()
		b := c.reports[function]
		if b == nil {
			b = &billed{}
			c.reports[function] = b
		}
		b.requests++
		if r.Cold {
			b.cold++
		}
		b.seconds += r.Billed.Seconds()
		b.gbSeconds += r.Billed.Seconds() * float64(r.MemorySize) / (1 << 30)
	}
}

// schedule counts one that has come.
func (c *counts) schedule() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.http["schedule"]++
}

// snapshot is what has been counted so far.
func (c *counts) snapshot() map[string]float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]float64{"puts": c.http[http.MethodPut], "gets": c.http[http.MethodGet] + c.http[http.MethodHead], "sqs": c.http["SQS"], "sends": c.http["SQS"], "schedules": c.http["schedule"]}
	for k, v := range c.http {
		if strings.Contains(k, " ") {
			out[k] = v
		}
	}
	for id, b := range c.reports {
		out["requests"] += b.requests
		out["seconds"] += b.seconds
		out["cold"] += b.cold
		out["gbSeconds"] += b.gbSeconds
		out[id] = b.requests
	}
	for _, m := range c.mappings {
		s := m.Stats()
		out["sqs"] += float64(s.Receives + s.Deletes)
		if m.BatchSize > 10 { // that of pushes
			out["batches"], out["messages"] = float64(s.Batches), float64(s.Messages)
		}
		out["receives "+m.Queue.Name()] = float64(s.Receives)
		out["deletes "+m.Queue.Name()] = float64(s.Deletes)
	}
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	for _, request := range c.recorder.requests {
		out["samples"] += float64(len(request))
	}
	return out
}

// counted is the usage of so many minutes, by the names of package cost, in a month.
func counted(before, after map[string]float64, minutes int) prices.Usage {
	u := prices.Usage{}
	for name, item := range map[string]string{
		"requests": prices.LambdaRequests, "gbSeconds": prices.LambdaArm, "sqs": prices.SQSRequests, "puts": prices.S3Puts, "gets": prices.S3Gets, "samples": prices.Samples, "schedules": prices.Scheduler,
	} {
		u[item] = (after[name] - before[name]) * float64(prices.Month/time.Minute) / float64(minutes)
	}
	return u
}

// TestCostCounted runs what the CDK would deploy with so many pushes and probes a
// minute, counts what AWS would charge for, and compares it with what narthex cost
// says of the same deployment. Scaled down a minute takes a second, and ticks are
// a minute apart; in full they are 15 s apart, by messages of a queue.
func TestCostCounted(t *testing.T) {
	const perMinute, series = 20, 10
	minutes, warm, every, settings := 10, 5, 60, `"lambda": {"telemetry": false}, "ledger": {"settle": "3s", "heartbeat": "2s"}`
	if full() {
		minutes, warm, every, settings = 4, 6, 15, `"ledger": {"settle": "3m"}`
	}
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") }))
	t.Cleanup(page.Close)
	d := synthesize(t, fmt.Sprintf(`{"push": {"interval": %[1]d, "settings": {%[2]s}},
		"probe": {"every": %[1]d, "targets": [{"name": "page", "target": %[3]q, "module": "page"}, {"name": "again", "target": %[3]q, "module": "page"}],
			"modules": {"page": {"prober": "http", "http": {"tls_config": {"insecure_skip_verify": true}}}},
			"settings": {%[2]s, "probes": {"every": "%[4]ds", "guard": {"loopback": true}}}}}`, every, settings, page.URL, map[bool]int{false: 1, true: 15}[full()]))
	d.count, d.mute = newCounts(), true
	if full() {
		d.minute = time.Minute
	}
	d.start(t)
	url := d.front(t, "Push")
	n := 0
	minute := func() {
		begun := time.Now()
		var running sync.WaitGroup
		each(d, "AWS::Events::Rule", func(_ string, p map[string]any) {
			f := d.functions[named(p["Targets"].([]any)[0].(map[string]any)["Arn"])]
			running.Go(func() {
				d.count.schedule()
				if r, err := f.Invoke(t.Context(), (&emulator.Schedule{Function: f}).Event(begun)); err != nil || r.FunctionError != "" {
					t.Errorf("a schedule: %v %s", err, r.Payload)
				}
			})
		})
		tick := time.NewTicker(d.minute / perMinute)
		defer tick.Stop()
		for range perMinute {
			body := fmt.Sprintf(`{"counters":[{"name":"orders_total","labels":{"shop":"%d"},"add":1}]}`, n%series)
			if code, answer := post(t, url+"/api/v1/push", "application/json", []byte(body)); code/100 != 2 {
				t.Fatalf("push: %d %s", code, answer)
			}
			n++
			<-tick.C
		}
		running.Wait()
	}
	for range warm { // series are born, and what does not change any more is settled
		minute()
	}
	// A window in which this machine was too slow, so that events came late and in
	// heaps, or an instance had to be started, says nothing of a month: another is taken.
	var before, after map[string]float64
	for range 6 {
		before = d.count.snapshot()
		begun := time.Now()
		for range minutes {
			minute()
		}
		after = d.count.snapshot()
		if slow := time.Since(begun) > time.Duration(minutes)*d.minute*21/20; !slow && after["cold"] == before["cold"] {
			break
		}
	}
	got := counted(before, after, minutes)
	plan := prices.Plan{
		Targets: 2, Series: series, Pushes: perMinute * float64(prices.Month/time.Minute), Interval: time.Duration(every) * time.Second, Silent: !full(),
		// The functions have different sizes: the mean is what costs the same.
		Duration: time.Duration((after["seconds"] - before["seconds"]) / (after["requests"] - before["requests"]) * float64(time.Second)),
		Memory:   int((after["gbSeconds"] - before["gbSeconds"]) / (after["seconds"] - before["seconds"]) * 1024),
	}
	// How pushes fall into batches is up to the pollers, and to chance.
	plan.Batch = (after["messages"] - before["messages"]) / (after["batches"] - before["batches"])
	if estimate := 1 + perMinute/60.*5/2; math.Abs(estimate/plan.Batch-1) > 0.3 {
		t.Errorf("batches have %.2f pushes, %.2f by estimate", plan.Batch, estimate)
	}
	want, err := plan.Usage()
	if err != nil {
		t.Fatal(err)
	}
	for item, n := range got {
		off := want[item]/n - 1
		t.Logf("%-16s %12.0f counted, %12.0f reckoned, %+.1f %%", item, n, want[item], 100*off)
		// A swap that is lost is a request more: in a short window a few are chance.
		if few := 4 * float64(prices.Month/time.Minute) / float64(minutes); math.Abs(off) > 0.05 && (full() || math.Abs(want[item]-n) > few) {
			t.Errorf("%s: %.0f counted, %.0f reckoned", item, n, want[item])
		}
	}
	if t.Failed() {
		for k := range after {
			t.Logf("%-40s %.3f a minute", k, (after[k]-before[k])/float64(minutes))
		}
	}
}
