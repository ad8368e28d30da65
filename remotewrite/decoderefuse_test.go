package remotewrite_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/internal/protowire"
	"narthex/remotewrite"
)

// two makes a 2.0 body of series, each given by the references of its labels.
func two(t *testing.T, symbols []string, series ...writev2.TimeSeries) string {
	t.Helper()
	body, err := (&writev2.Request{Symbols: symbols, Timeseries: series}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func sampled(refs ...uint32) writev2.TimeSeries {
	return writev2.TimeSeries{LabelsRefs: refs, Samples: []writev2.Sample{{Value: 1, Timestamp: 5}}}
}

var symbols = []string{"", "__name__", "a", "b", "c", "\xff", "__name__x"}

// TestDecodeErrors has the bodies that are refused whole.
func TestDecodeErrors(t *testing.T) {
	odd := sampled(1, 2, 3)
	exemplar := sampled(1, 2)
	exemplar.Exemplars = []writev2.Exemplar{{LabelsRefs: []uint32{1, 99}}}
	metadata := sampled(1, 2)
	metadata.Metadata.HelpRef = 77
	many := two(t, symbols, sampled(1, 2), sampled(1, 3))
	for _, c := range []struct {
		name, body string
		limits     remotewrite.Limits
		kind       narthex.Kind
		want       string
	}{
		{"not protobuf", "\xff\xff\xff", remotewrite.Limits{}, narthex.Invalid, "protobuf"},
		{"cut", many[:len(many)-3], remotewrite.Limits{}, narthex.Invalid, "protobuf"},
		{"reference beyond the symbols", two(t, symbols, sampled(1, 70)), remotewrite.Limits{}, narthex.Invalid, "symbol 70, but the request has 7"},
		{"reference of an exemplar", two(t, symbols, exemplar), remotewrite.Limits{}, narthex.Invalid, "symbol 99"},
		{"reference of metadata", two(t, symbols, metadata), remotewrite.Limits{}, narthex.Invalid, "symbol 77"},
		{"odd references", two(t, symbols, odd), remotewrite.Limits{}, narthex.Invalid, "pairs"},
		{"series", many, remotewrite.Limits{Series: 1}, narthex.TooLarge, "2 series, the limit is 1"},
		{"values", many, remotewrite.Limits{Values: 1}, narthex.TooLarge, "more than 1 samples"},
		{"labels", many, remotewrite.Limits{Labels: 1}, narthex.TooLarge, "more than 1 labels"},
		{"symbols", many, remotewrite.Limits{Labels: 1, Series: 2}, narthex.TooLarge, "7 symbols, the limit is 6"},
	} {
		_, err := remotewrite.Decode(remotewrite.V2, c.body, c.limits)
		if narthex.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want kind %d and %q", c.name, err, c.kind, c.want)
		}
	}
}

// TestDecodeRejects has the series that are refused by themselves, between two
// that are taken.
func TestDecodeRejects(t *testing.T) {
	bad := sampled(1, 2)
	bad.Samples, bad.Histograms = nil, []writev2.Histogram{{Count: &writev2.Histogram_CountInt{CountInt: 3}}}
	schema := sampled(1, 2)
	schema.Samples, schema.Histograms = nil, []writev2.Histogram{{Schema: -9}}
	beyond := sampled(1, 2)
	beyond.Samples, beyond.Histograms = nil, []writev2.Histogram{{
		Schema: narthex.CustomBounds, CustomValues: []float64{1}, Count: &writev2.Histogram_CountInt{CountInt: 3},
		PositiveSpans: []writev2.BucketSpan{{Offset: 1, Length: 2}}, PositiveDeltas: []int64{1, 1},
	}}
	for _, c := range []struct {
		name   string
		series writev2.TimeSeries
		want   string
	}{
		{"no name", sampled(2, 3), `{a="b"}: it has no metric name`},
		{"an empty name", sampled(1, 0, 2, 3), `{a="b"}: it has no metric name`},
		{"no labels", sampled(), `{}: it has no metric name`},
		{"a label twice", sampled(1, 2, 3, 2, 3, 4), `a{b="a",b="c"}: label "b" is given twice`},
		{"a label without a name", sampled(1, 2, 0, 3), `the name of a label is empty`},
		{"not UTF-8", sampled(1, 2, 2, 5), `label "a" or its value is not UTF-8`},
		{"too many labels", sampled(1, 2, 2, 3, 3, 3, 4, 3), `it has 4 labels, the limit is 3`},
		{"a long name", sampled(1, 2, 6, 3), `the name of label "__name__x" has 9 bytes, the limit is 8`},
		{"a long value", sampled(1, 2, 2, 6), `the value of label "a" has 9 bytes, the limit is 8`},
		{"nothing", writev2.TimeSeries{LabelsRefs: []uint32{1, 2}}, `a: it has neither a sample nor a histogram nor an exemplar`},
		{"a count too many", bad, `a: its histogram is not valid: it counts 3, and its buckets 0`},
		{"a schema", schema, `schema -9 is neither one of -4 to 8 nor -53`},
		{"a bucket beyond the bounds", beyond, `it has a bucket beyond its 1 bounds`},
	} {
		good := sampled(2, 4, 1, 3) // unsorted
		req, err := remotewrite.Decode(remotewrite.V2, two(t, symbols, good, c.series, good), remotewrite.Limits{LabelsPerSeries: 3, Name: 8, Value: 8})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(req.Series) != 2 || len(req.Rejected) != 1 || req.Series[1].Labels.String() != `b{a="c"}` {
			t.Errorf("%s: %d series, rejected %v", c.name, len(req.Series), req.Rejected)
			continue
		}
		if got := req.Rejected[0].Series + ": " + req.Rejected[0].Reason; !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestDecodeOlderStart reads the start time where senders before rc.4 put it.
func TestDecodeOlderStart(t *testing.T) {
	series := protowire.AppendUint(protowire.AppendUint(nil, 1, 1), 1, 2) // references, not packed
	sample := protowire.AppendUint(protowire.AppendDouble(nil, 1, 7), 2, 1000)
	series = protowire.AppendString(series, 2, string(sample))
	series = protowire.AppendString(series, 2, string(protowire.AppendUint(sample, 3, 400)))
	series = protowire.AppendUint(series, 6, 500)
	body := protowire.AppendString(nil, 5, string(series)) // before the symbols
	for _, s := range symbols[:3] {
		body = protowire.AppendString(body, 4, s)
	}
	req, err := remotewrite.Decode(remotewrite.V2, string(body), remotewrite.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []narthex.Series{{Labels: narthex.Labels{{Name: "__name__", Value: "a"}}, Samples: []narthex.Sample{{Time: 1000, Start: 500, Value: 7}, {Time: 1000, Start: 400, Value: 7}}}}
	if diff := cmp.Diff(want, req.Series); diff != "" || req.Offered != (remotewrite.Counts{Samples: 2}) {
		t.Errorf("%+v (-want +got)\n%s", req.Offered, diff)
	}
}

// TestDecodeFamilies reads descriptions: 1.0 has them apart from the series, 2.0
// with each.
func TestDecodeFamilies(t *testing.T) {
	body, err := (&prompb.WriteRequest{Metadata: []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "lat", Help: "Latency.", Unit: "seconds"}, {Type: 99, MetricFamilyName: "x"},
	}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	req, err := remotewrite.Decode(remotewrite.V1, string(body), remotewrite.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []narthex.Series{{Family: "lat", Type: narthex.TypeHistogram, Help: "Latency.", Unit: "seconds"}, {Family: "x"}}
	if diff := cmp.Diff(want, req.Families); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	names := []string{"", "__name__", "lat_bucket", "lat_count", "lat", "Latency."}
	var series []writev2.TimeSeries
	for i := range uint32(3) {
		s := sampled(1, 2+i)
		s.Metadata = writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_HISTOGRAM, HelpRef: 5}
		series = append(series, s)
	}
	if req, err = remotewrite.Decode(remotewrite.V2, two(t, names, series...), remotewrite.Limits{}); err != nil {
		t.Fatal(err)
	}
	for i, family := range []string{"lat", "lat", ""} {
		if s := req.Series[i]; s.Family != family || s.Type != narthex.TypeHistogram || s.Help != "Latency." {
			t.Errorf("%+v, want the family %q", s, family)
		}
	}
}

// TestDecodeAllocations holds a request to a constant number of allocations for
// any number of series.
func TestDecodeAllocations(t *testing.T) {
	var series []writev2.TimeSeries
	for range 2000 {
		series = append(series, sampled(1, 2, 3, 4))
	}
	body := two(t, symbols[:5], series...)
	if n := testing.AllocsPerRun(10, func() {
		if _, err := remotewrite.Decode(remotewrite.V2, body, remotewrite.Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n > 20 {
		t.Errorf("%v allocations for 2000 series", n)
	}
}
