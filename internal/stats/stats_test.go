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
`
	if b.String() != want || err != nil || n != int64(len(want)) {
		t.Errorf("%d bytes, %v:\n%s", n, err, b.String())
	}
}
