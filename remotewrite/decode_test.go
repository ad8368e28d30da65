package remotewrite_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	native "github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/remotewrite"
)

// told is a series as both our decoder and the official one tell it.
type told struct {
	Labels             string
	Type               narthex.Type
	Help, Unit         string
	Samples, Exemplars []toldValue
}

type toldValue struct {
	Time, Start int64
	Bits        uint64 // of the value
	Histogram   string
	Gauge       bool
	Labels      string // of an exemplar
}

func ours(s *narthex.Series) told {
	out := told{Labels: s.Labels.String(), Type: s.Type, Help: s.Help, Unit: s.Unit}
	for _, x := range s.Samples {
		v := toldValue{Time: x.Time, Start: x.Start, Bits: math.Float64bits(x.Value)}
		if x.Histogram != nil {
			v.Histogram, v.Gauge = floatHistogram(x.Histogram), s.Type == narthex.TypeGaugeHistogram
		}
		out.Samples = append(out.Samples, v)
	}
	for _, e := range s.Exemplars {
		out.Exemplars = append(out.Exemplars, toldValue{Time: e.Time, Bits: math.Float64bits(e.Value), Labels: e.Labels.String()})
	}
	return out
}

// floatHistogram writes a histogram of ours as Prometheus does its own.
func floatHistogram(h *narthex.Histogram) string {
	fh := &native.FloatHistogram{
		Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum,
		PositiveBuckets: h.Positive.Counts, NegativeBuckets: h.Negative.Counts, CustomValues: h.Bounds,
	}
	for _, s := range h.Positive.Spans {
		fh.PositiveSpans = append(fh.PositiveSpans, native.Span(s))
	}
	for _, s := range h.Negative.Spans {
		fh.NegativeSpans = append(fh.NegativeSpans, native.Span(s))
	}
	if h.Schema == narthex.CustomBounds {
		fh.PositiveSpans = []native.Span{{Length: uint32(len(h.Positive.Counts))}}
	}
	return textOf(fh)
}

func textOf(fh *native.FloatHistogram) string {
	fh = fh.Copy()
	if native.IsExponentialSchemaReserved(fh.Schema) && fh.Schema > native.ExponentialSchemaMax {
		if err := fh.ReduceResolution(native.ExponentialSchemaMax); err != nil {
			return err.Error()
		}
	}
	if err := fh.Validate(); err != nil { // the rest would panic
		return err.Error()
	}
	fh.CounterResetHint = 0
	return fh.Compact(0).TestExpression()
}

func ourLabels(ls labels.Labels) string {
	var out narthex.Labels
	ls.Range(func(l labels.Label) {
		if l.Value != "" {
			out = append(out, narthex.Label(l))
		}
	})
	return out.String()
}

// told2 returns what the official decoder makes of a 2.0 body.
func told2(body []byte) ([]told, error) {
	var req writev2.Request
	if err := req.Unmarshal(body); err != nil {
		return nil, err
	}
	if len(req.Symbols) == 0 { // a series without metadata refers to the first
		req.Symbols = []string{""}
	}
	var out []told
	b := labels.NewScratchBuilder(0)
	for _, ts := range req.Timeseries {
		ls, err := ts.ToLabels(&b, req.Symbols)
		if err != nil {
			return nil, err
		}
		m, err := ts.ToMetadata(req.Symbols)
		if err != nil {
			return nil, err
		}
		x := told{Labels: ourLabels(ls), Help: m.Help, Unit: m.Unit, Type: narthex.Type(ts.Metadata.Type)}
		if x.Type > narthex.TypeStateSet {
			x.Type = narthex.TypeUnknown
		}
		for _, s := range ts.Samples {
			x.Samples = append(x.Samples, toldValue{Time: s.Timestamp, Start: s.StartTimestamp, Bits: math.Float64bits(s.Value)})
		}
		for _, h := range ts.Histograms {
			if h.ResetHint == writev2.Histogram_RESET_HINT_GAUGE {
				x.Type = narthex.TypeGaugeHistogram
			}
			x.Samples = append(x.Samples, toldValue{Time: h.Timestamp, Start: h.StartTimestamp, Histogram: textOf(h.ToFloatHistogram())})
		}
		for _, e := range ts.Exemplars {
			ex, err := e.ToExemplar(&b, req.Symbols)
			if err != nil {
				return nil, err
			}
			x.Exemplars = append(x.Exemplars, toldValue{Time: ex.Ts, Bits: math.Float64bits(ex.Value), Labels: ourLabels(ex.Labels)})
		}
		out = append(out, x.finish())
	}
	return out, nil
}

// finish says of each histogram what is said of the series.
func (t told) finish() told {
	for i := range t.Samples {
		t.Samples[i].Gauge = t.Samples[i].Histogram != "" && t.Type == narthex.TypeGaugeHistogram
	}
	return t
}

// told1 returns what the official decoder makes of a 1.0 body.
func told1(body []byte) ([]told, error) {
	var req prompb.WriteRequest
	if err := req.Unmarshal(body); err != nil {
		return nil, err
	}
	var out []told
	b := labels.NewScratchBuilder(0)
	for _, ts := range req.Timeseries {
		x := told{Labels: ourLabels(ts.ToLabels(&b, nil))}
		for _, s := range ts.Samples {
			x.Samples = append(x.Samples, toldValue{Time: s.Timestamp, Bits: math.Float64bits(s.Value)})
		}
		for _, h := range ts.Histograms {
			if h.ResetHint == prompb.Histogram_GAUGE {
				x.Type = narthex.TypeGaugeHistogram
			}
			x.Samples = append(x.Samples, toldValue{Time: h.Timestamp, Histogram: textOf(h.ToFloatHistogram())})
		}
		for _, e := range ts.Exemplars {
			ex := e.ToExemplar(&b, nil)
			x.Exemplars = append(x.Exemplars, toldValue{Time: ex.Ts, Bits: math.Float64bits(ex.Value), Labels: ourLabels(ex.Labels)})
		}
		out = append(out, x.finish())
	}
	return out, nil
}

// sameAsOfficial compares the decoders; all says that ours has to take the whole
// body.
func sameAsOfficial(t *testing.T, v remotewrite.Version, body []byte, all bool) {
	t.Helper()
	req, err := remotewrite.Decode(v, string(body), remotewrite.Limits{})
	if err != nil {
		if all {
			t.Fatalf("%v", err)
		}
		if narthex.KindOf(err) != narthex.Invalid {
			t.Errorf("%v: kind %d", err, narthex.KindOf(err))
		}
		return
	}
	official := told1
	if v == remotewrite.V2 {
		official = told2
	}
	want, err := official(body)
	if err != nil {
		t.Fatalf("we took what the official decoder refuses: %v", err)
	}
	if len(req.Rejected) > 0 {
		if all {
			t.Errorf("rejected: %v", req.Rejected)
		}
		return
	}
	var got []told
	for i := range req.Series {
		got = append(got, ours(&req.Series[i]))
	}
	for i := range want { // an older field, which the official decoder no longer knows
		for j := range want[i].Samples {
			if i < len(got) && j < len(got[i].Samples) && want[i].Samples[j].Start == 0 {
				want[i].Samples[j].Start = got[i].Samples[j].Start
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-official +ours)\n%s", diff)
	}
}

// TestDecodeLikeOfficial reads random requests that are right.
func TestDecodeLikeOfficial(t *testing.T) {
	for _, v := range []remotewrite.Version{remotewrite.V1, remotewrite.V2} {
		for seed := range uint64(2000) {
			m := &maker{Rand: rand.New(rand.NewPCG(seed, uint64(v)))}
			if sameAsOfficial(t, v, m.request(v), true); t.Failed() {
				t.Fatalf("%s, seed %d", v, seed)
			}
		}
	}
}

// TestDecodeReserved reads a histogram that is finer than the finest resolution, and
// makes of it what Prometheus's handler does.
func TestDecodeReserved(t *testing.T) {
	req := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels: []prompb.Label{{Name: "__name__", Value: "x"}},
		Histograms: []prompb.Histogram{{
			Count: &prompb.Histogram_CountFloat{CountFloat: 7}, Schema: 24, Timestamp: 1,
			PositiveSpans: []prompb.BucketSpan{{Offset: 65535, Length: 3}, {Offset: 1 << 20, Length: 1}}, PositiveCounts: []float64{1, 2, 3, 1},
		}},
	}}}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sameAsOfficial(t, remotewrite.V1, body, true)
}

// FuzzDecode reads anything. What ours takes, the official decoder takes, and
// makes the same of it.
func FuzzDecode(f *testing.F) {
	for seed := range uint64(20) {
		m := &maker{Rand: rand.New(rand.NewPCG(seed, 7))}
		f.Add(true, m.request2())
		f.Add(false, m.request1())
	}
	f.Add(true, []byte(strings.Repeat("\x2a\x00", 9)))
	f.Fuzz(func(t *testing.T, two bool, body []byte) {
		v := remotewrite.V1
		if two {
			v = remotewrite.V2
		}
		sameAsOfficial(t, v, body, false)
	})
}
