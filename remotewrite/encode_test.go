package remotewrite_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/gogo/protobuf/proto"
	"github.com/golang/snappy"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/remotewrite"
)

// taker is a transport that takes everything and remembers it, uncompressed.
type taker struct {
	mu       sync.Mutex
	requests []taken
}

type taken struct {
	header http.Header
	body   []byte
	size   int // compressed
}

func (tk *taker) RoundTrip(r *http.Request) (*http.Response, error) {
	zipped, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	body, err := snappy.Decode(nil, zipped)
	if err != nil {
		return nil, err
	}
	tk.mu.Lock()
	defer tk.mu.Unlock()
	tk.requests = append(tk.requests, taken{r.Header.Clone(), body, len(zipped)})
	h := http.Header{}
	if r.Header.Get(remotewrite.HeaderVersion) == remotewrite.HeaderVersionV2 {
		var req writev2.Request
		if err := proto.Unmarshal(body, &req); err != nil {
			return nil, err
		}
		n, hs := 0, 0
		for _, ts := range req.Timeseries {
			n, hs = n+len(ts.Samples), hs+len(ts.Histograms)
		}
		h.Set(remotewrite.HeaderSamplesWritten, strconv.Itoa(n))
		h.Set(remotewrite.HeaderHistogramsWritten, strconv.Itoa(hs))
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: h, Body: http.NoBody, Request: r}, nil
}

func newClient(t testing.TB, o remotewrite.Options) *remotewrite.Client {
	t.Helper()
	if o.URL == "" {
		o.URL = "http://receiver.example/api/v1/write"
	}
	if o.Logger == nil {
		o.Logger = quiet()
	}
	c, err := remotewrite.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send writes the series and returns the requests.
func send(t testing.TB, o remotewrite.Options, series []narthex.Series) ([]taken, *narthex.Batch) {
	t.Helper()
	tk := new(taker)
	o.Transport = tk
	b := &narthex.Batch{Series: series}
	if err := newClient(t, o).Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return tk.requests, b
}

func decodeV1(t testing.TB, body []byte) *prompb.WriteRequest {
	t.Helper()
	req := new(prompb.WriteRequest)
	if err := proto.Unmarshal(body, req); err != nil {
		t.Fatalf("prompb does not read it: %v", err)
	}
	return req
}

func decodeV2(t testing.TB, body []byte) *writev2.Request {
	t.Helper()
	req := new(writev2.Request)
	if err := proto.Unmarshal(body, req); err != nil {
		t.Fatalf("writev2 does not read it: %v", err)
	}
	return req
}

// random returns series of all kinds, in a form that both versions can say.
func random(r *rand.Rand, n int) []narthex.Series {
	var out []narthex.Series
	for i := range n {
		s := narthex.Series{
			Labels: must(narthex.NewLabels(narthex.Label{Name: "__name__", Value: fmt.Sprintf("metric_%d", r.IntN(5))},
				narthex.Label{Name: "i", Value: strconv.Itoa(i)}, narthex.Label{Name: "ü" + strconv.Itoa(r.IntN(3)), Value: "naïve \"x\"\n"})),
			Type: narthex.Type(r.IntN(8)), Help: []string{"", "What it is."}[r.IntN(2)], Unit: []string{"", "seconds"}[r.IntN(2)],
		}
		at := int64(1_700_000_000_000) + r.Int64N(1e6)
		for range 1 + r.IntN(4) {
			at += 1 + r.Int64N(1e5)
			x := narthex.Sample{Time: at, Start: []int64{0, at - 1000}[r.IntN(2)], Value: value(r)}
			if i%3 == 0 {
				x = narthex.Sample{Time: at, Start: x.Start, Histogram: histogram(r)}
			}
			s.Samples = append(s.Samples, x)
		}
		for range r.IntN(3) {
			s.Exemplars = append(s.Exemplars, narthex.Exemplar{Labels: must(narthex.NewLabels(narthex.Label{Name: "trace_id", Value: strconv.Itoa(r.IntN(9))})), Time: at, Value: value(r)})
		}
		out = append(out, s)
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func value(r *rand.Rand) float64 {
	special := []float64{0, 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), narthex.StaleMarker(), 1e-300}
	if r.IntN(2) == 0 {
		return special[r.IntN(len(special))]
	}
	return r.NormFloat64() * 1e6
}

func histogram(r *rand.Rand) *narthex.Histogram {
	h := &narthex.Histogram{Schema: int32(r.IntN(13) - 4), ZeroThreshold: []float64{0, 1e-128}[r.IntN(2)], ZeroCount: float64(r.IntN(5)), Sum: value(r)}
	float := r.IntN(2) == 0
	for _, b := range []*narthex.Buckets{&h.Positive, &h.Negative} {
		for range r.IntN(3) {
			span := narthex.Span{Offset: int32(r.IntN(9)), Length: uint32(1 + r.IntN(4))}
			b.Spans = append(b.Spans, span)
			for range span.Length {
				n := float64(r.IntN(1000))
				if float {
					n += 0.5
				}
				b.Counts = append(b.Counts, n)
				h.Count += n
			}
		}
	}
	h.Count += h.ZeroCount
	return h
}

// bits makes floats comparable: NaNs with other bits are different.
var bits = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmpopts.EquateEmpty(),
}

// want is what Prometheus's own types make of a series.
func wantV1(s *narthex.Series) prompb.TimeSeries {
	var ts prompb.TimeSeries
	for _, l := range s.Labels {
		ts.Labels = append(ts.Labels, prompb.Label{Name: l.Name, Value: l.Value})
	}
	for _, x := range s.Samples {
		if x.Histogram == nil {
			ts.Samples = append(ts.Samples, prompb.Sample{Value: x.Value, Timestamp: x.Time})
			continue
		}
		h := prompb.Histogram{Sum: x.Histogram.Sum, Schema: x.Histogram.Schema, ZeroThreshold: x.Histogram.ZeroThreshold, Timestamp: x.Time}
		if whole(x.Histogram) {
			h.Count, h.ZeroCount = &prompb.Histogram_CountInt{CountInt: uint64(x.Histogram.Count)}, &prompb.Histogram_ZeroCountInt{ZeroCountInt: uint64(x.Histogram.ZeroCount)}
			h.PositiveDeltas, h.NegativeDeltas = deltas(x.Histogram.Positive.Counts), deltas(x.Histogram.Negative.Counts)
		} else {
			h.Count, h.ZeroCount = &prompb.Histogram_CountFloat{CountFloat: x.Histogram.Count}, &prompb.Histogram_ZeroCountFloat{ZeroCountFloat: x.Histogram.ZeroCount}
			h.PositiveCounts, h.NegativeCounts = x.Histogram.Positive.Counts, x.Histogram.Negative.Counts
		}
		for _, span := range x.Histogram.Positive.Spans {
			h.PositiveSpans = append(h.PositiveSpans, prompb.BucketSpan{Offset: span.Offset, Length: span.Length})
		}
		for _, span := range x.Histogram.Negative.Spans {
			h.NegativeSpans = append(h.NegativeSpans, prompb.BucketSpan{Offset: span.Offset, Length: span.Length})
		}
		if s.Type == narthex.TypeGaugeHistogram {
			h.ResetHint = prompb.Histogram_GAUGE
		}
		ts.Histograms = append(ts.Histograms, h)
	}
	for _, x := range s.Exemplars {
		e := prompb.Exemplar{Value: x.Value, Timestamp: x.Time}
		for _, l := range x.Labels {
			e.Labels = append(e.Labels, prompb.Label{Name: l.Name, Value: l.Value})
		}
		ts.Exemplars = append(ts.Exemplars, e)
	}
	return ts
}

func wantV2(s *narthex.Series, symbols *writev2.SymbolsTable) writev2.TimeSeries {
	v1 := wantV1(s)
	ts := writev2.TimeSeries{Metadata: writev2.Metadata{Type: writev2.Metadata_MetricType(s.Type)}}
	refs := func(ls []prompb.Label) (out []uint32) {
		for _, l := range ls {
			out = append(out, symbols.Symbolize(l.Name), symbols.Symbolize(l.Value))
		}
		return out
	}
	ts.LabelsRefs = refs(v1.Labels)
	for i, x := range v1.Samples {
		ts.Samples = append(ts.Samples, writev2.Sample{Value: x.Value, Timestamp: x.Timestamp, StartTimestamp: s.Samples[i].Start})
	}
	for i := range v1.Histograms {
		// The two messages have the same fields but for the start timestamp.
		var h writev2.Histogram
		if err := proto.Unmarshal(must(proto.Marshal(&v1.Histograms[i])), &h); err != nil {
			panic(err)
		}
		h.StartTimestamp = s.Samples[i].Start
		ts.Histograms = append(ts.Histograms, h)
	}
	for _, x := range v1.Exemplars {
		ts.Exemplars = append(ts.Exemplars, writev2.Exemplar{LabelsRefs: refs(x.Labels), Value: x.Value, Timestamp: x.Timestamp})
	}
	if s.Help != "" {
		ts.Metadata.HelpRef = symbols.Symbolize(s.Help)
	}
	if s.Unit != "" {
		ts.Metadata.UnitRef = symbols.Symbolize(s.Unit)
	}
	return ts
}

func whole(h *narthex.Histogram) bool {
	all := slices.Concat([]float64{h.Count, h.ZeroCount}, h.Positive.Counts, h.Negative.Counts)
	return !slices.ContainsFunc(all, func(f float64) bool { return f != math.Trunc(f) })
}

func deltas(counts []float64) (out []int64) {
	last := int64(0)
	for _, c := range counts {
		out = append(out, int64(c)-last)
		last = int64(c)
	}
	return out
}

// FuzzEncode compares what is sent with what Prometheus's generated code makes of
// the same series: the same message, and no longer.
func FuzzEncode(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(seed*7), true)
		f.Add(seed, uint8(seed*3), false)
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, two bool) {
		series := random(rand.New(rand.NewPCG(seed, 1)), 1+int(n%32))
		o := remotewrite.Options{Version: remotewrite.V1, MaxSamples: 1e6, MaxBytes: 1 << 24, NoMetadata: !two}
		if two {
			o.Version = remotewrite.V2
		}
		requests, b := send(t, o, series)
		if len(requests) != 1 || len(b.Rejected) != 0 {
			t.Fatalf("%d requests, rejected %v", len(requests), b.Rejected)
		}
		var want, got proto.Message
		if two {
			symbols, w := writev2.NewSymbolTable(), new(writev2.Request)
			for i := range series {
				w.Timeseries = append(w.Timeseries, wantV2(&series[i], &symbols))
			}
			w.Symbols = symbols.Symbols()
			want, got = w, decodeV2(t, requests[0].body)
		} else {
			w := new(prompb.WriteRequest)
			for i := range series {
				w.Timeseries = append(w.Timeseries, wantV1(&series[i]))
			}
			want, got = w, decodeV1(t, requests[0].body)
		}
		if diff := cmp.Diff(want, got, bits); diff != "" {
			t.Fatalf("(-prometheus +narthex)\n%s", diff)
		}
		if theirs := must(proto.Marshal(want)); len(requests[0].body) > len(theirs) {
			t.Errorf("%d bytes, Prometheus needs %d", len(requests[0].body), len(theirs))
		}
	})
}
