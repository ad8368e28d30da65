package test

import (
	"bytes"
	"strconv"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
)

// gatewayCase is a run of requests that share nothing with the others' groups
// and metrics.
type gatewayCase struct {
	name     string
	requests []gatewayRequest
	// differs has, for series that narthex leaves otherwise on purpose, their
	// value there, "" for none; why says the reason.
	differs map[string]string
	why     string
}

const protoType = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

// families is an exposition in delimited protobuf.
func families(t testing.TB, all ...*dto.MetricFamily) string {
	t.Helper()
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for _, f := range all {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func gaugeFamily(name string, v float64) *dto.MetricFamily {
	return &dto.MetricFamily{Name: proto.String(name), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: proto.Float64(v)}}}}
}

func gatewayCases(t testing.TB) []gatewayCase {
	put := func(path, body string, code int, headers ...string) gatewayRequest {
		return gatewayRequest{method: "PUT", path: path, body: body, headers: headers, code: code}
	}
	post := func(path, body string, code int, headers ...string) gatewayRequest {
		return gatewayRequest{method: "POST", path: path, body: body, headers: headers, code: code}
	}
	del := func(path string, code int) gatewayRequest {
		return gatewayRequest{method: "DELETE", path: path, code: code}
	}
	other := func(r gatewayRequest, ours int) gatewayRequest {
		r.ours = ours
		return r
	}
	all := func(requests ...gatewayRequest) []gatewayRequest { return requests }
	return []gatewayCase{
		{name: "PUT", requests: all(put("/metrics/job/a1", "a1 1\n", 200))},
		{name: "PUT replaces", requests: all(
			put("/metrics/job/a2/x/1", "a2_a 1\na2_b 1\n", 200),
			put("/metrics/job/a2/x/1", "a2_b 2\n", 200))},
		{name: "POST replaces metrics of the same name", requests: all(
			post("/metrics/job/a3", "a3_a{x=\"1\"} 1\na3_b{x=\"1\"} 1\n", 200),
			post("/metrics/job/a3", "a3_b{x=\"2\"} 2\n", 200))},
		{name: "POST of a part of a histogram's name", requests: all(
			post("/metrics/job/a4", histogram("a4", 1), 200),
			post("/metrics/job/a4", histogram("a4", 5), 200))},
		{name: "DELETE", requests: all(
			put("/metrics/job/a5", "a5 1\n", 200),
			put("/metrics/job/a5/x/1", "a5 2\n", 200),
			del("/metrics/job/a5", 202))},
		{name: "DELETE of nothing", requests: all(del("/metrics/job/a6/x/1", 202))},
		{name: "DELETE and again", requests: all(
			put("/metrics/job/a7", "a7 1\n", 200),
			del("/metrics/job/a7", 202),
			put("/metrics/job/a7", "a7 2\n", 200))},
		{name: "an empty body", requests: all(
			put("/metrics/job/b1", "b1 1\n", 200),
			put("/metrics/job/b1", "", 200),
			post("/metrics/job/b2", "", 200))},
		{name: "types", requests: all(put("/metrics/job/b3",
			"# HELP b3_c A counter.\n# TYPE b3_c counter\nb3_c 3\n# TYPE b3_g gauge\nb3_g -1.5\nb3_u 1e300\n"+histogram("b3_h", 2)+
				"# TYPE b3_s summary\nb3_s{quantile=\"0.5\"} 1\nb3_s{quantile=\"1\"} NaN\nb3_s_sum 3\nb3_s_count 4\n", 200))},
		{name: "values", requests: all(put("/metrics/job/b4", "b4{x=\"1\"} +Inf\nb4{x=\"2\"} -Inf\nb4{x=\"3\"} NaN\n", 200))},
		{name: "a value in hexadecimal", requests: all(put("/metrics/job/b8", "b8 0x10\n", 400))},
		{name: "an empty part of a path", requests: all(other(put("/metrics/job/b9//x/1", "b9 1\n", 301), 307)),
			why: "both redirect to the cleaned path; Go's servers do so with 307 since 1.26"},
		{name: "the path's labels win", requests: all(put("/metrics/job/b5/x/1", "b5{x=\"2\",job=\"z\",instance=\"i\",y=\"3\"} 1\n", 200))},
		{name: "an empty value in the path", requests: all(put("/metrics/job/b6/x/", "b6{x=\"2\",y=\"3\"} 1\n", 200))},
		{name: "base64", requests: all(
			put("/metrics/job@base64/YzEvYQ/x@base64/L3Zhcg==/y@base64/L3Zhcg", "c1 1\n", 200),
			put("/metrics/job/c2/x@base64/=", "c2{x=\"1\"} 1\n", 200),
			put("/metrics/job@base64/=", "c3 1\n", 400),
			put("/metrics/job@base64/!", "c3 1\n", 400),
			put("/metrics/job/c3/x@base64/!", "c3 1\n", 400),
			del("/metrics/job@base64/!", 400))},
		{name: "the last of two", requests: all(put("/metrics/job/c4/x/1/x/2/job/no", "c4 1\n", 200))},
		{name: "escapes", requests: all(put("/metrics/job/c5%20%C3%BC/x/a%20b", "c5 1\n", 200))},
		{name: "an escaped slash", requests: all(other(put("/metrics/job/c6/x/a%2Fb", "c6 1\n", 400), 200)),
			differs: map[string]string{`c6{job="c6",x="a/b"}`: "1", `push_time_seconds{job="c6",x="a/b"}`: "true", `push_failure_time_seconds{job="c6",x="a/b"}`: "false"},
			why:     "prom-client escapes slashes like that and is refused by Pushgateway, which takes %2F for a slash"},
		{name: "a slash at the end", requests: all(put("/metrics/job/c7/", "c7 1\n", 200))},
		{name: "wrong paths", requests: all(
			put("/metrics/job/d1/x", "d1 1\n", 400),
			put("/metrics/job/d1/x/1/", "d1 1\n", 400),
			put("/metrics/job/d1/x-y/1", "d1 1\n", 400),
			put("/metrics/job/d1/1x/1", "d1 1\n", 400),
			put("/metrics/job/d1/__x/1", "d1 1\n", 400),
			put("/metrics/job/d1/__name__/d1", "d1 1\n", 400),
			del("/metrics/job/d1/x", 400))},
		{name: "methods", requests: all(
			gatewayRequest{method: "GET", path: "/metrics/job/d2", code: 405},
			gatewayRequest{method: "PATCH", path: "/metrics/job/d2", body: "d2 1\n", code: 405},
			gatewayRequest{method: "GET", path: "/metrics/job/d2/x/1", code: 405})},
		{name: "timestamps", requests: all(
			put("/metrics/job/d3", "d3 1\n", 200),
			put("/metrics/job/d3", "d3 2 1600000000000\n", 400),
			put("/metrics/job/d4", "d4 2 1600000000000\n", 400))},
		{name: "a wrong body", requests: all(
			put("/metrics/job/d5", "what is this?\n", 400),
			put("/metrics/job/d5", "d5{x=\"1\" 1\n", 400),
			put("/metrics/job/d5", "d5 one\n", 400),
			put("/metrics/job/d5", "# TYPE d5 counter\n# TYPE d5 gauge\nd5 1\n", 400),
			put("/metrics/job/d5", "d-5 1\n", 400))},
		{name: "no end of line", requests: all(put("/metrics/job/d6", "d6 1", 400))},
		{name: "another type in another group", requests: all(
			put("/metrics/job/e1", "# TYPE e1 gauge\ne1 1\n", 200),
			put("/metrics/job/e2", "# TYPE e1 counter\ne1 1\n", 400))},
		{name: "another type in the same group", requests: all(
			put("/metrics/job/e3", "# TYPE e3 gauge\ne3 1\n", 200),
			put("/metrics/job/e3", "# TYPE e3 counter\ne3 2\n", 200),
			post("/metrics/job/e3", "# TYPE e3 gauge\ne3 3\n", 200))},
		{name: "another help", requests: all(
			put("/metrics/job/e4", "# HELP e4 One.\ne4 1\n", 200),
			put("/metrics/job/e5", "# HELP e4 Two.\ne4 2\n", 200))},
		{name: "the same series in two groups", requests: all(
			put("/metrics/job/e6", "e6{x=\"1\"} 1\n", 200),
			put("/metrics/job/e6/x/1", "e6 2\n", 400))},
		{name: "twice once the path's labels are set", requests: all(put("/metrics/job/e7", "e7{job=\"1\"} 1\ne7{job=\"2\"} 1\n", 400))},
		{name: "twice", requests: all(put("/metrics/job/e8", "e8 1\ne8 2\n", 400)),
			differs: map[string]string{`push_time_seconds{job="e8"}`: "", `push_failure_time_seconds{job="e8"}`: ""},
			why:     "a body that contradicts itself is refused as one that can't be read, of which no group is told"},
		{name: "gzip", requests: all(
			put("/metrics/job/f1", gzipped("f1 1\n"), 200, "Content-Encoding", "gzip"),
			put("/metrics/job/f2", "f2 1\n", 400, "Content-Encoding", "gzip"))},
		{name: "protobuf", requests: all(
			put("/metrics/job/f3/x/1", families(t, gaugeFamily("f3_a", 1), gaugeFamily("f3_b", 2)), 200, "Content-Type", protoType),
			put("/metrics/job/f4", "\x05hello", 400, "Content-Type", protoType))},
		{name: "content types", requests: all(
			put("/metrics/job/g1", "g1 1\n", 200, "Content-Type", "text/plain"),
			put("/metrics/job/g2", "g2 1\n", 200, "Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
			put("/metrics/job/g3", "g3 1\n", 200, "Content-Type", "application/x-www-form-urlencoded"))},
		{name: "other content types", requests: all(
			other(put("/metrics/job/g4", "g4 1\n", 200, "Content-Type", "application/json"), 415)),
			differs: map[string]string{`g4{job="g4"}`: "", `push_time_seconds{job="g4"}`: "", `push_failure_time_seconds{job="g4"}`: ""},
			why:     "Pushgateway reads all it doesn't know as text 0.0.4, whatever it is"},
		{name: "other encodings", requests: all(
			other(put("/metrics/job/g5", "g5 1\n", 200, "Content-Encoding", "br"), 415)),
			differs: map[string]string{`g5{job="g5"}`: "", `push_time_seconds{job="g5"}`: "", `push_failure_time_seconds{job="g5"}`: ""},
			why:     "Pushgateway ignores an encoding that it doesn't know"},
		{name: "OpenMetrics", requests: all(
			put("/metrics/job/g6", "# TYPE g6 gauge\ng6 1\n# EOF\n", 200, "Content-Type", "application/openmetrics-text; version=1.0.0"))},
		{name: "the times are the group's own", requests: all(put("/metrics/job/h1", "push_time_seconds 5\nh1 1\n", 200))},
	}
}

// histogram is a classic histogram as text.
func histogram(name string, n int) string {
	return "# TYPE " + name + " histogram\n" + name + `_bucket{le="0.5"} 0` + "\n" + name + `_bucket{le="10"} ` + strconv.Itoa(n) + "\n" + name + `_bucket{le="+Inf"} ` + strconv.Itoa(n+1) + "\n" +
		name + "_sum 7\n" + name + "_count " + strconv.Itoa(n+1) + "\n"
}
