package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/remotewrite"
)

// get returns an answer's body.
func (s *server) get(path string) string {
	s.t.Helper()
	resp, err := http.Get(s.url() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
	}
	return string(text)
}

// routes is a push of one increment for each of so many routes.
func routes(id, service string, from, to int) string {
	var counters []string
	for i := from; i < to; i++ {
		counters = append(counters, fmt.Sprintf(`{"name":"hits_total","labels":{"route":"/r/%d","env":"prod"},"add":2}`, i))
	}
	return fmt.Sprintf(`{"service":%q,"id":%q,"counters":[%s]}`, service, id, strings.Join(counters, ","))
}

// What is over the limit is folded, sums stay right, a retry counts once, and
// the state of it can be seen.
func TestOverflow(t *testing.T) {
	t.Parallel()
	s := newServer(t, "scrape_interval: 1s\nlimits: {series_per_source: 3, overflow: {action: other, labels: [route]}}\n")
	for _, c := range []struct {
		body         string
		code         int
		status, text string
	}{
		{routes("a", "shop", 0, 10), 200, "accepted", `7 new series were over a limit of active series, so they were counted under the value \"other\" of route`},
		{routes("a", "shop", 0, 10), 200, "duplicate", ""},
		{routes("b", "shop", 5, 20), 200, "accepted", "15 new series"},
		{routes("c", "cart", 0, 3), 200, "accepted", ""},
		{`{"service":"shop","gauges":[{"name":"g","set":1}],"counters":[{"name":"hits_total","labels":{"route":"/r/0","env":"prod"},"add":1}]}`, 200, "partial", "only increments can be counted"},
		{`{"service":"shop","gauges":[{"name":"g","set":1}]}`, 400, "error", "nothing of the push could be accepted"},
	} {
		code, answer := s.push(c.body)
		text, _ := json.Marshal(answer)
		if code != c.code || answer["status"] != c.status || !strings.Contains(strings.ReplaceAll(string(text), `\\`, `\`), c.text) {
			t.Errorf("%d %s, want %d %s %q", code, text, c.code, c.status, c.text)
		}
	}
	if code, text := s.body(http.MethodPut, "/metrics/job/batch", "a 1\nb 1\nc 1\nd 1\n"); code != 413 || !strings.Contains(text, "nothing of the group was taken") {
		t.Errorf("a group: %d %s", code, text)
	}
	eventually(t, "the sums", func() bool {
		return s.value(`sum(hits_total{service="shop"})`) == "51" && s.value(`hits_total{service="shop",route="other",env="prod"}`) == "44" &&
			s.value(`count(hits_total{service="cart"})`) == "3" && s.value(`count({job="batch",__name__!~"push_.*"}) or vector(0)`) == "0"
	})
	var status struct {
		Status string
		Data   struct {
			Series   int
			BySource []map[string]any `json:"by_source"`
		}
	}
	if err := json.Unmarshal([]byte(s.get("/api/v1/status/limits")), &status); err != nil {
		t.Fatal(err)
	}
	top := status.Data.BySource[0]
	if status.Status != "success" || status.Data.Series != 7 || top["source"] != "shop" || top["series"] != 4.0 || top["limit"] != 3.0 || top["folded"] != 22.0 || top["rejected"] != 2.0 {
		t.Errorf("status %+v", status)
	}
	metrics := s.get("/metrics")
	for _, line := range []string{
		`narthex_limited_series_total{identity="",reason="series_per_source",action="folded"} 22`,
		`narthex_limited_series_total{identity="",reason="series_per_source",action="rejected"} 2`,
		`narthex_limited_pushes_total{identity="",reason="series_per_source"} 1`,
		`narthex_limiter_active_series 7`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// body sends a request and returns the code and the text of the answer.
func (s *server) body(method, path, body string) (int, string) {
	s.t.Helper()
	resp, text := fetch(s.t, method, s.url()+path, []byte(body))
	return resp.StatusCode, string(text)
}

// Whoever is told to wait and does so loses nothing and counts nothing twice.
func TestRateLimit(t *testing.T) {
	s := newServer(t, "scrape_interval: 1s\nlimits: {source_pushes_per_second: 0.5, burst: 2s}\n")
	push := func(id, service string) (int, string) {
		resp, err := http.Post(s.url()+"/api/v1/push", "application/json", strings.NewReader(routes(id, service, 0, 1)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	if code, _ := push("1", "a"); code != 200 {
		t.Errorf("the first push: %d", code)
	}
	if code, after := push("2", "a"); code != 429 || after != "1" && after != "2" {
		t.Errorf("the second push: %d, Retry-After %q", code, after)
	}
	if code, _ := push("1", "b"); code != 422 { // another source, but the id of another body
		t.Errorf("another source: %d", code)
	}
	eventually(t, "the second push is taken", func() bool { code, _ := push("2", "a"); return code == 200 })
	eventually(t, "two pushes", func() bool { return s.value(`hits_total{service="a"}`) == "4" })
	if text := s.get("/metrics"); !strings.Contains(text, `narthex_limited_pushes_total{identity="",reason="source_pushes_per_second"}`) {
		t.Error("the metrics don't say that a push was limited")
	}
}

// A clock that is wrong is put right where that is wanted, and nowhere else.
func TestTimePolicy(t *testing.T) {
	t.Parallel()
	s := newServer(t, `
scrape_interval: 1s
push:
  time:
    - {match: {service: iot}, policy: now}
    - {match: {service: edge}, policy: clamp, max_age: 10m}
`)
	old := time.Now().Add(-30 * time.Minute).UnixMilli()
	for _, service := range []string{"iot", "edge", "good"} {
		code, answer := s.push(fmt.Sprintf(`{"service":%q,"series":[{"labels":{"__name__":"temperature"},"samples":[{"value":1,"timestamp":%d},{"value":2,"timestamp":%d}]}]}`, service, old-1000, old))
		warned := strings.Contains(fmt.Sprint(answer["warnings"]), "the time policy")
		if code != 200 || answer["status"] != "accepted" || warned == (service == "good") {
			t.Errorf("%s: %d %v", service, code, answer)
		}
	}
	stored := func(service string) []point { return samples(t, s.url(), `temperature{service="`+service+`"}`) }
	eventually(t, "the samples", func() bool { return s.value(`count(last_over_time(temperature[1h]))`) == "3" })
	now := float64(time.Now().UnixMilli()) / 1000
	if got := stored("iot"); len(got) != 2 || now-got[1].t > 60 || fmt.Sprintf("%.3f", got[1].t-got[0].t) != "1.000" || got[1].v != "2" {
		t.Errorf("now: %v", got)
	}
	if got := stored("edge"); len(got) != 1 || now-got[0].t < 600 || now-got[0].t > 660 || got[0].v != "2" {
		t.Errorf("clamp: %v", got)
	}
	if got := stored("good"); len(got) != 2 || got[1].t != float64(old)/1000 {
		t.Errorf("keep: %v", got)
	}
	if text := s.get("/metrics"); !strings.Contains(text, `narthex_time_policy_changed_total{policy="now"} 2`) || !strings.Contains(text, `narthex_time_policy_changed_total{policy="clamp"} 2`) {
		t.Errorf("metrics:\n%s", text)
	}
}

// All doors that take samples stand behind the same policy and the same limits.
func TestPolicyAndLimitsOfAllDoors(t *testing.T) {
	t.Parallel()
	s := newServer(t, `
scrape_interval: 1s
push: {time: [{match: {job: iot}, policy: now}]}
limits: {series_per_source: 2}
`)
	old := time.Now().Add(-30 * time.Minute).Truncate(time.Millisecond)
	otlp := func(name string) (int, map[string]any) {
		return s.post("/v1/metrics", fmt.Appendf(nil, `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"iot"}}]},
			"scopeMetrics":[{"metrics":[{"name":%q,"gauge":{"dataPoints":[{"timeUnixNano":"%d","asDouble":7}]}}]}]}]}`, name, old.UnixNano()), "Content-Type", "application/json")
	}
	if code, answer := otlp("otlp_temperature"); code != 200 {
		t.Errorf("OTLP: %d %v", code, answer)
	}
	client, err := remotewrite.New(remotewrite.Options{URL: s.url() + "/api/v1/write"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(job, name string) []narthex.Rejection {
		ls, err := narthex.NewLabels(narthex.Label{Name: "__name__", Value: name}, narthex.Label{Name: "job", Value: job})
		if err != nil {
			t.Fatal(err)
		}
		b := &narthex.Batch{Received: time.Now(), Series: []narthex.Series{{Labels: ls, Samples: []narthex.Sample{{Time: old.UnixMilli(), Value: 7}}}}}
		if err := client.Write(t.Context(), b); err != nil && !narthex.IsRejected(err) {
			t.Fatal(err)
		}
		return b.Rejected
	}
	if r := append(write("iot", "written_temperature"), write("other", "written_temperature")...); len(r) > 0 {
		t.Errorf("remote write: %v", r)
	}
	now := time.Now()
	for selector, want := range map[string]time.Time{
		`otlp_temperature{job="iot"}`: now, `written_temperature{job="iot"}`: now, `written_temperature{job="other"}`: old,
	} {
		got := samples(t, s.url(), selector)
		if d := time.UnixMilli(int64(got[0].t * 1000)).Sub(want); len(got) != 1 || d.Abs() > time.Minute {
			t.Errorf("%s is %v off", selector, d)
		}
	}
	// The source has its two series (target_info would be the third).
	if r := write("iot", "third"); len(r) == 0 {
		t.Error("remote write: a third series was taken")
	}
	if code, answer := otlp("fourth"); code != 200 || !strings.Contains(fmt.Sprint(answer), "limits.series_per_source") {
		t.Errorf("OTLP: %d %v", code, answer)
	}
}
