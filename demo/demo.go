// Package demo feeds a narthex with an invented small shop, through the doors
// that real code uses, so that everything can be seen alive: pushes that are
// repeated, an access log that grows, a batch job, a service that has fallen
// silent, and one that does much wrong.
//
//	c, err := config.Parse("the demo", []byte(demo.Config(listen, dir)), nil)
//	...
//	shop := &demo.Shop{URL: "http://127.0.0.1:9091", Dir: dir}
//	err = shop.Open()
//	...
//	shop.Run(ctx)
package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"narthex/push"
)

// Config is the configuration of a narthex on the address that keeps its data in
// the directory: it reads the shop's log, and probes itself.
func Config(listen, dir string) string {
	return fmt.Sprintf(`listen: %[1]q
data: %[2]q
scrape_interval: 5s
scrape_configs: [{job_name: narthex, scrape_interval: 5s, static_configs: [{targets: [%[1]q]}],
  metric_relabel_configs: [{source_labels: [__name__], regex: "narthex_.*|up", action: keep}]}]
logs: [{source: shop-cdn, from: %[3]q, routes: ["GET /", "GET /articles/{id}", "GET /basket", "POST /orders", "/assets/**"]}]
probes:
  every: 10s
  region: here
  targets:
    - {name: the shop's front page, target: "http://%[1]s/-/ready", module: http_2xx}
    - {name: a page that is gone, target: "http://%[1]s/docs/gone", module: http_2xx}
    - {name: a port where nobody listens, target: "127.0.0.1:1", module: tcp_connect}
`, listen, dir, logFile(dir))
}

func logFile(dir string) string { return filepath.Join(dir, "shop", "edge.log") }

// Shop is what goes on in the shop.
type Shop struct {
	URL string // of the narthex that is fed
	Dir string // that of Config
	// Every is how often something happens, default a second.
	Every  time.Duration
	Logger *slog.Logger // nil means slog.Default()

	client *push.Client
	round  int
}

// Run feeds until ctx ends.
func (s *Shop) Run(ctx context.Context) {
	if s.Every <= 0 {
		s.Every = time.Second
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	s.client = &push.Client{URL: s.URL}
	s.history(ctx)
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		s.happen(ctx)
		s.round++
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// happen is a second in the shop.
func (s *Shop) happen(ctx context.Context) {
	busy := 1 + math.Sin(float64(s.round)/60)/2 // customers come in waves
	s.checkout(ctx, busy)
	s.send(ctx, "", map[string]any{"service": "mail", "gauges": []any{map[string]any{"name": "queue_length", "set": rand.IntN(20)}}})
	if err := s.visit(int(10 * busy)); err != nil {
		s.Logger.Warn("the demo's log can't be written", "err", err)
	}
	if s.round < 30 { // and then never again
		s.send(ctx, "", counter("legacy", "legacy_jobs_total", nil, 1))
	}
	if s.round%30 == 0 {
		s.backup(ctx)
	}
	if s.round%7 == 3 {
		s.careless(ctx)
	}
}

// checkout counts orders. Now and then an answer is lost on the way, and the push
// is sent again under its id: it counts once.
func (s *Shop) checkout(ctx context.Context, busy float64) {
	var took []float64
	for range 1 + rand.IntN(int(6*busy)) {
		took = append(took, 0.05*math.Exp(rand.NormFloat64()/2))
	}
	labels := map[string]string{"shop": pick("zug", "bern", "basel"), "method": pick("card", "card", "twint", "invoice")}
	body := counter("checkout", "orders_total", labels, len(took))
	body["histograms"] = []any{map[string]any{"name": "checkout_seconds", "observe": took, "buckets": "api_latency"}}
	id := fmt.Sprintf("order-%d-%d", time.Now().Unix(), s.round)
	s.send(ctx, id, body)
	if rand.IntN(6) == 0 {
		s.send(ctx, id, body)
	}
}

// careless is what a service does that has not read the manual.
func (s *Shop) careless(ctx context.Context) {
	switch rand.IntN(4) {
	case 0: // a series for each request
		s.send(ctx, "", counter("careless", "careless_requests_total", map[string]string{"request_id": fmt.Sprintf("%016x", rand.Uint64())}, 1))
	case 1: // a name that can't be
		s.send(ctx, "", counter("careless", "careless requests", nil, 1))
	case 2: // less than nothing
		s.send(ctx, "", counter("careless", "careless_refunds_total", nil, -1))
	default: // an id for two things
		s.send(ctx, "the-same-id-again", counter("careless", "careless_orders_total", nil, 1+s.round))
	}
}

// backup is a batch job with a client of a Pushgateway.
func (s *Shop) backup(ctx context.Context) {
	text := fmt.Sprintf("# TYPE backup_bytes gauge\nbackup_bytes %d\n# TYPE backup_duration_seconds gauge\nbackup_duration_seconds %.1f\n", 900_000_000+rand.IntN(1e8), 60+20*rand.Float64())
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL+"/metrics/job/backup", strings.NewReader(text))
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		resp.Body.Close()
	}
}

// history pushes the temperature of a cold room for the last 50 minutes, as a
// thermometer does that was without a network.
func (s *Shop) history(ctx context.Context) {
	type sample struct {
		Value     float64 `json:"value"`
		Timestamp int64   `json:"timestamp"`
	}
	var samples []sample
	now := time.Now()
	for at := now.Add(-50 * time.Minute); at.Before(now); at = at.Add(30 * time.Second) {
		samples = append(samples, sample{4 + math.Sin(float64(at.Unix())/600) + rand.Float64()/5, at.UnixMilli()})
	}
	s.send(ctx, "", map[string]any{"service": "coldroom", "series": []any{map[string]any{
		"labels": map[string]string{"__name__": "coldroom_celsius", "room": "cheese"}, "samples": samples,
	}}})
}

// send pushes a body. What becomes of it is on the page.
func (s *Shop) send(ctx context.Context, id string, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	if id == "" {
		id = fmt.Sprintf("demo-%d-%d", time.Now().UnixNano(), rand.Uint32())
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, _ = s.client.Send(ctx, id, text)
}

func counter(service, name string, labels map[string]string, add int) map[string]any {
	return map[string]any{"service": service, "counters": []any{map[string]any{"name": name, "labels": labels, "add": add}}}
}

func pick(words ...string) string { return words[rand.IntN(len(words))] }

// Open begins the shop's log, in the format of CloudFront.
func (s *Shop) Open() error {
	if err := os.MkdirAll(filepath.Dir(logFile(s.Dir)), 0o700); err != nil {
		return fmt.Errorf("make the demo's log: %w", err)
	}
	return s.appendLog("#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken\n")
}

// visit logs requests.
func (s *Shop) visit(n int) error {
	var b strings.Builder
	now := time.Now().UTC()
	for range n {
		method, path, status := "GET", pick("/", "/", "/basket", "/assets/app.js", fmt.Sprintf("/articles/%d", rand.IntN(5000))), "200"
		switch rand.IntN(20) {
		case 0:
			status = "503"
		case 1:
			path, status = "/wp-login.php", "404"
		case 2, 3:
			method, path, status = "POST", "/orders", "201"
		case 4:
			status = "000" // the client has left
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%d\t192.0.2.%d\t%s\td1.example\t%s\t%s\t-\tbrowser\t-\t-\t%s\t%016x\tshop.example\thttps\t%d\t%.3f\n",
			now.Format(time.DateOnly), now.Format(time.TimeOnly), pick("ZRH50-C1", "FRA56-P3", "CDG52-P1"), 500+rand.IntN(40000), rand.IntN(250), method, path, status,
			pick("Hit", "Hit", "Miss"), rand.Uint64(), 40+rand.IntN(400), 0.02*math.Exp(rand.NormFloat64()))
	}
	if rand.IntN(60) == 0 {
		b.WriteString("a line that was cut of\n")
	}
	return s.appendLog(b.String())
}

func (s *Shop) appendLog(text string) error {
	f, err := os.OpenFile(logFile(s.Dir), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
