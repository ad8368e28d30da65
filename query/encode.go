package query

import (
	"bufio"
	"encoding/json"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/stats"
)

// result is what a query evaluates to.
type result struct {
	value parser.Value
	stats stats.QueryStats // nil if not asked for
}

// encoder writes query results in the format of Prometheus's HTTP API
// ("Expression query result formats"): a time is seconds as a number, a value a
// string, so that NaN and infinities survive. It is here because encoding/json
// takes several allocations for each point.
type encoder struct {
	w   *bufio.Writer
	buf []byte
	err error // the first that json met; those of w come back from its Flush
}

func (e *encoder) raw(s string) *encoder {
	_, _ = e.w.WriteString(s)
	return e
}

func (e *encoder) json(v any) *encoder {
	b, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	_, _ = e.w.Write(b)
	return e
}

func (e *encoder) result(r *result) {
	e.raw(`{"resultType":`).json(r.value.Type()).raw(`,"result":`)
	switch v := r.value.(type) {
	case promql.Vector:
		list(e, v, e.sample)
	case promql.Matrix:
		list(e, v, e.series)
	case promql.Scalar:
		e.point(v.T, v.V)
	case promql.String:
		e.raw("[").time(v.T).raw(",").json(v.V).raw("]")
	default:
		e.json(v)
	}
	if r.stats != nil {
		e.raw(`,"stats":`).json(r.stats)
	}
	e.raw("}")
}

func list[T any](e *encoder, all []T, one func(*T)) {
	e.raw("[")
	for i := range all {
		if i > 0 {
			e.raw(",")
		}
		one(&all[i])
	}
	e.raw("]")
}

func (e *encoder) sample(s *promql.Sample) {
	e.raw(`{"metric":`).labels(s.Metric)
	if s.H != nil {
		e.raw(`,"histogram":`).histogramPoint(s.T, s.H)
	} else {
		e.raw(`,"value":`).point(s.T, s.F)
	}
	e.raw("}")
}

func (e *encoder) series(s *promql.Series) {
	e.raw(`{"metric":`).labels(s.Metric)
	if len(s.Floats) > 0 {
		e.raw(`,"values":`)
		list(e, s.Floats, func(p *promql.FPoint) { e.point(p.T, p.F) })
	}
	if len(s.Histograms) > 0 {
		e.raw(`,"histograms":`)
		list(e, s.Histograms, func(p *promql.HPoint) { e.histogramPoint(p.T, p.H) })
	}
	e.raw("}")
}

func (e *encoder) labels(ls labels.Labels) *encoder {
	e.raw("{")
	sep := ""
	ls.Range(func(l labels.Label) {
		e.raw(sep).json(l.Name).raw(":").json(l.Value)
		sep = ","
	})
	return e.raw("}")
}

func (e *encoder) point(t int64, f float64) { e.raw("[").time(t).raw(",").float(f).raw("]") }

func (e *encoder) histogramPoint(t int64, h *histogram.FloatHistogram) {
	e.raw("[").time(t).raw(",").histogram(h).raw("]")
}

// time writes milliseconds as seconds, with a fraction only if there is one.
func (e *encoder) time(ms int64) *encoder {
	b := e.buf[:0]
	if ms < 0 {
		b = append(b, '-')
	}
	u := uint64(ms)
	if ms < 0 {
		u = -u
	}
	b = strconv.AppendUint(b, u/1000, 10)
	if f := u % 1000; f > 0 {
		b = append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
	}
	e.buf = b
	_, _ = e.w.Write(b)
	return e
}

// float writes a value as a string, in Prometheus's choice of notation.
func (e *encoder) float(f float64) *encoder {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b := append(e.buf[:0], '"')
	b = strconv.AppendFloat(b, f, format, -1, 64)
	e.buf = append(b, '"')
	_, _ = e.w.Write(e.buf)
	return e
}

// histogram writes the buckets that hold something as [boundaries, lower, upper,
// count]; boundaries 0 to 3 say which bounds belong to the bucket: the upper,
// the lower, none, both.
func (e *encoder) histogram(h *histogram.FloatHistogram) *encoder {
	e.raw(`{"count":`).float(h.Count).raw(`,"sum":`).float(h.Sum)
	open := `,"buckets":[[`
	for it := h.AllBucketIterator(); it.Next(); {
		b := it.At()
		if b.Count == 0 {
			continue
		}
		e.raw(open).raw(boundaries(b)).raw(",").float(b.Lower).raw(",").float(b.Upper).raw(",").float(b.Count).raw("]")
		open = ",["
	}
	if open == ",[" {
		e.raw("]")
	}
	return e.raw("}")
}

func boundaries(b histogram.Bucket[float64]) string {
	switch {
	case b.LowerInclusive && b.UpperInclusive:
		return "3"
	case b.LowerInclusive:
		return "1"
	case b.UpperInclusive:
		return "0"
	}
	return "2"
}
