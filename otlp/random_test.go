package otlp_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

const start = uint64(1767225600e9) // 2026-01-01

// random makes requests with something of everything.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) metrics() pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range 1 + r.IntN(3) {
		rm := md.ResourceMetrics().AppendEmpty()
		if r.IntN(4) > 0 {
			rm.Resource().Attributes().PutStr("service.name", pick(r, "shop", "till"))
		}
		if r.IntN(2) == 0 {
			rm.Resource().Attributes().PutStr("service.namespace", "ch")
		}
		if r.IntN(2) == 0 {
			rm.Resource().Attributes().PutStr("service.instance.id", fmt.Sprint(r.IntN(3)))
		}
		r.attributes(rm.Resource().Attributes(), "host.name", "cloud.region", "1st", "job", "process.pid", "_x")
		for range r.IntN(3) {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(pick(r, "", "my.meter"))
			sm.Scope().SetVersion(pick(r, "", "1.2.3"))
			sm.SetSchemaUrl(pick(r, "", "https://example.org/1"))
			r.attributes(sm.Scope().Attributes(), "short.name", "n", "version")
			for range r.IntN(5) {
				r.metric(sm.Metrics().AppendEmpty())
			}
		}
	}
	return md
}

// attributes adds some of the keys.
func (r random) attributes(m pcommon.Map, keys ...string) {
	for _, k := range keys {
		if r.IntN(2) == 0 {
			r.value(m.PutEmpty(k), 0)
		}
	}
}

func (r random) value(v pcommon.Value, depth int) {
	switch r.IntN(9 - min(depth, 2)) {
	case 0:
		v.SetBool(r.IntN(2) == 0)
	case 1:
		v.SetInt(r.Int64() - 1<<62)
	case 2:
		v.SetDouble(pick(r, r.number(), 1e-9, 1e300, -0.5, 2, 1e21, 123456789))
	case 3:
		v.SetEmptyBytes().FromRaw([]byte("narthex\x00\xff")[:r.IntN(9)])
	case 4:
		v.SetStr("")
	case 5, 6:
		v.SetStr(pick(r, "GET", "<b>&\"\\\n", "Zürich", "☕", "a;b"))
	case 7:
		s := v.SetEmptySlice()
		for range r.IntN(3) {
			r.value(s.AppendEmpty(), depth+1)
		}
	default:
		m := v.SetEmptyMap()
		for i := range r.IntN(3) {
			r.value(m.PutEmpty(fmt.Sprint("k", 3-i)), depth+1)
		}
	}
}

func (r random) number() float64 { return math.Round(r.Float64()*1e6) / 100 }

func (r random) time() pcommon.Timestamp { return pcommon.Timestamp(start + r.Uint64N(7e11)) }

func (r random) metric(m pmetric.Metric) {
	m.SetName(pick(r, "http.server.duration", "requests", "requests_total", "a/b//c", "ratio", "9lives", "bytes.sent", "x__y", "system.cpu.time", "Größe"))
	m.SetUnit(pick(r, "", "1", "s", "ms", "By", "By/s", "{request}", "{a}/s", "req/min", "%", "foo/bar", "m/", " s ", "kg_2", "1/s"))
	m.SetDescription(pick(r, "", "Some \"help\"."))
	temporality := pmetric.AggregationTemporalityCumulative
	switch r.IntN(5) {
	case 0:
		r.numbers(m.SetEmptyGauge().DataPoints())
	case 1:
		m.SetEmptySum().SetIsMonotonic(r.IntN(3) > 0)
		m.Sum().SetAggregationTemporality(temporality)
		r.numbers(m.Sum().DataPoints())
	case 2:
		m.SetEmptyHistogram().SetAggregationTemporality(temporality)
		for range 1 + r.IntN(3) {
			r.histogram(m.Histogram().DataPoints().AppendEmpty())
		}
	case 3:
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		for range 1 + r.IntN(3) {
			r.exponential(m.ExponentialHistogram().DataPoints().AppendEmpty())
		}
	default:
		m.SetEmptySummary()
		for range 1 + r.IntN(3) {
			p := m.Summary().DataPoints().AppendEmpty()
			r.point(p)
			p.SetCount(r.Uint64N(1e6))
			p.SetSum(r.number())
			for i := range r.IntN(3) {
				q := p.QuantileValues().AppendEmpty()
				q.SetQuantile([]float64{0, 0.5, 1}[i])
				q.SetValue(r.number())
			}
		}
	}
}

type point interface {
	Attributes() pcommon.Map
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
	SetFlags(pmetric.DataPointFlags)
}

func (r random) point(p point) {
	r.attributes(p.Attributes(), "http.method", "http_method", "2xx", "_priv", "__name__", "le", "Code", "ünter")
	p.SetTimestamp(r.time())
	if r.IntN(2) == 0 {
		p.SetStartTimestamp(pcommon.Timestamp(start))
	}
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(r.IntN(8) == 0))
}

func (r random) numbers(points pmetric.NumberDataPointSlice) {
	for range 1 + r.IntN(3) {
		p := points.AppendEmpty()
		r.point(p)
		switch r.IntN(3) {
		case 0:
			p.SetIntValue(r.Int64() - 1<<62)
		case 1:
			p.SetDoubleValue(pick(r, r.number(), math.Inf(1), 5e-324))
		}
		r.exemplars(p.Exemplars())
	}
}

func (r random) exemplars(to pmetric.ExemplarSlice) {
	var values []float64
	for range r.IntN(3) {
		values = append(values, r.number()/100)
	}
	slices.Sort(values)
	for _, v := range values {
		e := to.AppendEmpty()
		e.SetTimestamp(r.time())
		if e.SetDoubleValue(v); r.IntN(3) == 0 {
			e.SetIntValue(int64(v))
		}
		if r.IntN(2) == 0 {
			e.SetTraceID(pcommon.TraceID{1, 2, 15: 0xab})
			e.SetSpanID(pcommon.SpanID{7: 0xcd})
		}
		if r.IntN(2) == 0 {
			e.FilteredAttributes().PutStr("user", pick(r, "ü", "a longer name of 60 bytes, of which there is room for only one"))
			e.FilteredAttributes().PutStr("other", "another longer name, for which there is no room any more in it")
		}
	}
}

func (r random) histogram(p pmetric.HistogramDataPoint) {
	r.point(p)
	if r.IntN(4) > 0 {
		p.SetSum(r.number())
	}
	total := uint64(0)
	if n := r.IntN(5); n > 0 {
		p.ExplicitBounds().FromRaw([]float64{-1, 0.005, 2, 1e6}[:n-1])
		for range n {
			c := r.Uint64N(100)
			total += c
			p.BucketCounts().Append(c)
		}
	}
	p.SetCount(total)
	r.exemplars(p.Exemplars())
}

func (r random) exponential(p pmetric.ExponentialHistogramDataPoint) {
	r.point(p)
	if r.IntN(4) > 0 {
		p.SetSum(r.number())
	}
	p.SetScale(int32(r.IntN(25) - 4))
	p.SetZeroCount(r.Uint64N(3))
	total := p.ZeroCount()
	for _, b := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		b.SetOffset(int32(r.IntN(2000) - 1000))
		for range r.IntN(40) {
			c := max(0, r.Int64N(20)-10)
			if p.Scale() > 8 { // see TestFineScales
				c++
			}
			total += uint64(c)
			b.BucketCounts().Append(uint64(c))
		}
	}
	p.SetCount(total)
	r.exemplars(p.Exemplars())
}

// bodies returns a request in both encodings.
func bodies(t testing.TB, md pmetric.Metrics) (protobuf, json []byte) {
	t.Helper()
	req := pmetricotlp.NewExportRequestFromMetrics(md)
	protobuf, err := req.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if json, err = req.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return protobuf, json
}
