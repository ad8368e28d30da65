package openmetrics_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"narthex/openmetrics"
)

// exposition returns about n series, as a service would push them: counters,
// gauges and histograms of 12 buckets.
func exposition(n int) []byte {
	var b strings.Builder
	b.WriteString("# HELP http_requests_total The number of requests served.\n# TYPE http_requests_total counter\n")
	for i := range n / 3 {
		fmt.Fprintf(&b, "http_requests_total{code=\"200\",handler=\"/api/v1/users/%d\",method=\"get\"} %d\n", i, i*1027)
	}
	b.WriteString("# HELP queue_length_bytes How much waits.\n# TYPE queue_length_bytes gauge\n")
	for i := range n / 3 {
		fmt.Fprintf(&b, "queue_length_bytes{queue=\"q%d\"} %v\n", i, float64(i)*1.25)
	}
	b.WriteString("# HELP latency_seconds How long it takes.\n# TYPE latency_seconds histogram\n")
	for i := range max(1, n/3/14) {
		cum := 0
		for j, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} {
			cum += j * 7
			fmt.Fprintf(&b, "latency_seconds_bucket{path=\"/p%d\",le=\"%s\"} %d\n", i, le, cum)
		}
		fmt.Fprintf(&b, "latency_seconds_sum{path=\"/p%d\"} 12.5\nlatency_seconds_count{path=\"/p%d\"} %d\n", i, i, cum)
	}
	return []byte(b.String())
}

// BenchmarkParse stands beside expfmt's parser, which Pushgateway uses.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{30, 5000} {
		data := exposition(n)
		b.Run(fmt.Sprintf("narthex/series=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := openmetrics.Text.Parse(data, openmetrics.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("expfmt/series=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				p := expfmt.NewTextParser(model.UTF8Validation)
				if _, err := p.TextToMetricFamilies(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSeries, BenchmarkWrite and BenchmarkProtobuf are the rest of the way
// of a push.
func BenchmarkSeries(b *testing.B) {
	families, err := openmetrics.Text.Parse(exposition(5000), openmetrics.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		openmetrics.Series(families)
	}
}

func BenchmarkWrite(b *testing.B) {
	families, err := openmetrics.Text.Parse(exposition(5000), openmetrics.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
		b.Run(f.ContentType(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f.Write(io.Discard, families); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkProtobuf(b *testing.B) {
	families, err := openmetrics.Text.Parse(exposition(5000), openmetrics.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var buf bytes.Buffer
	if err := openmetrics.WriteProtobuf(&buf, families); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(buf.Len()))
	for b.Loop() {
		if _, err := openmetrics.Protobuf.Parse(buf.Bytes(), openmetrics.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
