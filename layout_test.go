package narthex_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"

	"narthex"
)

func TestParseLayout(t *testing.T) {
	article, err := narthex.ParseLayout(narthex.ArticleLayout)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(article.Bounds); n != 20+16+45+9 || article.Bounds[2] != 0.003 || article.Bounds[n-1] != 10 {
		t.Errorf("article: %d bounds %v", n, article.Bounds)
	}
	std, err := narthex.ParseLayout(narthex.DefaultLayout)
	if err != nil || !slices.Equal(std.Bounds, prometheus.DefBuckets) {
		t.Errorf("default: %v, %v", std.Bounds, err)
	}
	if native, err := narthex.ParseLayout("native"); err != nil || native.Bounds != nil {
		t.Errorf("native: %v, %v", native, err)
	}
	for text, want := range map[string]string{
		"":                     "neither a number nor a duration",
		"1,1":                  "does not rise",
		"2,1":                  "does not rise",
		"1..2":                 "neither",
		"1..2/0":               "does not rise",
		"2..1/1":               "does not rise",
		"1..2/0.3":             "does not meet",
		"1ms..2/1ms":           "mixes",
		"1..1000/1":            "more than 500",
		"1..300/1, 300..600/1": "more than 500",
		"1, NaN":               "neither",
		"1, Inf":               "neither",
	} {
		if _, err := narthex.ParseLayout(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Native buckets are those of the official client.
func TestNativeBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := []float64{0, 1, 2, 4, 0.5, 1e-300, 1e300, -1, -3, 1e-40}
	for range 1000 {
		values = append(values, math.Exp(r.NormFloat64()*5)*float64(1-2*r.IntN(2)))
	}
	client := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x", NativeHistogramBucketFactor: 1.1})
	for _, v := range values {
		client.Observe(v)
	}
	var m dto.Metric
	if err := client.Write(&m); err != nil {
		t.Fatal(err)
	}
	got := narthex.Layout{}.Histogram(values)
	want := m.Histogram
	if got.Schema != want.GetSchema() || got.ZeroThreshold != want.GetZeroThreshold() || got.ZeroCount != float64(want.GetZeroCount()) || got.Count != float64(want.GetSampleCount()) {
		t.Errorf("got %+v", got)
	}
	for _, c := range []struct {
		what  string
		b     narthex.Buckets
		spans []*dto.BucketSpan
		delta []int64
	}{{"positive", got.Positive, want.PositiveSpan, want.PositiveDelta}, {"negative", got.Negative, want.NegativeSpan, want.NegativeDelta}} {
		counts, n, i, index := map[int32]float64{}, int64(0), 0, int32(0)
		for _, s := range c.spans {
			index += s.GetOffset()
			for range s.GetLength() {
				n += c.delta[i]
				if n > 0 {
					counts[index] = float64(n)
				}
				index++
				i++
			}
		}
		have := map[int32]float64{}
		c.b.Each(func(i int32, n float64) { have[i] = n })
		for i := range counts {
			if have[i] != counts[i] {
				t.Errorf("%s bucket %d: %v, want %v", c.what, i, have[i], counts[i])
			}
		}
		if len(have) != len(counts) {
			t.Errorf("%s: %d buckets, want %d", c.what, len(have), len(counts))
		}
	}
}

func TestFormatBound(t *testing.T) {
	for _, f := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, 2, 10, 100, 1e5, 999999, 1e6, 1234567, 1e20, 1e21, 1e22, 1e-4, 1e-5, 0.1 + 0.2,
		1. / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.Pi * 1e8,
	} {
		if got, want := narthex.FormatBound(f), labels.FormatOpenMetricsFloat(f); got != want {
			t.Errorf("FormatBound(%v) = %q, want %q", f, got, want)
		}
	}
}

func FuzzFormatBound(f *testing.F) {
	f.Add(uint64(0))
	f.Add(math.Float64bits(1e6))
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		if got, want := narthex.FormatBound(v), labels.FormatOpenMetricsFloat(v); got != want {
			t.Errorf("FormatBound(%v) = %q, want %q", v, got, want)
		}
	})
}
