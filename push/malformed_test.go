package push_test

import (
	"strings"
	"testing"

	"narthex/push"
)

// malformed pushes a body and wants the answer 400 with the error.
func malformed(t *testing.T, body, want string) {
	t.Helper()
	s := serve(push.Options{})
	w := s.push(body)
	got := fields(t, w)
	if w.Code != 400 || got["status"] != "error" || got["errorType"] != "bad_data" || got["error"] != want {
		t.Errorf("%.80s\ngot  %d %v\nwant %s", body, w.Code, got, want)
	}
	if len(s.batches) > 0 {
		t.Errorf("%.80s: something was written", body)
	}
}

func TestPushNotJSON(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		malformed(t, body, want)
	}
	// Nothing to push.
	const shape = `want an object with "counters", "histograms", "gauges" or "series"`
	f(``, "the body: it is empty; "+shape)
	f(" \n", "the body: it is empty; "+shape)
	f(`{}`, "the body: there is nothing to push; "+shape)
	f(`{"service":"a","series":[],"gauges":null}`, "the body: there is nothing to push; "+shape)
	// Not an object.
	f(`null`, "the body: want an object, got null")
	f(`[]`, "the body: want an object, got a list")
	f(`"a"`, "the body: want an object, got a string")
	f(`1`, "the body: want an object, got a number")
	f(`true`, "the body: want an object, got a boolean")
	// Not JSON.
	const not = "the body is not JSON: "
	f("hello", not+"line 1, column 1: want an object, got 'h'")
	f("{\n  'a': 1}", not+`line 2, column 3: want a field's name in double quotes, got '\''`)
	f(`{"counters":[{"name":"a","add":1}]} x`, not+"line 1, column 37: want nothing after the object, got 'x'")
	f(`{"counters":[{"name":"a","add":1}]}{}`, not+"line 1, column 36: want nothing after the object, got '{'")
	f("{\"counters\":[{\"name\":\"a\",\"add\":1}]}\x00", not+`line 1, column 36: want nothing after the object, got '\x00'`)
	f("\x00", not+`line 1, column 1: want an object, got '\x00'`)
	f(`{"counters"`, not+"line 1, column 12: want ':', the body ends")
	f(`{"counters":`, not+"line 1, column 13: want a list, the body ends")
	f(`{"counters":[`, not+"line 1, column 14: want an object, the body ends")
	f(`{"counters":[{"name":"a`, not+"line 1, column 24: want a closing double quote, the body ends")
	f(`{"counters":[{"name":"a\"`, not+"line 1, column 26: want a closing double quote, the body ends")
	f(`{"counters":[{"name":"a","add":1,}]}`, not+"line 1, column 34: want a field's name in double quotes, got '}'")
	f(`{"counters":[{"name":"a","add":1},]}`, not+"line 1, column 35: want an object, got ']'")
	f(`{"counters":[{"name":"a" "add":1}]}`, not+`line 1, column 26: want ',' or '}', got '"'`)
	f(`{"counters":[{"name":"a","add":1}}`, not+"line 1, column 34: want ',' or ']', got '}'")
	f(`{"counters":[{"name":"a","add":01}]}`, not+"line 1, column 33: want no digit after a leading 0, got '1'")
	f(`{"counters":[{"name":"a","add":1.}]}`, not+"line 1, column 34: want a digit, got '}'")
	f(`{"counters":[{"name":"a","add":-}]}`, not+"line 1, column 33: want a digit, got '}'")
	f(`{"counters":[{"name":"a","add":1e}]}`, not+"line 1, column 34: want a digit, got '}'")
	f(`{"counters":[{"name":"a","add":+1}]}`, not+"line 1, column 32: want a number, got '+'")
	f(`{"counters":[{"name":"a","add":NaN}]}`, not+"line 1, column 32: want a number, got 'N'")
	f(`{"counters":[{"name":"\x","add":1}]}`, not+`line 1, column 23: want a valid escape, got '\\'`)
	f(`{"counters":[{"name":"\ud800","add":1}]}`, not+`line 1, column 23: want a valid escape, got '\\'`)
	f(`{"counters":[{"name":"\ud800\u0041","add":1}]}`, not+`line 1, column 23: want a valid escape, got '\\'`)
	f(`{"counters":[{"name":"\udc00","add":1}]}`, not+`line 1, column 23: want a valid escape, got '\\'`)
	f(`{"counters":[{"name":"\u12","add":1}]}`, not+`line 1, column 23: want a valid escape, got '\\'`)
	f("{\"counters\":[{\"name\":\"a\nb\",\"add\":1}]}", not+`line 1, column 24: want a string without control characters, got '\n'`)
	f("{\"counters\":[{\"name\":\"\\na\tb\",\"add\":1}]}", not+`line 1, column 26: want a string without control characters, got '\t'`)
}

func TestPushWrongShape(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		malformed(t, body, want)
	}
	// Unknown and repeated fields.
	f(`{"countres":[]}`, `countres: unknown field; did you mean "counters"?`)
	f(`{"x y":[]}`, `["x y"]: unknown field; known are service, id, series, counters, histograms, gauges`)
	f(`{"series":{"labels":{"__name__":"a"},"samples":[{"valu":1}]}}`, `series.samples[0].valu: unknown field; did you mean "value"?`)
	f(`{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1}]},{"labels":{},"samples":[{"value":1},{"valu":1}]}]}`,
		`series[1].samples[1].valu: unknown field; did you mean "value"?`)
	f(`{"counters":[{"name":"a","set":1}]}`, `counters[0].set: unknown field; known are name, labels, add`)
	f(`{"counters":[{"name":"a","add":1,"timestamp":1}]}`, `counters[0].timestamp: unknown field; known are name, labels, add`)
	f(`{"id":"a","id":"b"}`, `id: the field is given twice`)
	f(`{"`+strings.Repeat("x", 1000)+`":1}`, `["`+strings.Repeat("x", 80)+`…"]: unknown field; known are service, id, series, counters, histograms, gauges`)
	// Wrong types and missing numbers.
	f(`{"counters":{}}`, "counters: want a list, got an object")
	f(`{"counters":[null]}`, "counters[0]: want an object, got null")
	f(`{"counters":[{"name":1,"add":1}]}`, "counters[0].name: want a string, got a number")
	f(`{"counters":[{"name":"a","add":"1"}]}`, "counters[0].add: want a number, got a string")
	f(`{"counters":[{"name":"a"}]}`, "counters[0].add: the field is missing")
	f(`{"gauges":[{"name":"a"}]}`, "gauges[0].set: the field is missing")
	f(`{"gauges":[{"name":"a","set":null}]}`, "gauges[0].set: want a number, got null (which is what JavaScript makes of NaN and Infinity)")
	f(`{"gauges":[{"name":"a","set":1,"timestamp":"2026-01-01"}]}`, "gauges[0].timestamp: want a number, got a string")
	f(`{"series":"a"}`, "series: want a list, got a string")
	f(`{"series":[[]]}`, "series[0]: want an object, got a list")
	f(`{"series":[{"labels":[]}]}`, "series[0].labels: want an object, got a list")
	f(`{"series":[{"labels":{"code":200}}]}`, "series[0].labels.code: want a string, got a number")
	f(`{"series":[{"labels":{"a b":true}}]}`, `series[0].labels["a b"]: want a string, got a boolean`)
	f(`{"series":[{"samples":{"value":1}}]}`, "series[0].samples: want a list, got an object")
	f(`{"series":[{"samples":[{"timestamp":1}]}]}`, "series[0].samples[0].value: the field is missing")
	f(`{"series":[{"samples":[{"value":"1"}]}]}`, "series[0].samples[0].value: want a number, got a string")
	f(`{"series":[{"as":"counter"}]}`, `series[0].as: want "sample", "gauge" or "delta", got "counter"`)
	f(`{"service":1}`, "service: want a string, got a number")
	f(`{"id":{}}`, "id: want a string, got an object")
	// Deep nesting is no depth here: what is not known is not entered.
	f(strings.Repeat("[", 1<<20), "the body: want an object, got a list")
	f(`{"series":`+strings.Repeat("[", 1<<20), "series[0]: want an object, got a list")
}

func TestPushRejected(t *testing.T) {
	good := `{"name":"ok","add":1}`
	f := func(body, series, reason string) {
		t.Helper()
		s := serve(push.Options{})
		w := s.push(strings.Replace(body, "GOOD", good, 1))
		got := fields(t, w)
		if w.Code != 200 || got["status"] != "partial" || got["accepted"] != 1.0 || got["duplicate"] != 0.0 {
			t.Fatalf("%s\ngot %d %s", body, w.Code, w.Body)
		}
		rejected := got["rejected"].([]any)
		first := rejected[0].(map[string]any)
		if len(rejected) != 1 || first["series"] != series || first["reason"] != reason {
			t.Errorf("%s\ngot  %v\nwant %s: %s", body, rejected, series, reason)
		}
		if n := len(s.batches[0].Series); n != 1 {
			t.Errorf("%s: the batch has %d series", body, n)
		}
	}
	f(`{"counters":[GOOD,{"name":"a","add":-3}]}`, "a", "the increment -3 is negative: a counter only goes up; send what goes down as a gauge")
	f(`{"counters":[GOOD,{"name":"a","add":1e999}]}`, "a", "a value is too large for a 64-bit floating-point number")
	f(`{"counters":[GOOD],"gauges":[{"name":"a","set":-1e999}]}`, "a", "a value is too large for a 64-bit floating-point number")
	f(`{"counters":[{"name":"1a","labels":{"x":"y"},"add":1},GOOD]}`, `{"1a",x="y"}`,
		`metric name "1a" has characters that are not allowed: use letters, digits, underscores and colons, and no digit first (or set utf8_names: true)`)
	f("{\"counters\":[{\"name\":\"a\",\"labels\":{\"x\":\"\xff\"},\"add\":1},GOOD]}", `a{x="\xff"}`, `the value of label "x" is not UTF-8`)
	f(`{"counters":[{"name":"a","labels":{"__x":"y"},"add":1},GOOD]}`, `a{__x="y"}`, `label "__x": names that begin with __ are reserved`)
	f(`{"counters":[{"add":1,"labels":{"x":"y"}},GOOD]}`, `{x="y"}`, "it has no metric name: set the label __name__")
	f(`{"counters":[{"add":1},GOOD]}`, "entry 1 of the push", "it has no metric name: set the label __name__")
	f(`{"counters":[{"name":"a","labels":{"x":"1","x":"2"},"add":1},GOOD]}`, `a{x="1",x="2"}`, `label "x" is given twice`)
	f(`{"service":"s","counters":[GOOD,{"name":"a","labels":{"service":"t"},"add":1}]}`, `a{service="t"}`,
		`its label service is "t", but the push's service is "s": leave one of them out`)
	f(`{"counters":[GOOD],"series":{"labels":{"__name__":"a"}}}`, "a", "it has no samples")
	f(`{"counters":[GOOD],"series":{"labels":{"__name__":"a"},"samples":[]}}`, "a", "it has no samples")
	f(`{"counters":[GOOD],"series":{"labels":{"__name__":"a"},"as":"delta","samples":[{"value":1},{"value":1,"timestamp":1767139199999}]}}`, "a",
		"an increment has the time 2025-12-30T23:59:59Z, which is older than the horizon of 24h: a retry this late could not be recognised, so it is refused")
	f(`{"counters":[GOOD],"series":{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":1767225600}]}}`, "a",
		"the timestamp 1767225600 is decades ago: timestamps are milliseconds since 1970")
	f(`{"counters":[GOOD],"gauges":[{"name":"a","set":1,"timestamp":-5}]}`, "a", "the timestamp -5 is decades ago: timestamps are milliseconds since 1970")
	f(`{"counters":[GOOD],"series":{"labels":{"__name__":"a"},"samples":[{"value":1},{"value":2}]}}`, "a",
		"it has two values at the time 2026-01-01T00:00:00.000Z, 1 and 2: give each its own timestamp, or send what is to be added up as a delta")
}

func TestPushRejectedTogether(t *testing.T) {
	f := func(body, want, reason string) {
		t.Helper()
		s := serve(push.Options{})
		w := s.push(body)
		got := fields(t, w)
		rejected := got["rejected"].([]any)
		if w.Code != 200 || len(rejected) != 1 || !strings.HasPrefix(rejected[0].(map[string]any)["reason"].(string), reason) {
			t.Errorf("%s\ngot %d %s", body, w.Code, w.Body)
		}
		if got := text(s.batches[0]); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
	// Of the second entry nothing is taken, of the first all.
	f(`{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1}]},{"labels":{"__name__":"a"},"samples":[{"value":7,"timestamp":1767225599000},{"value":2}]}]}`,
		"a sample unknown 1@0\n", "it has two values at the time")
	// Of three, the third goes against the second.
	f(`{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1}]},{"labels":{"__name__":"a"},"samples":[{"value":7,"timestamp":1767225599000}]},{"labels":{"__name__":"a"},"samples":[{"value":8,"timestamp":1767225599000}]}]}`,
		"a sample unknown 1@0 7@-1000\n", "it has two values at the time")
	f(`{"counters":[{"name":"a","add":1}],"series":[{"labels":{"__name__":"a"},"samples":[{"value":1}]}]}`,
		"a delta counter 1@0\n", "it is a sample here and a delta earlier in the same push")
}
