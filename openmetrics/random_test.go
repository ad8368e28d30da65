package openmetrics_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"narthex"
	"narthex/openmetrics"
)

// TestRandomRoundTrip makes families of all types at random, writes them in
// each format, and compares what both parsers read back.
func TestRandomRoundTrip(t *testing.T) {
	compared := map[openmetrics.Format]int{}
	for seed := range uint64(300) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		families := make([]openmetrics.Family, 1+g.IntN(4))
		for i := range families {
			families[i] = g.family(i)
		}
		for _, out := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
			if roundTrip(t, families, 0, out) {
				compared[out]++
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, out := range []openmetrics.Format{openmetrics.Text, openmetrics.OpenMetrics, openmetrics.Protobuf} {
		if compared[out] < 150 {
			t.Errorf("format %d: only %d of 300 were compared", out, compared[out])
		}
	}
}

// generator makes families that all formats but for their types can hold.
type generator struct{ *rand.Rand }

func (g generator) family(i int) openmetrics.Family {
	f := openmetrics.Family{
		Name: fmt.Sprintf("%s%d_bytes", g.pick("a", "up:time", "my.metric", "ü \"x\"\\"), i),
		Type: narthex.Type(g.IntN(int(narthex.TypeStateSet) + 1)),
		Help: g.pick("", "Help.", "a \\ \"b\"\nc", "ünï "),
		Unit: g.pick("", "bytes", "seconds"),
	}
	name := f.Name
	switch f.Type {
	case narthex.TypeCounter:
		f.Name += g.pick("_total", "")
	case narthex.TypeInfo:
		f.Name += "_info"
		f.Unit = ""
	case narthex.TypeStateSet:
		f.Unit = ""
	}
	for j := range 1 + g.IntN(20)*g.IntN(2) {
		m := openmetrics.Metric{Labels: g.labels(j)}
		if g.IntN(3) == 0 {
			m.Time = 1 + g.Int64N(1e13)
		}
		g.fill(&m, f.Type, name, j)
		f.Metrics = append(f.Metrics, m)
	}
	return f
}

func (g generator) fill(m *openmetrics.Metric, typ narthex.Type, name string, j int) {
	switch typ {
	case narthex.TypeCounter:
		m.Value = math.Abs(g.value())
		m.Start = g.Int64N(2) * g.Int64N(1e13)
		if g.IntN(2) == 0 {
			m.Exemplars = []narthex.Exemplar{g.exemplar(g.value())}
		}
	case narthex.TypeInfo:
		m.Value = 1
	case narthex.TypeStateSet:
		m.Value = float64(g.IntN(2))
		m.Labels = m.Labels.With(name, fmt.Sprint("s", j))
	case narthex.TypeSummary:
		m.Start = g.Int64N(2) * g.Int64N(1e13)
		m.Summary = &openmetrics.Summary{Count: float64(g.IntN(1e6)), Sum: g.value()}
		for k := range g.IntN(4) {
			m.Summary.Quantiles = append(m.Summary.Quantiles, openmetrics.Quantile{Quantile: (float64(k) + g.Float64()) / 4, Value: g.value()})
		}
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		if typ == narthex.TypeHistogram {
			m.Start = g.Int64N(2) * g.Int64N(1e13)
		}
		g.histograms(m)
	default:
		m.Value = g.value()
	}
}

// histograms gives m a classic histogram, a native one, or both.
func (g generator) histograms(m *openmetrics.Metric) {
	frac := 1.0
	if g.IntN(3) == 0 {
		frac = 0.25
	}
	h := &narthex.Histogram{Schema: narthex.CustomBounds, Sum: math.Trunc(g.value())}
	if math.IsNaN(h.Sum) {
		h.Sum = 0
	}
	le := -3.0
	for range g.IntN(6) {
		le += 0.001 + 3*g.Float64()
		h.Bounds = append(h.Bounds, le)
	}
	for i := range len(h.Bounds) + 1 {
		c := float64(g.IntN(100)) * frac
		h.Positive.Counts = append(h.Positive.Counts, c)
		h.Count += c
		if g.IntN(3) == 0 && i < len(h.Bounds) {
			m.Exemplars = append(m.Exemplars, g.exemplar(h.Bounds[i]))
		}
	}
	m.Histogram = h
	if g.IntN(2) == 0 {
		return
	}
	n := &narthex.Histogram{Schema: int32(g.IntN(13) - 4), Sum: h.Sum, ZeroThreshold: float64(g.IntN(2)) / 128, ZeroCount: h.Count}
	for _, side := range []*narthex.Buckets{&n.Positive, &n.Negative} {
		for range g.IntN(4) {
			s := narthex.Span{Offset: int32(g.IntN(9)), Length: 1 + uint32(g.IntN(3))}
			side.Spans = append(side.Spans, s)
			for range s.Length {
				c := math.Floor(n.ZeroCount/frac/4) * frac
				side.Counts = append(side.Counts, c)
				n.ZeroCount -= c
			}
		}
		if len(side.Spans) > 0 {
			side.Spans[0].Offset -= 5
		}
	}
	n.Count = h.Count
	m.Histogram, m.Classic = n, h
	for i := range m.Exemplars {
		m.Exemplars[i].Time = 1 + g.Int64N(1e13)
	}
}

func (g generator) exemplar(value float64) narthex.Exemplar {
	e := narthex.Exemplar{Value: value, Time: g.Int64N(2) * g.Int64N(1e13)}
	if g.IntN(2) == 0 {
		e.Labels = narthex.Labels{{Name: "trace_id", Value: g.pick("x", "ü", "")}}
		e.Labels = slices.DeleteFunc(e.Labels, func(l narthex.Label) bool { return l.Value == "" })
	}
	return e
}

// labels returns those of the j-th metric, none for the first.
func (g generator) labels(j int) narthex.Labels {
	if j == 0 {
		return nil
	}
	ls := narthex.Labels{}.With("n", fmt.Sprint(j))
	for _, name := range []string{"A", "z", "a.b", "ü\"\\"} {
		ls = ls.With(name, g.pick("", "1", "a\nb\\\"c", "ü", "1.0"))
	}
	return ls
}

func (g generator) value() float64 {
	switch g.IntN(6) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*g.IntN(2))
	case 2:
		return float64(g.IntN(1e9))
	case 3:
		return math.Float64frombits(g.Uint64())
	}
	return g.NormFloat64()
}

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }
