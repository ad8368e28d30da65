package otlp_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"narthex"
	"narthex/otlp"
)

// recorder is an appender that writes down what it gets: samples in their order,
// by series.
type recorder struct {
	storage.AppenderV2
	got map[string][]string
}

func (r *recorder) Append(_ storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, _ *histogram.FloatHistogram, o storage.AppendV2Options) (storage.SeriesRef, error) {
	s := fmt.Sprintf("%d from %d: %s", t, st, number(v))
	if h != nil {
		s = fmt.Sprintf("%d from %d: %s", t, st, native(h.ToFloat(nil)))
	}
	s += fmt.Sprintf(" %s %q %q %s%s", o.Metadata.Type, o.Metadata.Unit, o.Metadata.Help, o.MetricFamilyName, examplesOf(o.Exemplars))
	r.got[ls.String()] = append(r.got[ls.String()], s)
	return 0, nil
}

func number(v float64) string {
	if value.IsStaleNaN(v) {
		return "stale"
	}
	return fmt.Sprint(v)
}

// native writes a histogram without empty buckets. One that ends its series has
// nothing else to say.
func native(h *histogram.FloatHistogram) string {
	if value.IsStaleNaN(h.Sum) {
		return "stale histogram"
	}
	h = h.Compact(0)
	return fmt.Sprint(h.Schema, h.CustomValues, h.ZeroThreshold, h.ZeroCount, h.Count, h.Sum, h.PositiveSpans, h.PositiveBuckets, h.NegativeSpans, h.NegativeBuckets)
}

func examplesOf(es []exemplar.Exemplar) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprint(&b, " #", e.Labels, e.Value, e.Ts)
	}
	return b.String()
}

// reference is what Prometheus makes of a request.
func reference(t *testing.T, md pmetric.Metrics, s prometheusremotewrite.Settings) map[string][]string {
	t.Helper()
	r := &recorder{got: map[string][]string{}}
	if _, err := prometheusremotewrite.NewPrometheusConverter(r).FromMetrics(context.Background(), md, s); err != nil {
		t.Fatal(err)
	}
	return r.got
}

// described writes a translation down as the recorder does.
func described(series []narthex.Series) map[string][]string {
	got := map[string][]string{}
	builder := labels.NewScratchBuilder(0)
	convert := func(in narthex.Labels) labels.Labels {
		builder.Reset()
		for _, l := range in {
			builder.Add(l.Name, l.Value)
		}
		return builder.Labels() // not sorted: they have to be
	}
	for _, s := range series {
		ls := convert(s.Labels)
		family := s.Family
		if family == "" {
			family = ls.Get("__name__")
		}
		var examples []exemplar.Exemplar
		for _, e := range s.Exemplars {
			examples = append(examples, exemplar.Exemplar{Labels: convert(e.Labels), Value: e.Value, Ts: e.Time})
		}
		for _, x := range s.Samples {
			v := number(x.Value)
			if h := x.Histogram; h != nil {
				fh := &histogram.FloatHistogram{
					Schema: h.Schema, CustomValues: h.Bounds, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum,
					PositiveBuckets: h.Positive.Counts, NegativeBuckets: h.Negative.Counts, PositiveSpans: spans(h.Positive.Spans), NegativeSpans: spans(h.Negative.Spans),
				}
				if h.Schema == narthex.CustomBounds {
					fh.PositiveSpans = []histogram.Span{{Length: uint32(len(h.Positive.Counts))}}
				}
				v = native(fh)
			}
			got[ls.String()] = append(got[ls.String()], fmt.Sprintf("%d from %d: %s %s %q %q %s%s", x.Time, x.Start, v, s.Type, s.Unit, s.Help, family, examplesOf(examples)))
		}
	}
	return got
}

func spans(in []narthex.Span) (out []histogram.Span) {
	for _, s := range in {
		out = append(out, histogram.Span{Offset: s.Offset, Length: s.Length})
	}
	return out
}

// settings are ways to translate, and what Prometheus calls them.
func settings() map[string]struct {
	own  otlp.Options
	prom prometheusremotewrite.Settings
} {
	type pair = struct {
		own  otlp.Options
		prom prometheusremotewrite.Settings
	}
	names := narthex.NameScheme{UTF8: true}
	promoted := []string{"host.name", "1st", "job", "service.name"}
	base := func() prometheusremotewrite.Settings {
		return prometheusremotewrite.Settings{
			AddMetricSuffixes: true, LabelNameUnderscoreSanitization: true, LabelNamePreserveMultipleUnderscores: true,
			PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(promconfig.DefaultOTLPConfig),
		}
	}
	plain, without, utf8, none, all := base(), base(), base(), base(), base()
	without.AddMetricSuffixes, none.AddMetricSuffixes = false, false
	utf8.AllowUTF8, none.AllowUTF8 = true, true
	all.PromoteResourceAttributes = prometheusremotewrite.NewPromoteResourceAttributes(promconfig.OTLPConfig{PromoteResourceAttributes: promoted})
	all.KeepIdentifyingResourceAttributes, all.PromoteScopeMetadata, all.ConvertHistogramsToNHCB = true, true, true
	all.LookbackDelta = time.Minute
	return map[string]pair{
		"default":          {otlp.Options{Names: names}, plain},
		"without suffixes": {otlp.Options{Names: names, Strategy: otlp.UnderscoreEscapingWithoutSuffixes}, without},
		"UTF-8":            {otlp.Options{Names: names, Strategy: otlp.NoUTF8EscapingWithSuffixes}, utf8},
		"none":             {otlp.Options{Names: names, Strategy: otlp.NoTranslation}, none},
		"all": {otlp.Options{
			Names: names, PromoteResourceAttributes: promoted, KeepIdentifyingResourceAttributes: true,
			PromoteScopeMetadata: true, ConvertHistogramsToNHCB: true, Lookback: time.Minute,
		}, all},
	}
}

// What is cumulative is translated as Prometheus does it, to the last label and
// exemplar.
func TestTranslateAgainstPrometheus(t *testing.T) {
	all := settings()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for seed := range uint64(400) {
			md := newRandom(seed).metrics()
			want := reference(t, md, all[name].prom)
			protobuf, _ := bodies(t, md)
			m, err := otlp.Protobuf.Decode(protobuf, otlp.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := all[name].own.Translate(m, otlp.Arrival{Time: time.Unix(0, math.MaxInt64)})
			if err != nil || len(tr.Deltas) > 0 || len(tr.Rejected) > 0 {
				t.Fatalf("%s, seed %d: %v, %d deltas, rejected %v", name, seed, err, len(tr.Deltas), tr.Rejected)
			}
			if d := cmp.Diff(want, described(tr.Samples)); d != "" {
				t.Fatalf("%s, seed %d (-prometheus +got)\n%s", name, seed, d)
			}
		}
	}
}
