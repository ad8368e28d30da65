package openmetrics_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"narthex/openmetrics"
)

// protobufMessages are families as the official library would write them.
var protobufMessages = []string{
	`name:"jobs_total" help:"Jobs." type:COUNTER metric{label{name:"b" value:"2"} label{name:"a" value:"1"} counter{value:3 exemplar{label{name:"id" value:"x"} value:1.5 timestamp{seconds:1700000000 nanos:123000000}} created_timestamp{seconds:1600000000}}}`,
	`name:"temp_celsius" type:GAUGE unit:"celsius" metric{gauge{value:-3.5} timestamp_ms:1700000000123} metric{label{name:"room" value:"ä"} gauge{value:nan}}`,
	`name:"any" type:UNTYPED metric{untyped{value:inf}}`,
	`name:"rpc" type:SUMMARY metric{summary{sample_count:10 sample_sum:4.5 quantile{quantile:0.5 value:0.4} quantile{quantile:0.99 value:nan} created_timestamp{seconds:1600000000 nanos:500000000}}}`,
	`name:"lat" type:HISTOGRAM metric{histogram{sample_count:5 sample_sum:7 bucket{cumulative_count:1 upper_bound:0.5} bucket{cumulative_count:4 upper_bound:1 exemplar{label{name:"id" value:"x"} value:0.7}} created_timestamp{seconds:1600000000}}}`,
	`name:"lat_inf" type:HISTOGRAM metric{histogram{sample_count:5 sample_sum:7 bucket{cumulative_count:1 upper_bound:0.5} bucket{cumulative_count:5 upper_bound:inf exemplar{value:99}}}}`,
	`name:"lat_float" type:HISTOGRAM metric{histogram{sample_count_float:5.5 sample_sum:7 bucket{cumulative_count_float:1.5 upper_bound:0.5}}}`,
	`name:"nat" type:HISTOGRAM metric{histogram{sample_count:10 sample_sum:7 schema:3 zero_threshold:0.001 zero_count:2 positive_span{offset:-2 length:2} positive_span{offset:1 length:1} positive_delta:1 positive_delta:2 positive_delta:-1 negative_span{offset:0 length:1} negative_delta:2 exemplars{value:1 timestamp{seconds:1700000000}}}}`,
	`name:"nat_float" type:HISTOGRAM metric{histogram{sample_count_float:3.5 sample_sum:7 schema:-4 zero_count_float:0.5 positive_span{offset:0 length:2} positive_count:1 positive_count:2}}`,
	`name:"both" type:HISTOGRAM metric{histogram{sample_count:3 sample_sum:7 schema:0 positive_span{offset:0 length:1} positive_delta:3 bucket{cumulative_count:2 upper_bound:1} bucket{cumulative_count:3 upper_bound:inf}}}`,
	`name:"empty_native" type:HISTOGRAM metric{histogram{schema:0 positive_span{offset:0 length:0}}}`,
	`name:"zero_float" type:HISTOGRAM metric{histogram{sample_count_float:0.5 zero_count_float:0.5 schema:0 positive_span{offset:0 length:0}}}`,
	`name:"queue" type:GAUGE_HISTOGRAM metric{histogram{sample_count:5 sample_sum:-7 bucket{cumulative_count:1 upper_bound:-0.5}}}`,
	`name:"queue_native" type:GAUGE_HISTOGRAM metric{histogram{sample_count:3 sample_sum:7 schema:0 positive_span{offset:0 length:1} positive_delta:3}}`,
	`name:"my.metric" type:GAUGE metric{label{name:"a.b" value:"c\n\"\\"} gauge{value:1}}`,
	`name:"nothing" type:GAUGE`,
}

func protobufCases(tb testing.TB) (out [][]byte) {
	tb.Helper()
	var all bytes.Buffer
	for _, text := range protobufMessages {
		b := delimited(tb, family(tb, text))
		out = append(out, b)
		all.Write(b)
	}
	return append(out, all.Bytes())
}

func family(tb testing.TB, text string) *dto.MetricFamily {
	tb.Helper()
	var f dto.MetricFamily
	if err := prototext.Unmarshal([]byte(text), &f); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return &f
}

func delimited(tb testing.TB, f *dto.MetricFamily) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := protodelim.MarshalTo(&b, f); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// TestProtobufWrite reads what the official library wrote, writes it, and has
// the official library read it.
func TestProtobufWrite(t *testing.T) {
	for _, text := range protobufMessages {
		want := family(t, text)
		families, err := openmetrics.Protobuf.Parse(delimited(t, want), openmetrics.Limits{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(want.Metric) == 0 {
			if len(families) != 0 {
				t.Errorf("%s: got %v, want nothing", text, families)
			}
			continue
		}
		var b bytes.Buffer
		if err := openmetrics.WriteProtobuf(&b, families); err != nil {
			t.Fatal(err)
		}
		var got dto.MetricFamily
		if err := protodelim.UnmarshalFrom(&b, &got); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		normal(want)
		normal(&got)
		if !proto.Equal(want, &got) {
			t.Errorf("want %s\ngot  %s", prototext.Format(want), prototext.Format(&got))
		}
	}
}

// normal removes what means nothing: fields of value zero, the +Inf bucket
// that says what the count says, and the order of labels.
func normal(f *dto.MetricFamily) {
	for _, m := range f.Metric {
		slices.SortFunc(m.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		h := m.Histogram
		if h == nil {
			continue
		}
		for _, b := range h.Bucket {
			if b.GetCumulativeCount() == 0 {
				b.CumulativeCount = nil
			}
		}
		if n := len(h.Bucket) - 1; n > 0 && h.Bucket[n].GetUpperBound() > 1e300 && h.Bucket[n].Exemplar == nil {
			h.Bucket = h.Bucket[:n]
		}
		if h.Schema == nil && len(h.PositiveSpan) > 0 {
			h.Schema = proto.Int32(0)
		}
		for _, p := range []**float64{&h.SampleCountFloat, &h.ZeroCountFloat, &h.ZeroThreshold, &h.SampleSum} {
			if *p != nil && **p == 0 {
				*p = nil
			}
		}
		for _, p := range []**uint64{&h.SampleCount, &h.ZeroCount} {
			if *p != nil && **p == 0 {
				*p = nil
			}
		}
		if len(h.PositiveSpan) == 1 && h.PositiveSpan[0].GetLength() == 0 {
			h.PositiveSpan[0] = &dto.BucketSpan{}
		}
	}
}
