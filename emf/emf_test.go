package emf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/emf"
)

// event makes an event of a directive and members.
func event(directive, members string) []byte {
	if members != "" {
		members = "," + members
	}
	return []byte(`{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[` + directive + `]}` + members + `}`)
}

// shown are series as text.
func shown(series []narthex.Series) []string {
	var out []string
	for _, s := range series {
		for _, x := range s.Samples {
			text := fmt.Sprintf("%s %s", s.As, s.Labels)
			if h := x.Histogram; h != nil {
				text += fmt.Sprintf(" count %v sum %.6g", h.Count, h.Sum)
			} else {
				text += fmt.Sprintf(" %.6g", x.Value)
			}
			if x.Time != 0 {
				text += fmt.Sprintf(" at %d", x.Time)
			}
			out = append(out, text)
		}
	}
	return out
}

func metric(name, unit string) string {
	return `{"Namespace":"shop","Dimensions":[["service"]],"Metrics":[{"Name":"` + name + `","Unit":"` + unit + `"}]}`
}

func TestUnits(t *testing.T) {
	const labels = `{namespace="shop",service="s"}`
	for _, c := range []struct{ name, unit, value, want string }{
		{"successfulBooking", "Count", "1", "delta successful_booking_total" + labels + " 1"},
		{"orders_total", "Count", "[1,2,0.5]", "delta orders_total" + labels + " 3.5"},
		{"Latency", "Milliseconds", "250", "delta latency_seconds" + labels + " count 1 sum 0.25"},
		{"LatencyMs", "Milliseconds", "[250,1750]", "delta latency_seconds" + labels + " count 2 sum 2"},
		{"latency_seconds", "Seconds", "3", "delta latency_seconds" + labels + " count 1 sum 3"},
		{"seconds", "Seconds", "3", "delta seconds" + labels + " count 1 sum 3"},
		{"x", "Microseconds", "3e6", "delta x_seconds" + labels + " count 1 sum 3"},
		{"Upload", "Bytes", "10", "delta upload_bytes" + labels + " count 1 sum 10"},
		{"uploadMB", "Megabytes", "2", "delta upload_bytes" + labels + " count 1 sum 2e+06"},
		{"x", "Terabits", "2", "delta x_bits" + labels + " count 1 sum 2e+12"},
		{"CPUPercent", "Percent", "50", "delta cpu_ratio" + labels + " count 1 sum 0.5"},
		{"x", "Kilobytes/Second", "2", "gauge x_bytes_per_second" + labels + " 2000 at 1767225600000"},
		{"x", "Count/Second", "2", "gauge x_per_second" + labels + " 2 at 1767225600000"},
		{"HTTPQueue Length", "None", "7", "gauge http_queue_length" + labels + " 7 at 1767225600000"},
		{"p99", "", "[7,-8]", "gauge p99" + labels + " -8 at 1767225600000"},
		{"S3BucketCount", "Furlongs", "7", "gauge s3_bucket_count" + labels + " 7 at 1767225600000"},
		{"4xx", "Count", "7", "delta _4xx_total" + labels + " 7"},
	} {
		got, err := emf.Parse(event(metric(c.name, c.unit), `"service":"s","`+c.name+`":`+c.value), emf.Options{})
		if d := cmp.Diff([]string{c.want}, shown(got)); d != "" || err != nil {
			t.Errorf("%s in %s: %v (-want +got)\n%s", c.name, c.unit, err, d)
		}
	}
}

func TestSets(t *testing.T) {
	const directive = `{"Namespace":"My App","Dimensions":[["service","functionName"],["service"],[],["service"]],"Metrics":[{"Name":"hits","Unit":"Count"},{"Name":"took","Unit":"Seconds"}]}`
	const members = `"service":"s","functionName":"f","hits":2,"took":[1,2],"requestId":"550e8400-e29b-41d4-a716-446655440000"`
	got, err := emf.Parse(event(directive, members), emf.Options{Namespace: emf.NamespacePrefix, Layout: narthex.Layout{Bounds: []float64{1}}})
	want := []string{
		`delta my_app_hits_total{function_name="f",service="s"} 2`,
		`delta my_app_took_seconds{function_name="f",service="s"} count 2 sum 3`,
		`delta my_app_hits_total{service="s"} 2`,
		`delta my_app_took_seconds{service="s"} count 2 sum 3`,
		`delta my_app_hits_total 2`,
		`delta my_app_took_seconds count 2 sum 3`,
	}
	if d := cmp.Diff(want, shown(got)); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if h := got[1].Samples[0].Histogram; h.Schema != narthex.CustomBounds || h.Positive.Counts[0] != 1 || h.Positive.Counts[1] != 1 {
		t.Errorf("buckets %+v", h)
	}
}

// What is written in the wild, and in version 0 of the format.
func TestForms(t *testing.T) {
	for name, c := range map[string]struct{ doc, want string }{
		"version 0": {`{"Version":"0","CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["a"]],"Metrics":[{"Name":"m","Unit":"None"}]}],"Timestamp":"1767225600000","a":"x","m":1}`,
			`gauge m{a="x",namespace="n"} 1 at 1767225600000`},
		"a flat set":   {`{"_aws":{"CloudWatchMetrics":[{"Dimensions":["a"],"Metrics":[{"Name":"m"}]}]},"a":"x","m":1}`, `gauge m{a="x"} 1`},
		"no sets":      {`{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"m"}]}]},"m":1}`, `gauge m 1`},
		"other values": {`{"_aws":{"CloudWatchMetrics":[{"Dimensions":[["a","b","c"]],"Metrics":[{"Name":"m"}]}]},"a":1.5,"b":true,"c":"","m":1}`, `gauge m{a="1.5",b="true"} 1`},
		"reserved":     {`{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["le","namespace","__name__"]],"Metrics":[{"Name":"m"}]}]},"le":"1","namespace":"2","__name__":"3","m":1}`, `gauge m{exported_le="1",exported_namespace="2",name="3",namespace="n"} 1`},
	} {
		got, err := emf.Parse([]byte(c.doc), emf.Options{})
		if d := cmp.Diff([]string{c.want}, shown(got)); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, d)
		}
	}
}

func TestOptions(t *testing.T) {
	doc := event(metric("m", "None"), `"service":"s","m":[1,2]`)
	got, err := emf.Parse(doc, emf.Options{Namespace: emf.NamespaceNone, UnitlessHistograms: true, Oldest: 1767225600000})
	if d := cmp.Diff([]string{`delta m{service="s"} count 2 sum 3`}, shown(got)); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
	if _, err := emf.Parse(doc, emf.Options{Oldest: 1767225600001}); narthex.KindOf(err) != narthex.Invalid {
		t.Errorf("an old event: %v", err)
	}
}

func TestRejected(t *testing.T) {
	directive := `{"Dimensions":[["service"],["gone"],["Service","service"],["list"]],"Metrics":[{"Name":"m","Unit":"Count"}]}`
	for _, c := range []struct{ directive, members, want string }{
		{metric("m", "Count"), `"service":"s","m":-1`, "a counter only goes up"},
		{metric("m", "Count"), `"service":"s","m":"1"`, "neither a number nor a list"},
		{metric("m", "Count"), `"service":"s","m":[null]`, "neither a number nor a list"},
		{metric("m", "Count"), `"service":"s","m":1e999`, "neither a number nor a list"},
		{metric("m", "Bytes"), `"service":"s","m":[1e308,1e308]`, "too large"},
		{metric("m", "Bytes"), `"service":"s","m":[` + strings.Repeat("1,", 100) + `1]`, "has 101 values"},
		{metric("m", "Count"), `"service":"s"`, "no value for it"},
		{metric("é", "Count"), `"service":"s","é":1`, "no letter or digit"},
		{directive, `"service":"s","Service":"S","m":1,"list":[]`, `the dimension "gone" is missing: the event needs a member of that name; and 2 more`},
		{metric("m", "Count") + "," + metric("m_total", "None"), `"service":"s","m":1,"m_total":1`, "gauge here and a counter before"},
	} {
		got, err := emf.Parse(event(c.directive, c.members), emf.Options{})
		if narthex.KindOf(err) != narthex.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.members, err, c.want)
		}
		if taken := strings.Contains(c.directive, "],[") || strings.Contains(c.directive, "},{\"Namespace"); taken != (len(got) == 1) {
			t.Errorf("%s: %d series were taken", c.members, len(got))
		}
	}
	for _, c := range []struct{ doc, want string }{
		{``, "no JSON object"}, {`[]`, "no JSON object"}, {`{"a":1}`, "no metrics"}, {`{"_aws":1}`, "_aws"},
		{`{"_aws":{"CloudWatchMetrics":1}}`, "CloudWatchMetrics"}, {`{"_aws":{"CloudWatchMetrics":[],"Timestamp":"x"}}`, "Timestamp"},
		{`{"_aws":{"CloudWatchMetrics":[]}} x`, "no JSON object"},
	} {
		if _, err := emf.Parse([]byte(c.doc), emf.Options{}); narthex.KindOf(err) != narthex.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.doc, err, c.want)
		}
	}
}

// Events of one series are added up.
func TestCollector(t *testing.T) {
	c := emf.NewCollector(emf.Options{})
	for i := range 3 {
		for _, m := range []struct{ name, unit string }{{"n", "Count"}, {"t", "Seconds"}, {"g", "None"}} {
			doc := strings.Replace(string(event(metric(m.name, m.unit), fmt.Sprintf(`"service":"s","%s":%d`, m.name, i+1))), "1767225600000", fmt.Sprint(9-i), 1)
			if err := c.Add([]byte(doc)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{
		`delta n_total{namespace="shop",service="s"} 6`, `delta t_seconds{namespace="shop",service="s"} count 3 sum 6`,
		`gauge g{namespace="shop",service="s"} 1 at 9`,
	}
	if d := cmp.Diff(want, shown(c.Series())); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Little may say much: sets times metrics times values.
func TestBounded(t *testing.T) {
	var sets, members, metrics []string
	for i := range 200 {
		sets = append(sets, fmt.Sprintf(`["d%d"]`, i))
		members = append(members, fmt.Sprintf(`"d%d":"x"`, i))
		metrics = append(metrics, `{"Name":"m","Unit":"Seconds"}`)
	}
	members = append(members, `"m":[`+strings.Repeat("1,", 99)+`1]`)
	doc := event(`{"Dimensions":[`+strings.Join(sets, ",")+`],"Metrics":[`+strings.Join(metrics, ",")+`]}`, strings.Join(members, ","))
	if _, err := emf.Parse(doc, emf.Options{}); narthex.KindOf(err) != narthex.TooLarge {
		t.Errorf("4 million observations of %d bytes: %v", len(doc), err)
	}
	if _, err := emf.Parse(doc, emf.Options{MaxSeries: 10}); narthex.KindOf(err) != narthex.TooLarge {
		t.Errorf("200 series of at most 10: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["a"],[]],"Metrics":[{"Name":"m","Unit":"Count","StorageResolution":1}]}]},"a":"x","m":[1,2]}`))
	f.Add([]byte(`{"CloudWatchMetrics":[{"Dimensions":["a"],"Metrics":[{"Name":"M s","Unit":"Milliseconds"}]}],"Timestamp":"1","a":1,"M s":1e3}`))
	f.Add([]byte(`{"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"é","Unit":"Kilobytes/Second"}]}]},"é":null}`))
	names := narthex.NameScheme{}
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, o := range []emf.Options{{MaxSeries: 50}, {Namespace: emf.NamespacePrefix, UnitlessHistograms: true, MaxSeries: 50, Layout: narthex.Layout{Bounds: []float64{1}}}} {
			series, _ := emf.Parse(doc, o)
			if len(series) > 50 {
				t.Errorf("%d series", len(series))
			}
			for _, s := range series {
				if err := names.Check(s.Labels); err != nil && !strings.Contains(err.Error(), "UTF-8") {
					t.Errorf("%s: %v", s.Labels, err)
				}
				for _, x := range s.Samples {
					v := x.Value
					if x.Histogram != nil {
						v = x.Histogram.Sum
					}
					if v-v != 0 || s.Type == narthex.TypeCounter && v < 0 {
						t.Errorf("%s is %v", s.Labels, v)
					}
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	doc := event(`{"Namespace":"shop","Dimensions":[["service","environment"]],"Metrics":[{"Name":"successfulBooking","Unit":"Count"},{"Name":"latency","Unit":"Milliseconds"}]}`,
		`"service":"booking","environment":"prod","successfulBooking":1,"latency":[12.5,13,250],"request_id":"550e8400-e29b-41d4-a716-446655440000","message":"booked"`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := emf.Parse(doc, emf.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// One event of many alike.
func BenchmarkCollector(b *testing.B) {
	doc := event(`{"Namespace":"shop","Dimensions":[["service","environment"]],"Metrics":[{"Name":"successfulBooking","Unit":"Count"},{"Name":"latency","Unit":"Milliseconds"}]}`,
		`"service":"booking","environment":"prod","successfulBooking":1,"latency":[12.5,13,250],"request_id":"550e8400-e29b-41d4-a716-446655440000","message":"booked"`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	c := emf.NewCollector(emf.Options{})
	for n := 1; b.Loop(); n++ {
		if n%10000 == 0 {
			c = emf.NewCollector(emf.Options{})
		}
		if err := c.Add(doc); err != nil {
			b.Fatal(err)
		}
	}
}
