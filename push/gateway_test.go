package push_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/openmetrics"
	"narthex/push"
)

func TestGatewayPushes(t *testing.T) {
	f := func(name, method, path, body string, headers []string, code int, want string) {
		t.Helper()
		g := newGate(t, push.Options{})
		got, answer := g.do(method, path, body, headers...)
		if got != code || code == 200 && answer != "" {
			t.Errorf("%s: %d %q, want %d", name, got, answer, code)
		}
		if d := cmp.Diff(want, without(g.tick())); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	f("text", "PUT", "/metrics/job/a", "m 1\n", nil, 200, `m{job="a"} 1`)
	f("a form, as curl sends it", "POST", "/metrics/job/a/instance/b", "m 1\n", []string{"Content-Type: application/x-www-form-urlencoded"}, 200, `m{instance="b",job="a"} 1`)
	f("an empty body", "PUT", "/metrics/job/a", "", nil, 200, "")
	f("a slash at the end", "PUT", "/metrics/job/a/", "m 1\n", nil, 200, `m{job="a"} 1`)
	f("the path's labels win", "PUT", "/metrics/job/a/x/1", "m{x=\"2\",job=\"b\",y=\"3\"} 1\n", nil, 200, `m{job="a",x="1",y="3"} 1`)
	f("an empty value takes the label away", "PUT", "/metrics/job/a/x/", "m{x=\"2\",y=\"3\"} 1\n", nil, 200, `m{job="a",y="3"} 1`)
	f("base64", "PUT", "/metrics/job@base64/YS9i/path@base64/L3Zhci90bXA/p2@base64/L3Zhci90bXA=", "m 1\n", nil, 200, `m{job="a/b",p2="/var/tmp",path="/var/tmp"} 1`)
	f("base64 of nothing", "PUT", "/metrics/job/a/x@base64/=/y/1", "m{x=\"2\"} 1\n", nil, 200, `m{job="a",y="1"} 1`)
	f("escapes", "PUT", "/metrics/job/a%20b/x/c%2Fd", "m 1\n", nil, 200, `m{job="a b",x="c/d"} 1`)
	f("the last of two values", "PUT", "/metrics/job/a/x/1/x/2/job/b", "m 1\n", nil, 200, `m{job="a",x="2"} 1`)
	f("a histogram", "PUT", "/metrics/job/a", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", nil, 200,
		"h_bucket{job=\"a\",le=\"+Inf\"} 2\nh_bucket{job=\"a\",le=\"1.0\"} 1\nh_count{job=\"a\"} 2\nh_sum{job=\"a\"} 3")
	f("a summary", "PUT", "/metrics/job/a", "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 3\ns_count 2\n", nil, 200,
		"s_count{job=\"a\"} 2\ns_sum{job=\"a\"} 3\ns{job=\"a\",quantile=\"0.5\"} 7")
	f("OpenMetrics", "PUT", "/metrics/job/a", "# TYPE c counter\nc_total 4\n# EOF\n", []string{"Content-Type: application/openmetrics-text; version=1.0.0"}, 200, `c_total{job="a"} 4`)
	f("protobuf", "PUT", "/metrics/job/a", delimited(t), []string{"Content-Type: " + openmetrics.Protobuf.ContentType()}, 200, "c_total{job=\"a\"} 4\nn{job=\"a\"} count 3")
	f("gzip", "PUT", "/metrics/job/a", zipped("m 1\n"), []string{"Content-Encoding: gzip"}, 200, `m{job="a"} 1`)
	f("the group's own gauges are not the client's", "PUT", "/metrics/job/a", "push_time_seconds{x=\"1\"} 7\nm 1\n", nil, 200, `m{job="a"} 1`)

	f("no value", "PUT", "/metrics/job/a/x", "m 1\n", nil, 400, "")
	f("no job", "PUT", "/metrics/job@base64/=", "m 1\n", nil, 400, "")
	f("bad base64", "PUT", "/metrics/job@base64/%21", "m 1\n", nil, 400, "")
	f("bad base64 of a label", "PUT", "/metrics/job/a/x@base64/%21", "m 1\n", nil, 400, "")
	f("a bad name", "PUT", "/metrics/job/a/x-y/1", "m 1\n", nil, 400, "")
	f("a reserved name", "PUT", "/metrics/job/a/__x/1", "m 1\n", nil, 400, "")
	f("the metric's name", "PUT", "/metrics/job/a/__name__/x", "m 1\n", nil, 400, "")
	f("a name like a colon's", "PUT", "/metrics/job/a/x:y/1", "m 1\n", nil, 400, "")
	f("not UTF-8", "PUT", "/metrics/job/a/x@base64/_w", "m 1\n", nil, 400, "")
	f("le in the path", "PUT", "/metrics/job/a/le/1", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", nil, 400, "")
	f("no exposition", "PUT", "/metrics/job/a", "what is this?\n", nil, 400, "")
	f("a timestamp", "PUT", "/metrics/job/a", "m 1 1000\n", nil, 400, "")
	f("twice", "PUT", "/metrics/job/a", "m 1\nm 2\n", nil, 400, "")
	f("twice once the path's labels are set", "PUT", "/metrics/job/a", "m{job=\"x\"} 1\nm{job=\"y\"} 2\n", nil, 400, "")
	f("JSON", "PUT", "/metrics/job/a", "m 1\n", []string{"Content-Type: application/json"}, 415, "")
	f("an unknown encoding", "PUT", "/metrics/job/a", "m 1\n", []string{"Content-Encoding: br"}, 415, "")
	f("no gzip", "PUT", "/metrics/job/a", "m 1\n", []string{"Content-Encoding: gzip"}, 400, "")
	f("GET", "GET", "/metrics/job/a", "", nil, 405, "")
	f("PATCH", "PATCH", "/metrics/job/a", "m 1\n", nil, 405, "")
	f("a delete of nothing", "DELETE", "/metrics/job/a", "", nil, 202, "")
	f("a delete without a value", "DELETE", "/metrics/job/a/x", "", nil, 400, "")
}

// delimited is a counter and a native histogram in protobuf.
func delimited(t testing.TB) string {
	layout, err := narthex.ParseLayout("native")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := openmetrics.WriteProtobuf(&b, []openmetrics.Family{
		{Name: "c_total", Type: narthex.TypeCounter, Metrics: []openmetrics.Metric{{Value: 4}}},
		{Name: "n", Type: narthex.TypeHistogram, Metrics: []openmetrics.Metric{{Histogram: layout.Histogram([]float64{1, 2, 3})}}},
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A run of requests to one server, with what is there after each.
func TestGatewayLife(t *testing.T) {
	g := newGate(t, push.Options{})
	step := func(method, path, body string, code int, want string) {
		t.Helper()
		got, answer := g.do(method, path, body)
		if got != code {
			t.Errorf("%s %s %q: %d %s, want %d", method, path, body, got, answer, code)
		}
		if d := cmp.Diff(want, strings.ReplaceAll(g.tick(), "_time_seconds{job", "{job")); d != "" {
			t.Errorf("%s %s %q (-want +got):\n%s", method, path, body, d)
		}
	}
	step("PUT", "/metrics/job/j", "a 1\nb{x=\"1\"} 1\n", 200, "a{job=\"j\"} 1\nb{job=\"j\",x=\"1\"} 1\npush_failure{job=\"j\"} 0\npush{job=\"j\"} 0")
	step("POST", "/metrics/job/j", "b{x=\"2\"} 2\n", 200, "a{job=\"j\"} 1\nb{job=\"j\",x=\"2\"} 2\npush_failure{job=\"j\"} 0\npush{job=\"j\"} 1")
	step("PUT", "/metrics/job/j", "c 1 5\n", 400, "a{job=\"j\"} 1\nb{job=\"j\",x=\"2\"} 2\npush_failure{job=\"j\"} 2\npush{job=\"j\"} 1")
	step("PUT", "/metrics/job/j", "c 1\n", 200, "c{job=\"j\"} 1\npush_failure{job=\"j\"} 2\npush{job=\"j\"} 3")
	step("POST", "/metrics/job/k", "# TYPE c counter\nc 1\n", 400, "c{job=\"j\"} 1\npush_failure{job=\"j\"} 2\npush_failure{job=\"k\"} 4\npush{job=\"j\"} 3\npush{job=\"k\"} 0")
	step("DELETE", "/metrics/job/k", "", 202, "c{job=\"j\"} 1\npush_failure{job=\"j\"} 2\npush{job=\"j\"} 3")
	step("PUT", "/metrics/job/j", "", 200, "push_failure{job=\"j\"} 2\npush{job=\"j\"} 6")
	step("DELETE", "/metrics/job/j", "", 202, "")
}

func TestGatewayRefusalsSayWhy(t *testing.T) {
	f := func(path, body, want string) {
		t.Helper()
		g := newGate(t, push.Options{})
		g.do("PUT", "/metrics/job/other", "taken 1\n")
		code, answer := g.do("PUT", path, body)
		if code != 400 || !strings.Contains(answer, want) || strings.Contains(answer, "\n") {
			t.Errorf("%s %q: %d %q, want %q", path, body, code, answer, want)
		}
	}
	f("/metrics/job/a", "m 1 5\n", "pushed metrics must not have timestamps")
	f("/metrics/job/a", "# TYPE taken counter\ntaken 1\n", `taken{job="a"}: it is a counter, but in another group the metric taken is a unknown`)
	f("/metrics/job/a/x", "m 1\n", `the path "job/a/x" has a label without a value`)
	f("/metrics/job@base64/=", "m 1\n", "a group needs a job")
	f("/metrics/job/a/x@base64/%2B", "m 1\n", "illegal base64 data")
	f("/metrics/job/a", "m 1\nm 2\n", "line 2")
	f("/metrics/job/a?ttl=soon", "m 1\n", `the parameter ttl is "soon"`)
}

// The same request under one id is taken once; a late repetition does not bring
// back what was replaced since, and a refusal stays one.
func TestGatewayID(t *testing.T) {
	g := newGate(t, push.Options{})
	do := func(method, body string, id string, code int, want string) {
		t.Helper()
		if got, answer := g.do(method, "/metrics/job/j", body, "Idempotency-Key: "+id); got != code {
			t.Errorf("%s %q under %s: %d %s, want %d", method, body, id, got, answer, code)
		}
		if got := without(g.tick()); got != want {
			t.Errorf("%s %q under %s: %q, want %q", method, body, id, got, want)
		}
	}
	do("PUT", "a 1\n", "1", 200, `a{job="j"} 1`)
	do("PUT", "a 2\n", "2", 200, `a{job="j"} 2`)
	do("PUT", "a 1\n", "1", 200, `a{job="j"} 2`)
	do("PUT", "a 3\n", "1", 422, `a{job="j"} 2`)
	do("POST", "a 1\n", "1", 422, `a{job="j"} 2`)
	do("DELETE", "", "3", 202, ``)
	do("PUT", "a 2\n", "2", 200, ``)
	g.do("PUT", "/metrics/job/other", "b 1\n")
	do("PUT", "# TYPE b counter\nb 1\n", "4", 400, `b{job="other"} 1`)
	do("PUT", "# TYPE b counter\nb 1\n", "4", 400, `b{job="other"} 1`)
}

func TestGatewayTTL(t *testing.T) {
	match := func(job string) map[string]*regexp.Regexp {
		return map[string]*regexp.Regexp{"job": regexp.MustCompile("^(?s:" + job + ")$")}
	}
	f := func(path, header string, want time.Duration) {
		t.Helper()
		s := serve(push.Options{GroupTTL: []push.TTLRule{{match("night.*"), 26 * time.Hour}, {match("nightly"), time.Hour}}})
		w := s.do("PUT", path, "m 1\n", "X-Narthex-TTL: "+header)
		if want < 0 {
			if w.Code != 400 || len(s.batches) > 0 {
				t.Errorf("%s %q: %d %s", path, header, w.Code, w.Body)
			}
			return
		}
		if w.Code != 200 || s.batches[0].Group.TTL != want {
			t.Errorf("%s %q: %d %s, %v", path, header, w.Code, w.Body, s.batches)
		}
	}
	f("/metrics/job/a", "", 0)
	f("/metrics/job/nightly", "", 26*time.Hour)
	f("/metrics/job/nightly", "1h", time.Hour)
	f("/metrics/job/nightly?ttl=0", "", 0)
	f("/metrics/job/nightly?ttl=7d", "1h", 7*24*time.Hour)
	f("/metrics/job/a?ttl=2w", "", 14*24*time.Hour)
	f("/metrics/job/a?ttl=90m", "", 90*time.Minute)
	for _, bad := range []string{"1", "-1h", "1ms", "36501d", "65535w", "d", "1.5d", "tomorrow"} {
		f("/metrics/job/a?ttl="+bad, "", -1)
		f("/metrics/job/a", bad, -1)
	}

	// With its time to live over a group ends at once.
	g := newGate(t, push.Options{})
	g.do("PUT", "/metrics/job/a?ttl=2s", "m 1\n")
	g.tick()
	if got := without(g.tick()); got != `m{job="a"} 1` {
		t.Errorf("after 2 s: %q", got)
	}
	if got := g.tick(); got != "" {
		t.Errorf("after 3 s: %q", got)
	}
}

func TestGatewayAPI(t *testing.T) {
	g := newGate(t, push.Options{Build: map[string]string{"version": "1"}})
	g.do("PUT", "/metrics/job/a/instance/i", "# HELP m Some.\n# TYPE m gauge\nm{x=\"1\"} 1\nm{x=\"2\"} 2.5\n")
	g.do("PUT", "/metrics/job/a/instance/i", "m 1 5\n")
	_, answer := g.do("GET", "/api/v1/metrics", "")
	var got struct {
		Status string
		Data   []map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Status != "success" || len(got.Data) != 1 {
		t.Fatalf("%v: %s", err, answer)
	}
	for name, want := range map[string]string{
		"labels":               `{"instance":"i","job":"a"}`,
		"last_push_successful": `false`,
		"m": `{"time_stamp":"2026-01-01T00:00:00Z","type":"GAUGE","help":"Some.","metrics":[` +
			`{"labels":{"instance":"i","job":"a","x":"1"},"value":"1"},{"labels":{"instance":"i","job":"a","x":"2"},"value":"2.5"}]}`,
	} {
		if sorted(t, got.Data[0][name]) != sorted(t, []byte(want)) {
			t.Errorf("%s: %s, want %s", name, got.Data[0][name], want)
		}
	}
	g.do("PUT", "/metrics/job/a/instance/i", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 3\ns_count 2\n")
	_, answer = g.do("GET", "/api/v1/metrics", "")
	for _, want := range []string{
		`"metrics":[{"buckets":{"+Inf":"2","1.0":"1"},"count":"2","labels":{"instance":"i","job":"a"},"sum":"3"}]`,
		`"metrics":[{"count":"2","labels":{"instance":"i","job":"a"},"quantiles":{"0.5":"7"},"sum":"3"}]`,
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("%s\nhas no %s", answer, want)
		}
	}
	if code, answer := g.do("GET", "/api/v1/status", ""); code != 200 || !strings.Contains(answer, `"build_information":{"version":"1"},"flags":{},"start_time":"2026-01-01T00:00:00Z"`) {
		t.Errorf("status: %d %s", code, answer)
	}
	if code, _ := g.do("POST", "/api/v1/metrics", ""); code != 405 {
		t.Errorf("POST /api/v1/metrics: %d", code)
	}
}

// sorted writes JSON again, with a map's keys in order and lists as sets.
func sorted(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if m, ok := v.(map[string]any); ok {
		if list, ok := m["metrics"].([]any); ok && len(list) == 2 {
			a, _ := json.Marshal(list[0])
			z, _ := json.Marshal(list[1])
			if string(a) > string(z) {
				list[0], list[1] = list[1], list[0]
			}
		}
	}
	out, _ := json.Marshal(v)
	return string(out)
}
