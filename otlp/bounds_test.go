package otlp_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"narthex"
	"narthex/otlp"
)

// field appends a field of bytes.
func field(num int, content []byte) []byte {
	out := []byte{byte(num<<3 | 2)}
	n := len(content)
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(append(out, byte(n)), content...)
}

// in wraps content in the messages around a metric.
func in(content []byte) []byte {
	return field(1, field(2, field(2, content)))
}

// A small body can't unfold to much: there are limits on points, on all else
// that repeats, on buckets and on depth.
func TestDecodeBounds(t *testing.T) {
	deep := []byte(nil)
	for range 40 {
		deep = field(5, field(1, deep)) // an AnyValue with an ArrayValue
	}
	list := func(n int, s string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]"
	}
	json := func(metric string) string {
		return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[` + metric + `]}]}]}`
	}
	for _, c := range []struct {
		name  string
		parse otlp.Encoding
		body  string
		kind  narthex.Kind
		want  string
	}{
		{"points", 0, string(in(field(5, bytes.Repeat(field(1, nil), 11)))), narthex.TooLarge, "more than 10 data points"},
		{"enough points", 0, string(in(field(5, bytes.Repeat(field(1, nil), 10)))), 0, ""},
		{"the last of several", 0, string(in(bytes.Repeat(field(5, bytes.Repeat(field(1, nil), 10)), 3))), 0, ""},
		{"resources", 0, strings.Repeat("\x0a\x00", 2000), narthex.TooLarge, "attributes, exemplars and the like"},
		{"attributes", 0, string(in(field(5, field(1, bytes.Repeat(field(7, nil), 2000))))), narthex.TooLarge, "attributes, exemplars and the like"},
		{"exemplars", 0, string(in(field(5, field(1, bytes.Repeat(field(5, nil), 2000))))), narthex.TooLarge, "attributes, exemplars and the like"},
		{"quantiles", 0, string(in(field(11, field(1, bytes.Repeat(field(6, nil), 2000))))), narthex.TooLarge, "attributes, exemplars and the like"},
		{"buckets", 0, string(in(field(10, field(1, field(8, field(2, make([]byte, 20000))))))), narthex.TooLarge, "20000 buckets"},
		{"bounds", 0, string(in(field(9, field(1, field(7, make([]byte, 8*20000)))))), narthex.TooLarge, "20000 buckets"},
		{"depth", 0, string(field(1, field(1, field(1, field(2, deep))))), narthex.Invalid, "nested more than 32 deep"},
		{"a group", 0, "\x0b\x0c", narthex.Invalid, "not the protobuf"},
		{"not protobuf", 0, `{"resourceMetrics":[]}`, narthex.Invalid, "not the protobuf"},
		{"an odd id", 0, string(in(field(7, field(1, field(5, field(4, []byte("abc"))))))), narthex.Invalid, "id has 3 bytes, want 8"},

		{"points", 1, json(`{"gauge":{"dataPoints":` + list(11, "{}") + `}}`), narthex.TooLarge, "more than 10 data points"},
		{"the last of several", 1, json(`{"gauge":{"dataPoints":` + list(9, "{}") + `},"sum":{"dataPoints":` + list(9, "{}") + `}}`), 0, ""},
		{"resources", 1, `{"resourceMetrics":` + list(2000, "{}") + "}", narthex.TooLarge, "attributes, exemplars and the like"},
		{"attributes", 1, json(`{"gauge":{"dataPoints":[{"attributes":` + list(2000, "{}") + `}]}}`), narthex.TooLarge, "attributes, exemplars and the like"},
		{"buckets", 1, json(`{"histogram":{"dataPoints":[{"bucketCounts":` + list(20000, "0") + `}]}}`), narthex.TooLarge, "buckets"},
		{"depth", 1, strings.Repeat(`{"a":[`, 1000), narthex.Invalid, "nested more than 128 deep"},
		{"depth of a value", 1, `{"resourceMetrics":[{"resource":{"attributes":[{"value":` + strings.Repeat(`{"arrayValue":{"values":[`, 40), narthex.Invalid, "nested more than 32 deep"},
		{"empty", 1, ``, narthex.Invalid, "want an object at byte 0"},
		{"more", 1, `{} {}`, narthex.Invalid, "want nothing after the object at byte 3"},
		{"a NUL", 1, "{}\x00", narthex.Invalid, "want nothing after the object"},
		{"cut", 1, `{"resourceMetrics":[{"resource"`, narthex.Invalid, "want a colon"},
		{"a string's end", 1, `{"abc`, narthex.Invalid, "want the end of a string"},
		{"an escape", 1, `{"\x":1}`, narthex.Invalid, "want an escape that JSON knows"},
		{"hex", 1, `{"\u12g4":1}`, narthex.Invalid, "want four hexadecimal digits"},
		{"a control character", 1, "{\"\n\":1}", narthex.Invalid, "no control character"},
		{"too large a number", 1, json(`{"gauge":{"dataPoints":[{"timeUnixNano":"18446744073709551616"}]}}`), narthex.Invalid, "want a whole number of 64 bits"},
		{"a fraction", 1, json(`{"gauge":{"dataPoints":[{"asInt":1.5}]}}`), narthex.Invalid, "want a whole number"},
		{"a word", 1, json(`{"gauge":{"dataPoints":[{"asDouble":"x"}]}}`), narthex.Invalid, "want a number"},
		{"base64", 1, `{"resourceMetrics":[{"resource":{"attributes":[{"value":{"bytesValue":"%"}}]}}]}`, narthex.Invalid, "is not base64"},
		{"a trace id", 1, json(`{"gauge":{"dataPoints":[{"exemplars":[{"traceId":"00"}]}]}}`), narthex.Invalid, "is not 32 hexadecimal digits"},
		{"null", 1, `{"resourceMetrics":[{"resource":null,"scopeMetrics":[{"metrics":[{"name":null,"sum":{"dataPoints":[{"asInt":null,"attributes":null}],"isMonotonic":null}}]}]}]}`, 0, ""},
	} {
		_, err := c.parse.Decode([]byte(c.body), otlp.Limits{Points: 10})
		if c.want == "" && err != nil || c.want != "" && (err == nil || narthex.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.parse.ContentType(), c.name, err, c.want)
		}
	}
}

// A long attribute of the resource is not repeated for each point that it spoils.
func TestRejectionsAreBounded(t *testing.T) {
	m := request(otlp.Metric{Name: strings.Repeat("n", 1<<16), Kind: otlp.KindGauge, Points: make([]otlp.Point, 10000)})
	m.Resources[0].Attributes[0].Value = strings.Repeat("j", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tr, err := otlp.Options{Names: narthex.NameScheme{MaxValue: 2048}}.Translate(m, otlp.Arrival{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if all, rejected := tr.Points(nil, nil); all != 10000 || rejected != all || len(tr.Rejected) != 200 || tr.More != 9800 {
		t.Errorf("%d of %d rejected, %d of them told and %d more", rejected, all, len(tr.Rejected), tr.More)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// A request that unfolds to too many series is refused whole.
func TestTranslateBounds(t *testing.T) {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("h")
	m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range 10 {
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(1e9)
		p.Attributes().PutStr("i", fmt.Sprint(i))
		for j := range 10 {
			p.ExplicitBounds().Append(float64(j))
			p.BucketCounts().Append(0)
		}
	}
	for limit, want := range map[int]string{120: "", 119: "more than 119 series once its histograms are unfolded"} {
		_, err := otlp.Options{MaxSeries: limit}.Translate(modelOf(md), otlp.Arrival{})
		if want == "" && err != nil || want != "" && (narthex.KindOf(err) != narthex.TooLarge || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: %v", limit, err)
		}
	}
	wide := otlp.Point{Time: 1, Attributes: make([]otlp.Attribute, 1025)}
	tr, err := otlp.Options{}.Translate(&otlp.Metrics{Resources: []otlp.Resource{{Scopes: []otlp.Scope{{Metrics: []otlp.Metric{{Name: "g", Kind: otlp.KindGauge, Points: []otlp.Point{wide}}}}}}}}, otlp.Arrival{})
	if err != nil || len(tr.Rejected) != 1 || !strings.Contains(tr.Rejected[0].Reason, "its point has 1025 attributes, the limit is 1024") {
		t.Errorf("%v, %v", err, tr)
	}
}

// The samples of target_info share its labels: a resource's attributes are not
// copied for each of them.
func TestTargetInfoIsBounded(t *testing.T) {
	attributes := `{"key":"service.name","value":{"stringValue":"j"}},{"key":"a","value":{"stringValue":"` + strings.Repeat("x", 1<<20) + `"}}`
	point := `{"timeUnixNano":"1","asInt":"1"},{"timeUnixNano":"1767225600000000000","asInt":"1"}`
	m, err := otlp.JSON.Decode([]byte(`{"resourceMetrics":[{"resource":{"attributes":[`+attributes+`]},"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[`+point+`]}}]}]}]}`), otlp.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	x, err := otlp.Options{}.Translate(m, otlp.Arrival{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if last := x.Samples[len(x.Samples)-1]; len(last.Samples) < 600 {
		t.Errorf("target_info has %d samples", len(last.Samples))
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 50<<20 {
		t.Errorf("%d MB were allocated", grown>>20)
	}
}
