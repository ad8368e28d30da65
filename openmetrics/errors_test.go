package openmetrics_test

import (
	"strings"
	"testing"

	"narthex"
	"narthex/openmetrics"
)

type errorCase struct{ in, want string }

var textErrors = []errorCase{
	{"a 1", "line 1: the last line has no line feed"},
	{"a 1\nb", "line 2: the last line has no line feed"},
	{"a\n", "line 1: want a value"},
	{"a x\n", `line 1: "x" is not a number`},
	{"a 0x1p3\n", `"0x1p3" is not a number`},
	{"a 1_0\n", `"1_0" is not a number`},
	{"a 1e999\n", `"1e999" is not a number`},
	{"a 1\r\n", "carriage return"},
	{"a 1 2.5\n", `want a time in milliseconds, found "2.5"`},
	{"a 1 2 3\n", `found "3" after the sample`},
	{"\n\n9a 1\n", `line 3: want a metric's name, found "9a 1"`},
	{"a{b=\"c\n\"} 1\n", "has no end"},
	{"a{b=\"c} 1\n", "has no end"},
	{"a{b=\"c\\", "no line feed"},
	{"a{b=\"c\\\n", "has no end"},
	{"a{b=\"\\d\"} 1\n", "unknown escape"},
	{"a{b=\"1\" c=\"2\"} 1\n", `want , or } after "b"`},
	{"a{b} 1\n", `want = after label "b"`},
	{"a{b=1} 1\n", `label "b": want a quoted value`},
	{"a{,} 1\n", "want a label's name or }"},
	{"a{b=\"1\",b=\"2\"} 1\n", `label "b" is given twice`},
	{"a{b=\"1\",b=\"\"} 1\n", `label "b" is given twice`},
	{"a{__name__=\"b\"} 1\n", "__name__ is reserved"},
	{"a{\"\"=\"b\"} 1\n", "a name is empty"},
	{"{\"\"} 1\n", "a name is empty"},
	{"{b=\"1\"} 1\n", "no metric name"},
	{"{} 1\n", "no metric name"},
	{"a{\"b\"} 1\n", `a second metric name, "b", follows "a"`},
	{"{\"a\",\"b\"} 1\n", "a second metric name"},
	{"a\xff 1\n", "line 1: it is not UTF-8"},
	{"a 1\n# \xff\n", "line 2: it is not UTF-8"},
	{"a 1\na 2\n", "line 2: unknown a has a sample twice"},
	{"a{b=\"\"} 1\na 2\n", "a sample twice"},
	{"a 1\nb 1\na{c=\"1\"} 1\n", `line 3: metric "a" goes on after another one`},
	{"# TYPE a counter\n# TYPE a counter\n", `line 2: metric "a" has a second TYPE`},
	{"# HELP a b\n# HELP a b\n", `second HELP`},
	{"a 1\n# TYPE a counter\n", "TYPE after its first sample"},
	{"# TYPE a info\n", `has the type "info"`},
	{"# TYPE a\n", `has the type ""`},
	{"# TYPE 9 counter\n", "want a metric's name"},
	{"# TYPE a{ counter\n", "want a blank after the metric's name"},
	{"# TYPE h histogram\nh 1\n", `histogram "h" has a sample of that name: want h_bucket`},
	{"# TYPE h histogram\nh_bucket 1\n", "needs the label le"},
	{"# TYPE h histogram\nh_bucket{le=\"x\"} 1\n", `line 2: label le: "x" is not a number`},
	{"# TYPE h histogram\nh_bucket{le=\"NaN\"} 1\n", `histogram h: le="NaN" is not the bound`},
	{"# TYPE h histogram\nh_sum{le=\"1\"} 1\n", "the label le where it is reserved"},
	{"# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n", `histogram h: bucket le="1.0" does not follow le="2.0"`},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\n", "each once"},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\n", `line 3: histogram h: bucket le="2.0" counts 1, the one below it 2: buckets must be cumulative`},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} -1\n", "not a count"},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} NaN\n", "not a count"},
	{"# TYPE h histogram\nh_bucket{x=\"y\",le=\"1\"} 2\nb 1\n", `line 2: histogram h{x="y"} has no bucket le="+Inf"`},
	{"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 3\n", `counts 3, and its bucket le="+Inf" 2: they must be equal`},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_count 1\n", "buckets must be cumulative"},
	{"# TYPE h histogram\nh_sum 2\nh_sum 1\n", "a sample twice"},
	{"# TYPE h histogram\nh_sum 2 1\nh_count 1 2\n", "samples of different times"},
	{"# TYPE h histogram\nh_count 2\n# TYPE h_sum gauge\nh_sum 1\n", `metric "h_sum" is also a series of the histogram "h"`},
	{"h_bucket{le=\"1\"} 1\n# TYPE h histogram\nh_count 1\n", `metric "h_bucket" is also a series of the histogram "h"`},
	{"# TYPE s summary\ns 1\n", "needs the label quantile"},
	{"# TYPE s summary\ns{quantile=\"2\"} 1\n", "not between 0 and 1"},
	{"# TYPE s summary\ns{quantile=\"NaN\"} 1\n", "not between 0 and 1"},
	{"# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.50\"} 1\n", "quantiles must be in increasing order"},
	{"# TYPE s summary\ns_count -1\n", "is not a count"},
	{"# TYPE s summary\ns_sum{quantile=\"1\"} 1\n", "quantile where it is reserved"},
}

var openMetricsErrors = []errorCase{
	{"", "line 1: the text does not end with # EOF"},
	{"a 1\n", "line 2: the text does not end with # EOF"},
	{"# EOF\n\n", "line 2: there is text after # EOF"},
	{"# EOF\na 1\n", "text after # EOF"},
	{"\n# EOF\n", "want a metric's name"},
	{"# hello\n# EOF\n", "OpenMetrics has no comments"},
	{"a  1\n# EOF\n", "want a value"},
	{"a 1 \n# EOF\n", `time: "" is not a number`},
	{"a 1 x\n# EOF\n", `time: "x" is not a number`},
	{"a 1 1e300\n# EOF\n", "not a time in seconds"},
	{"a 1 NaN\n# EOF\n", "not a time in seconds"},
	{"a 1 1 1\n# EOF\n", `found " 1" after the sample`},
	{"a {b=\"c\"} 1\n# EOF\n", "is not a number"},
	{"a{b=\"c\",,} 1\n# EOF\n", "want a label's name"},
	{"a 1\na 1\n# EOF\n", "a sample twice"},
	{"a 1\na 1 2\n# EOF\n", "do not increase"},
	{"a 1 2\na 1 1\n# EOF\n", "do not increase"},
	{"a 1 2\na 1 2\n# EOF\n", "a sample twice"},
	{"a{b=\"1\"} 1 1\na{b=\"2\"} 1 1\na{b=\"1\"} 1 2\n# EOF\n", "all samples of a metric must stand together"},
	{"a 1\nb 1\na 2\n# EOF\n", `line 3: metric "a" has been there before`},
	{"# TYPE a gauge\na 1\n# HELP a x\n# EOF\n", `metric "a" has been there before`},
	{"# TYPE a gauge\n# TYPE a gauge\n# EOF\n", "second TYPE"},
	{"# HELP a b\n# HELP a b\n# EOF\n", "second HELP"},
	{"# UNIT a_b b\n# UNIT a_b b\n# EOF\n", "second UNIT"},
	{"# TYPE a untyped\n# EOF\n", `"untyped" is not a type of OpenMetrics`},
	{"# TYPE a\n# EOF\n", "want a space after the metric's name"},
	{"# TYPE \n# EOF\n", "want a metric's name"},
	{"# TYPE\n# EOF\n", "want a space and a metric's name"},
	{"# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n", `its name must end with _ and the unit`},
	{"# TYPE a_b info\n# UNIT a_b b\na_b_info 1\n# EOF\n", `info "a_b" has a unit`},
	{"# TYPE a counter\na 1\n# EOF\n", `counter "a" has a sample of that name: want a suffix such as _total`},
	{"# TYPE a counter\na_total -1\n# EOF\n", "counter a_total cannot have the value -1"},
	{"# TYPE a counter\na_total NaN\n# EOF\n", "cannot have the value NaN"},
	{"# TYPE a counter\na_created 1\n# EOF\n", "has _created and no value"},
	{"# TYPE a counter\na_total 1\na_created 1\na_created 1\n# EOF\n", "a sample twice"},
	{"# TYPE a counter\na_total 1\na_created +Inf\n# EOF\n", "not a time in seconds"},
	{"# TYPE a info\na_info 2\n# EOF\n", "cannot have the value 2"},
	{"# TYPE a stateset\na{b=\"c\"} 1\n# EOF\n", "no label that is named like it"},
	{"# TYPE a stateset\na{a=\"c\"} 2\n# EOF\n", "cannot have the value 2"},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n# EOF\n", `line 4: histogram h has no bucket le="+Inf"`},
	{"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\n# EOF\n", "has one of count and sum"},
	{"# TYPE h histogram\nh_bucket{le=\"1\"} 1 # {} 2\nh_bucket{le=\"+Inf\"} 1\n# EOF\n", "which is not in it"},
	{"# TYPE a gauge\na 1 # {} 1\n# EOF\n", "which only counters and buckets may have"},
	{"# TYPE a counter\na_total 1 # {\"b\"} 1\n# EOF\n", `want = after label "b"`},
	{"# TYPE a counter\na_total 1 # {b=\"1\",b=\"2\"} 1\n# EOF\n", "is given twice"},
	{"# TYPE a counter\na_total 1 # {b=\"" + strings.Repeat("x", 128) + "\"} 1\n# EOF\n", "129 characters, 128 are allowed"},
	{"# TYPE a counter\na_total 1 # {}\n# EOF\n", "want a value"},
	{"# TYPE a counter\na_total 1 # {} 1 1 1\n# EOF\n", "after the exemplar"},
	{"# TYPE a counter\na_total 1 #{} 1\n# EOF\n", `time: "#{}" is not a number`},
	{"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n# TYPE h_count gauge\nh_count 1\n# EOF\n", "is also a series of"},
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		format openmetrics.Format
		cases  []errorCase
	}{{openmetrics.Text, textErrors}, {openmetrics.OpenMetrics, openMetricsErrors}} {
		for _, e := range c.cases {
			families, err := c.format.Parse([]byte(e.in), openmetrics.Limits{})
			if err == nil || !strings.Contains(err.Error(), e.want) {
				t.Errorf("%q: got %v, %v; want an error with %q", e.in, families, err, e.want)
				continue
			}
			if narthex.KindOf(err) != narthex.Invalid || !strings.HasPrefix(err.Error(), "line ") && !strings.Contains(err.Error(), "is also a series") {
				t.Errorf("%q: the error %q is of kind %d or has no line", e.in, err, narthex.KindOf(err))
			}
		}
	}
}

func TestLimits(t *testing.T) {
	limits := openmetrics.Limits{Families: 2, Samples: 3, Labels: 2}
	for _, c := range []errorCase{
		{"a 1\nb 1\nc 1\n", "line 3: there are more than 2 metrics"},
		{"a{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"3\"} 1\na{x=\"4\"} 1\n", "line 4: there are more than 3 samples"},
		{"a{x=\"1\",y=\"1\",z=\"1\"} 1\n", "line 1: a series has more than 2 labels"},
	} {
		_, err := openmetrics.Parse("", []byte(c.in), limits)
		if err == nil || err.Error() != c.want || narthex.KindOf(err) != narthex.TooLarge {
			t.Errorf("%q: got %v (kind %d), want %s", c.in, err, narthex.KindOf(err), c.want)
		}
	}
	many := `name:"h" type:HISTOGRAM metric{label{name:"a" value:"1"} histogram{sample_count:1 bucket{upper_bound:1} bucket{upper_bound:2}}}`
	_, err := openmetrics.Protobuf.Parse(delimited(t, family(t, many)), limits)
	if want := `metric 1 ("h"): there are more than 3 samples`; err == nil || err.Error() != want {
		t.Errorf("protobuf: got %v, want %s", err, want)
	}
}

var protobufErrors = []errorCase{
	{`type:GAUGE`, "its name is empty"},
	{`name:"a" type:GAUGE metric{counter{value:1}}`, `metric 1 ("a"): a metric has no value of the type gauge`},
	{`name:"a" type:GAUGE metric{gauge{value:1}} metric{gauge{value:1}}`, "gauge a is there twice"},
	{`name:"a" type:GAUGE metric{label{value:"1"} gauge{value:1}}`, "a label's name is empty"},
	{`name:"a" type:GAUGE metric{label{name:"x"} label{name:"x" value:"1"} gauge{value:1}}`, `label "x" is given twice`},
	{`name:"a" type:GAUGE metric{label{name:"__name__" value:"1"} gauge{value:1}}`, "__name__ is reserved"},
	{`name:"h" type:HISTOGRAM metric{label{name:"le" value:"1"} histogram{sample_count:1}}`, "the label le, which is reserved"},
	{`name:"s" type:SUMMARY metric{label{name:"quantile" value:"1"} summary{sample_count:1}}`, "quantile, which is reserved"},
	{`name:"h" type:HISTOGRAM metric{histogram{sample_count:1 bucket{cumulative_count:2 upper_bound:1}}}`, "buckets must be cumulative"},
	{`name:"h" type:HISTOGRAM metric{histogram{sample_count:1 bucket{cumulative_count:2 upper_bound:inf}}}`, "they must be equal"},
	{`name:"h" type:HISTOGRAM metric{histogram{sample_count:2 bucket{cumulative_count:2 upper_bound:1} bucket{cumulative_count:1 upper_bound:2}}}`, "buckets must be cumulative"},
	{`name:"h" type:HISTOGRAM metric{histogram{sample_count:2 bucket{cumulative_count:2 upper_bound:1 exemplar{value:2}}}}`, "which is not in it"},
	{`name:"h" type:HISTOGRAM metric{histogram{sample_count_float:-1}}`, "is not a count"},
	{`name:"h" type:HISTOGRAM metric{histogram{created_timestamp{nanos:-1}}}`, "a timestamp has 0 seconds and -1 nanoseconds"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:1 schema:9 zero_count:1}}`, "schema 9 is not one of -4 to 8"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:1 zero_count:1 zero_threshold:-1}}`, "cannot be -1 wide"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:2 zero_count:1}}`, "it counts 2, and its buckets 1"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:2 zero_count:1 zero_count_float:0.5}}`, "mixes whole counts and fractions"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:1 positive_span{length:2} positive_delta:1}}`, "its spans cover 2 buckets, and there are 1"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:1 positive_span{length:1} positive_delta:-1}}`, "a bucket counts -1"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:2 positive_span{length:1} positive_span{offset:-1 length:1} positive_delta:1 positive_delta:0}}`, "overlaps the one before"},
	{`name:"n" type:HISTOGRAM metric{histogram{sample_count:1 positive_span{offset:2147483647 length:1} positive_delta:1}}`, "a span is out of range"},
}

func TestProtobufErrors(t *testing.T) {
	for _, c := range protobufErrors {
		families, err := openmetrics.Protobuf.Parse(delimited(t, family(t, c.in)), openmetrics.Limits{})
		if err == nil || !strings.Contains(err.Error(), c.want) || narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%s: got %v, %v; want an error with %q", c.in, families, err, c.want)
		}
	}
	// Whatever is cut off from the end, or is not protobuf, is an error.
	whole := delimited(t, family(t, protobufMessages[0]))
	for n := 1; n < len(whole); n++ {
		if families, err := openmetrics.Protobuf.Parse(whole[:n], openmetrics.Limits{}); narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%d of %d bytes: got %v, %v", n, len(whole), families, err)
		}
	}
	if families, err := openmetrics.Protobuf.Parse([]byte("jobs_total 3\n"), openmetrics.Limits{}); narthex.KindOf(err) != narthex.Invalid {
		t.Errorf("text as protobuf: got %v, %v", families, err)
	}
	twice := append(whole[:len(whole):len(whole)], whole...)
	if _, err := openmetrics.Protobuf.Parse(twice, openmetrics.Limits{}); err == nil || !strings.Contains(err.Error(), `metric 2 ("jobs_total"): the metric is there twice`) {
		t.Errorf("a family twice: got %v", err)
	}
}
