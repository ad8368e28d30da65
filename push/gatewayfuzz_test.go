package push_test

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"

	"narthex"
	"narthex/ledger"
	"narthex/openmetrics"
	"narthex/push"
)

func FuzzGroupingKey(f *testing.F) {
	for _, s := range []string{
		"job/a", "job/a/", "job/a/instance/b", "job@base64/YS9i/x@base64/=", "job/a/x", "job/a/x/1/x/2", "job/a/job/b",
		"job@base64/=", "job/a%2Fb/x%20y/1", "job/a/x@base64/_w", "job/a//b", "job/%zz", "job/", "", "/", "job/a/__name__/b", "job/a/x/",
	} {
		f.Add(s)
	}
	names := narthex.NameScheme{MaxLabels: 10, MaxName: 20, MaxValue: 30}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "job/") && !strings.HasPrefix(path, "job@base64/") {
			return // other paths don't come here
		}
		labels, empty, err := push.ParseGroupKey(path, names)
		if err != nil {
			if narthex.KindOf(err) != narthex.Invalid || len(err.Error()) > 1000 {
				t.Fatalf("%q: the error %q", path, err)
			}
			return
		}
		if err := names.Check(labels.With(narthex.MetricName, "x")); err != nil || labels.Get("job") == "" {
			t.Fatalf("%q: %v (%v)", path, labels, err)
		}
		if again, err := narthex.NewLabels(slices.Clone(labels)...); err != nil || again.String() != labels.String() {
			t.Fatalf("%q: %v is not in order", path, labels)
		}
		// Written as a path again it is the same.
		group := []narthex.Label{{Name: "job", Value: labels.Get("job")}}
		for _, l := range labels.With("job", "") {
			group = append(group, l)
		}
		for _, name := range empty {
			group = append(group, narthex.Label{Name: name})
		}
		out := push.GroupPath(group)
		more, none, err := push.ParseGroupKey(out, names)
		slices.Sort(empty)
		slices.Sort(none)
		if err != nil || more.String() != labels.String() || !slices.Equal(empty, none) {
			t.Fatalf("%q: written as %q it is %v %v (%v), was %v %v", path, out, more, none, err, labels, empty)
		}
	})
}

// Whatever the doors let through the ledger can enter: no body may fail a whole
// batch there, or poison what others share with it.
func FuzzGatewayBody(f *testing.F) {
	for _, body := range []string{shop, delimited(f), "", "m 1\nm{x=\"1\"} NaN\n", "m 1 5\n", "# TYPE c counter\nc_total 4 # {a=\"b\"} 1\n# EOF\n",
		"# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum NaN\nh_count 2\n",
		"# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 2\ng_gsum -3\ng_gcount 2\n# TYPE i info\ni_info 1\n# EOF\n"} {
		for format := range uint8(3) {
			f.Add([]byte(body), format, "x", "1")
		}
	}
	var gauges bytes.Buffer
	native, _ := narthex.ParseLayout("native")
	if err := openmetrics.WriteProtobuf(&gauges, []openmetrics.Family{{Name: "g", Type: narthex.TypeGaugeHistogram,
		Metrics: []openmetrics.Metric{{Histogram: native.Histogram([]float64{1})}}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(gauges.Bytes(), uint8(2), "x", "1")
	f.Add([]byte(shop), uint8(0), "le", "1")
	f.Add([]byte(shop), uint8(0), "quantile", "1")
	formats := []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf}
	f.Fuzz(func(t *testing.T, body []byte, format uint8, name, value string) {
		contentType := "Content-Type: " + formats[format%3].ContentType()
		path := push.GroupPath([]narthex.Label{{Name: "job", Value: "j"}, {Name: name, Value: value}})
		if !httpPath(path) {
			return
		}
		for _, prefix := range []string{"/metrics/", "/aggregate/metrics/"} {
			s := serve(push.Options{Limits: push.Limits{Body: 1 << 16, Series: 1000}})
			w := s.do("PUT", prefix+path, string(body), contentType)
			switch w.Code {
			case 200, 400, 413:
			case 307: // a name such as ".." is no segment of a path
				return
			default:
				t.Fatalf("%s: %d %s", prefix, w.Code, w.Body)
			}
			for _, b := range s.batches {
				if _, err := ledger.NewEntry(b); err != nil {
					t.Fatalf("%s: the ledger says %v", prefix, err)
				}
			}
		}
	})
}

// httpPath reports whether the path may stand in a request line.
func httpPath(path string) bool {
	u, err := url.ParseRequestURI("/" + path)
	if err != nil {
		return false
	}
	return u.RawQuery == ""
}
