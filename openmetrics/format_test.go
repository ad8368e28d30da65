package openmetrics_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"narthex"
	"narthex/openmetrics"
)

func TestFormatOf(t *testing.T) {
	for _, c := range []struct {
		contentType string
		want        openmetrics.Format
	}{
		{"", openmetrics.Text},
		{"text/plain", openmetrics.Text},
		{"text/plain; version=0.0.4; charset=utf-8", openmetrics.Text},
		{"text/plain; version=1.0.0; escaping=allow-utf-8", openmetrics.Text},
		{"application/x-www-form-urlencoded", openmetrics.Text},
		{"application/openmetrics-text", openmetrics.OpenMetrics},
		{"Application/OpenMetrics-Text; version=0.0.1", openmetrics.OpenMetrics},
		{string(expfmt.NewFormat(expfmt.TypeOpenMetrics)), openmetrics.OpenMetrics},
		{string(expfmt.NewFormat(expfmt.TypeProtoDelim)), openmetrics.Protobuf},
		{"text/plain; version=0.0.3", 0},
		{"application/openmetrics-text; version=2.0.0", 0},
		{string(expfmt.NewFormat(expfmt.TypeProtoText)), 0},
		{"application/vnd.google.protobuf", 0},
		{"application/json", 0},
		{";;", 0},
	} {
		got, err := openmetrics.FormatOf(c.contentType)
		if got != c.want || (err != nil) != (c.want == 0) || err != nil && narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%q: got %d, %v, want %d", c.contentType, got, err, c.want)
		}
		if back, err := openmetrics.FormatOf(got.ContentType()); c.want != 0 && (err != nil || back != got) {
			t.Errorf("format %d: its own content type is read as %d, %v", got, back, err)
		}
	}
	if _, err := openmetrics.Parse("application/json", []byte("{}"), openmetrics.Limits{}); err == nil {
		t.Error("JSON was read")
	}
}

// TestExpfmt reads the same text as expfmt, which Pushgateway uses, and
// compares what both make of it as protobuf messages.
func TestExpfmt(t *testing.T) {
	golden, err := os.ReadFile("testdata/all.prom.text.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{golden, exposition(300)} {
		p := expfmt.NewTextParser(model.UTF8Validation)
		want, err := p.TextToMetricFamilies(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		families, err := openmetrics.Text.Parse(data, openmetrics.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := openmetrics.WriteProtobuf(&b, families); err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			var got dto.MetricFamily
			err := protodelim.UnmarshalFrom(&b, &got)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			w := want[got.GetName()]
			normal(&got)
			normal(w)
			if n++; !proto.Equal(&got, w) {
				t.Errorf("want %s\ngot  %s", prototext.Format(w), prototext.Format(&got))
			}
		}
		if n != len(want) || n == 0 {
			t.Errorf("%d families, expfmt has %d", n, len(want))
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	short := &narthex.Histogram{Schema: narthex.CustomBounds, Bounds: []float64{1}}
	for _, f := range []openmetrics.Family{
		{},
		{Name: "h", Type: narthex.TypeHistogram, Metrics: []openmetrics.Metric{{}}},
		{Name: "h", Type: narthex.TypeHistogram, Metrics: []openmetrics.Metric{{Histogram: short}}},
		{Name: "s", Type: narthex.TypeSummary, Metrics: []openmetrics.Metric{{}}},
	} {
		for _, format := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
			if err := format.Write(io.Discard, []openmetrics.Family{f}); narthex.KindOf(err) != narthex.Invalid {
				t.Errorf("%v in format %d: got %v, want an error of kind Invalid", f, format, err)
			}
		}
	}
}

// TestInterleaved has what would be quadratic, were it not bounded: thousands
// of label sets of a histogram whose buckets alternate.
func TestInterleaved(t *testing.T) {
	const sets, buckets = 3000, 30
	var b strings.Builder
	b.WriteString("# TYPE h histogram\n")
	for le := range buckets {
		for set := range sets {
			fmt.Fprintf(&b, "h_bucket{set=\"%d\",le=\"%d\"} %d\n", set, le, le)
		}
	}
	for set := range sets {
		fmt.Fprintf(&b, "h_count{set=\"%d\"} %d\n", set, buckets)
	}
	families, err := openmetrics.Text.Parse([]byte(b.String()), openmetrics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || len(families[0].Metrics) != sets {
		t.Fatalf("got %d families", len(families))
	}
	for _, m := range families[0].Metrics {
		want := slices.Concat([]float64{0}, slices.Repeat([]float64{1}, buckets))
		if h := m.Histogram; len(h.Bounds) != buckets || h.Count != buckets || !slices.Equal(h.Positive.Counts, want) {
			t.Fatalf("%v: got %+v", m.Labels, *h)
		}
	}
}

func ExampleParse() {
	body := []byte("# TYPE jobs_total counter\njobs_total{queue=\"mail\"} 3\n")
	families, err := openmetrics.Parse("text/plain; version=0.0.4", body, openmetrics.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range openmetrics.Series(families) {
		fmt.Println(s.Type, s.Labels, s.Samples[0].Value)
	}
	if err := openmetrics.WriteOpenMetrics(os.Stdout, families); err != nil {
		fmt.Println(err)
	}
	// Output:
	// counter jobs_total{queue="mail"} 3
	// # TYPE jobs counter
	// jobs_total{queue="mail"} 3.0
	// # EOF
}
