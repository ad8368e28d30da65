package remotewrite_test

import (
	"math"
	"math/rand/v2"
	"slices"

	native "github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"narthex"
	"narthex/remotewrite"
)

// maker makes random requests.
type maker struct {
	*rand.Rand
	symbols writev2.SymbolsTable
}

func (m *maker) word() string {
	return []string{"a", "job", "b.c", "zürich", "__name", "x y", "instance", "q"}[m.IntN(8)]
}

func (m *maker) value() float64 {
	return []float64{0, 1, -1.5, math.Inf(1), narthex.StaleMarker(), math.NaN(), m.NormFloat64(), 1e300}[m.IntN(8)]
}

func (m *maker) time() int64 { return m.Int64N(4e12) - 1e12 }

// labels are pairs; each name once.
func (m *maker) labels(name bool) (out []string) {
	seen := map[string]bool{}
	if name {
		out = append(out, "__name__", "metric_"+m.word())
	}
	for range m.IntN(5) {
		n := m.word()
		if !seen[n] {
			out = append(out, n, []string{"1", "", "long value with spaces", "ü"}[m.IntN(4)])
		}
		seen[n] = true
	}
	return out
}

func (m *maker) intHistogram() *native.Histogram {
	h := &native.Histogram{Schema: int32(m.IntN(13) - 4), ZeroThreshold: m.Float64(), ZeroCount: uint64(m.IntN(5)), Sum: m.NormFloat64()}
	h.Count = h.ZeroCount
	side := func() (spans []native.Span, deltas []int64) {
		last := int64(0)
		for i := range m.IntN(4) {
			s := native.Span{Offset: int32(m.IntN(9)), Length: uint32(m.IntN(4))}
			if i == 0 {
				s.Offset -= 4
			}
			spans = append(spans, s)
			for range s.Length {
				n := int64(m.IntN(100))
				deltas = append(deltas, n-last)
				last = n
				h.Count += uint64(n)
			}
		}
		return spans, deltas
	}
	h.PositiveSpans, h.PositiveBuckets = side()
	h.NegativeSpans, h.NegativeBuckets = side()
	switch m.IntN(6) {
	case 0:
		h.Count += 3
		h.Sum = math.NaN()
	case 1:
		h.CounterResetHint = native.GaugeType
	case 2: // bounds of its own, some of them without a bucket
		*h = native.Histogram{
			Schema: native.CustomBucketsSchema, Sum: 5, Count: 4, CustomValues: []float64{-1, 0.5, 2, 10},
			PositiveSpans:   []native.Span{{Offset: 0, Length: 1}, {Offset: 2, Length: 2}},
			PositiveBuckets: []int64{1, 1, -1},
		}
	}
	return h
}

func (m *maker) request2() []byte {
	m.symbols = writev2.NewSymbolTable()
	var req writev2.Request
	for range m.IntN(6) {
		ts := writev2.TimeSeries{LabelsRefs: m.refs(m.labels(true))}
		for range 1 + m.IntN(3) {
			switch m.IntN(4) {
			case 0:
				ts.Histograms = append(ts.Histograms, writev2.FromIntHistogram(m.time(), m.time(), m.intHistogram()))
			case 1:
				ts.Histograms = append(ts.Histograms, writev2.FromFloatHistogram(0, m.time(), m.intHistogram().ToFloat(nil)))
			case 2:
				ts.Samples = append(ts.Samples, writev2.Sample{Value: m.value(), Timestamp: m.time(), StartTimestamp: m.time() * int64(m.IntN(2))})
			case 3:
				ts.Exemplars = append(ts.Exemplars, writev2.Exemplar{LabelsRefs: m.refs(m.labels(false)), Value: m.value(), Timestamp: m.time()})
			}
		}
		if m.IntN(2) == 0 {
			ts.Metadata = writev2.Metadata{Type: writev2.Metadata_MetricType(m.IntN(8)), HelpRef: m.symbols.Symbolize("help " + m.word()), UnitRef: m.symbols.Symbolize(m.word())}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	req.Symbols = m.symbols.Symbols()
	body, _ := req.Marshal() // it can't fail
	return body
}

func (m *maker) refs(pairs []string) (out []uint32) {
	for _, p := range pairs {
		out = append(out, m.symbols.Symbolize(p))
	}
	return out
}

func (m *maker) request1() []byte {
	var req prompb.WriteRequest
	pairs := func(in []string) (out []prompb.Label) {
		for p := range slices.Chunk(in, 2) {
			out = append(out, prompb.Label{Name: p[0], Value: p[1]})
		}
		return out
	}
	for range m.IntN(6) {
		ts := prompb.TimeSeries{Labels: pairs(m.labels(true))}
		for range 1 + m.IntN(3) {
			switch m.IntN(4) {
			case 0:
				ts.Histograms = append(ts.Histograms, prompb.FromIntHistogram(m.time(), m.intHistogram()))
			case 1:
				ts.Histograms = append(ts.Histograms, prompb.FromFloatHistogram(m.time(), m.intHistogram().ToFloat(nil)))
			case 2:
				ts.Samples = append(ts.Samples, prompb.Sample{Value: m.value(), Timestamp: m.time()})
			case 3:
				ts.Exemplars = append(ts.Exemplars, prompb.Exemplar{Labels: pairs(m.labels(false)), Value: m.value(), Timestamp: m.time()})
			}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	body, _ := req.Marshal() // it can't fail
	return body
}

func (m *maker) request(v remotewrite.Version) []byte {
	if v == remotewrite.V2 {
		return m.request2()
	}
	return m.request1()
}
