package openmetrics_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"narthex"
	"narthex/openmetrics"
)

// flat is a series as both parsers know it.
type flat struct {
	labels    string
	time      int64
	value     float64
	histogram *histogram.FloatHistogram
}

// seen is what a parser made of an exposition.
type seen struct {
	series    []flat
	exemplars []string // without their series: ours go to the narrowest bucket
	metadata  map[string]bool
}

// oracle reads data with Prometheus's parser.
func oracle(format openmetrics.Format, data []byte) (seen, error) {
	out := seen{metadata: map[string]bool{}}
	var p textparse.Parser
	data = slices.Clone(data) // it keeps data, and may append to it
	switch format {
	case openmetrics.Text:
		p = textparse.NewPromParser(data, labels.NewSymbolTable(), false)
	case openmetrics.OpenMetrics:
		p = textparse.NewOpenMetricsParser(data, labels.NewSymbolTable(), textparse.WithOMParserSTSeriesSkipped())
	default:
		p = textparse.NewProtobufParser(data, false, false, false, false, labels.NewSymbolTable())
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		f := flat{}
		var time *int64
		switch entry {
		case textparse.EntrySeries:
			_, time, f.value = p.Series()
		case textparse.EntryHistogram:
			var h *histogram.Histogram
			_, time, h, f.histogram = p.Histogram()
			if h != nil {
				f.histogram = h.ToFloat(nil)
			}
		default:
			out.note(p, entry)
			continue
		}
		if time != nil {
			f.time = *time
		}
		var ls labels.Labels
		p.Labels(&ls)
		f.labels = canonicalLabels(ls)
		out.series = append(out.series, f)
		for e := (exemplar.Exemplar{}); p.Exemplar(&e); e = (exemplar.Exemplar{}) {
			out.exemplars = append(out.exemplars, fmt.Sprint(canonicalLabels(e.Labels), e.Value, e.Ts))
		}
	}
}

// note keeps a line of metadata.
func (s *seen) note(p textparse.Parser, entry textparse.Entry) {
	switch entry {
	case textparse.EntryType:
		name, typ := p.Type()
		s.metadata[fmt.Sprintf("type %s %s", name, typ)] = true
	case textparse.EntryHelp:
		name, help := p.Help()
		s.metadata[fmt.Sprintf("help %s %s", name, strings.TrimLeft(string(help), " \t"))] = true
	case textparse.EntryUnit:
		name, unit := p.Unit()
		s.metadata[fmt.Sprintf("unit %s %s", name, unit)] = true
	}
}

// compareMetadata demands that the oracle has seen what we say of a family.
func compareMetadata(t *testing.T, f openmetrics.Family, want seen) {
	t.Helper()
	if strings.ContainsAny(f.Name, "\\\"\n") {
		return // the oracle does not undo the escapes of names in metadata
	}
	has := func(what, text string) bool {
		for _, suffix := range []string{"", "_total", "_info"} {
			if base, ok := strings.CutSuffix(f.Name, suffix); ok && want.metadata[what+" "+base+" "+text] {
				return true
			}
		}
		return false
	}
	if f.Type != narthex.TypeUnknown && !has("type", f.Type.String()) ||
		f.Help != "" && !has("help", strings.TrimLeft(f.Help, " \t")) || f.Unit != "" && !has("unit", f.Unit) {
		t.Errorf("%s: we have type %s, help %q, unit %q, the oracle %v", f.Name, f.Type, f.Help, f.Unit, want.metadata)
	}
}

// canonicalLabels returns labels without empty values and with le and quantile
// in their canonical form, which the oracle gives them only behind a TYPE.
func canonicalLabels(ls labels.Labels) string {
	var out []narthex.Label
	ls.Range(func(l labels.Label) {
		out = append(out, narthex.Label{Name: l.Name, Value: canonicalValue(l.Name, l.Value)})
	})
	slices.SortStableFunc(out, func(a, b narthex.Label) int { return strings.Compare(a.Name, b.Name) })
	sorted := slices.DeleteFunc(out, func(l narthex.Label) bool { return l.Value == "" })
	return narthex.Labels(sorted).String()
}

func canonicalValue(name, value string) string {
	if name == narthex.MetricName { // the oracle keeps the blanks before an unquoted one
		return cmp.Or(strings.TrimLeft(value, " \t"), value)
	}
	if f, err := strconv.ParseFloat(value, 64); err == nil && (name == "le" || name == "quantile") {
		return labels.FormatOpenMetricsFloat(f)
	}
	return value
}

// ours flattens what our parser made. rename undoes, for protobuf, that we
// name the count and sum of a gauge histogram as OpenMetrics does.
func ours(families []openmetrics.Family, rename bool) (seen, map[string]bool) {
	var out seen
	derivable := map[string]bool{}
	for _, s := range openmetrics.Series(families) {
		name := s.Labels.Get(narthex.MetricName)
		if base, ok := strings.CutSuffix(name, "_gcount"); ok && rename && s.Type == narthex.TypeGaugeHistogram {
			s.Labels = s.Labels.With(narthex.MetricName, base+"_count")
		} else if base, ok := strings.CutSuffix(name, "_gsum"); ok && rename && s.Type == narthex.TypeGaugeHistogram {
			s.Labels = s.Labels.With(narthex.MetricName, base+"_sum")
		}
		ls := slices.Clone(s.Labels)
		for i := range ls {
			ls[i].Value = canonicalValue(ls[i].Name, ls[i].Value)
		}
		key := ls.String()
		for _, smp := range s.Samples {
			f := flat{labels: key, time: smp.Time, value: smp.Value}
			if smp.Histogram != nil {
				f.histogram = toProm(smp.Histogram)
			}
			out.series = append(out.series, f)
		}
		switch s.Type {
		case narthex.TypeHistogram, narthex.TypeGaugeHistogram, narthex.TypeSummary:
			derivable[key] = s.Labels.Get("quantile") == "" && (s.Labels.Get("le") == "" || s.Labels.Get("le") == "+Inf")
		}
		for _, e := range s.Exemplars {
			if s.Samples[0].Histogram != nil && e.Time == 0 {
				continue // the oracle drops those of native histograms
			}
			out.exemplars = append(out.exemplars, fmt.Sprint(e.Labels.String(), e.Value, e.Time))
		}
	}
	return out, derivable
}

func toProm(h *narthex.Histogram) *histogram.FloatHistogram {
	spans := func(in []narthex.Span) (out []histogram.Span) {
		for _, s := range in {
			out = append(out, histogram.Span{Offset: s.Offset, Length: s.Length})
		}
		return out
	}
	return &histogram.FloatHistogram{
		Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum,
		PositiveSpans: spans(h.Positive.Spans), PositiveBuckets: slices.Clone(h.Positive.Counts),
		NegativeSpans: spans(h.Negative.Spans), NegativeBuckets: slices.Clone(h.Negative.Counts),
	}
}

// compare demands that ours has each series of the oracle, and beyond them
// only what can be derived.
func compare(t *testing.T, families []openmetrics.Family, want seen, rename bool) {
	t.Helper()
	got, derivable := ours(families, rename)
	for _, f := range families {
		compareMetadata(t, f, want)
	}
	have := map[string][]flat{}
	for _, f := range got.series {
		have[f.labels] = append(have[f.labels], f)
	}
	for _, w := range want.series {
		i := slices.IndexFunc(have[w.labels], func(g flat) bool { return same(g, w) })
		if i < 0 {
			t.Errorf("%s %v at %d (histogram %v): we have %v", w.labels, w.value, w.time, w.histogram, have[w.labels])
			continue
		}
		have[w.labels] = slices.Delete(have[w.labels], i, i+1)
	}
	for key, rest := range have {
		// The oracle drops _created behind any counter, be it of that or not.
		if len(rest) > 0 && !derivable[key] && !strings.Contains(key, "_created") {
			t.Errorf("%s: we have %v, the oracle has no such series", key, rest)
		}
	}
	slices.Sort(got.exemplars)
	slices.Sort(want.exemplars)
	if !slices.EqualFunc(got.exemplars, want.exemplars, sameExemplar) {
		t.Errorf("exemplars: we have %q, the oracle %q", got.exemplars, want.exemplars)
	}
}

// same reports whether two series are equal: but for a millisecond (the oracle
// cuts where we round) and for the rounding of buckets with fractions.
func same(a, b flat) bool {
	if a.histogram != nil || b.histogram != nil {
		if a.histogram == nil || b.histogram == nil || a.time != b.time {
			return false
		}
		x, y := a.histogram.Copy().Compact(0), b.histogram.Copy().Compact(0)
		return x.Equals(y)
	}
	d := a.time - b.time
	equal := math.Float64bits(a.value) == math.Float64bits(b.value) || a.value == b.value || math.IsNaN(a.value) && math.IsNaN(b.value)
	return d >= -1 && d <= 1 && (equal || strings.Contains(a.labels, "_bucket") && math.Abs(a.value-b.value) <= 1e-9*math.Max(a.value, b.value))
}

// sameExemplar compares but for the last digit of the time.
func sameExemplar(a, b string) bool {
	i, j := strings.LastIndexByte(a, ' '), strings.LastIndexByte(b, ' ')
	x, _ := strconv.ParseInt(a[i+1:], 10, 64)
	y, _ := strconv.ParseInt(b[j+1:], 10, 64)
	return a[:i] == b[:j] && x-y >= -1 && x-y <= 1
}
