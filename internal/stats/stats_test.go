package stats_test

import (
	"strings"
	"testing"

	"narthex/internal/stats"
)

func TestSet(t *testing.T) {
	var s stats.Set
	s.CounterFunc("a_total", "What a\\b counts.", func() uint64 { return 3 })
	with := s.CounterVec("b_total", "By code.", "code", "door")
	with("200", `say "hi"`).Add(2)
	with("200", `say "hi"`).Add(1)
	with("100", "x\ny").Add(1)
	s.GaugeFunc("c", "A gauge.", func() float64 { return 1.5e9 })
	s.Info("d_info", "What it is.", "version", `1"2`)
	var b strings.Builder
	n, err := s.WriteTo(&b)
	const want = `# HELP a_total What a\\b counts.
# TYPE a_total counter
a_total 3
# HELP b_total By code.
# TYPE b_total counter
b_total{code="100",door="x\ny"} 1
b_total{code="200",door="say \"hi\""} 3
# HELP c A gauge.
# TYPE c gauge
c 1.5e+09
# HELP d_info What it is.
# TYPE d_info gauge
d_info{version="1\"2"} 1
`
	if b.String() != want || err != nil || n != int64(len(want)) {
		t.Errorf("%d bytes, %v:\n%s", n, err, b.String())
	}
}

func TestHistogram(t *testing.T) {
	var s stats.Set
	h := s.Histogram("d_seconds", "How long.", 0.5, 1)
	for _, v := range []float64{0.25, 0.5, 0.75, 3} {
		h.Observe(v)
	}
	var b strings.Builder
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	const want = `# HELP d_seconds How long.
# TYPE d_seconds histogram
d_seconds_bucket{le="0.5"} 2
d_seconds_bucket{le="1"} 3
d_seconds_bucket{le="+Inf"} 4
d_seconds_sum 4.5
d_seconds_count 4
`
	if b.String() != want {
		t.Errorf("got:\n%s", b.String())
	}
}
