package query

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// maxSteps bounds the steps of a subquery: 30 days by the second and some.
	// The engine reserves 16 bytes for each, in advance and whatever there is
	// to read (50 GB for x[100y:1s]), which its own limits don't see.
	maxSteps = 5_000_000
	// subqueryStep is the step of a subquery that doesn't say: Prometheus's
	// default evaluation interval.
	subqueryStep = time.Minute
)

// checkSteps returns an error if expr has a subquery of too many steps when it
// is evaluated over a time span. The span of a subquery inside a subquery is
// that of the outer one and its own range.
func checkSteps(expr parser.Node, span float64) error {
	if x, ok := expr.(*parser.SubqueryExpr); ok {
		step := x.Step
		if step <= 0 {
			step = subqueryStep
		}
		span += x.Range.Seconds()
		if n := span / step.Seconds(); n > maxSteps {
			return fmt.Errorf("the subquery %s takes %.0f steps, the limit is %d: use a shorter range or a longer step", clip(x.String()), n, maxSteps)
		}
	}
	for child := range parser.ChildrenIter(expr) {
		if err := checkSteps(child, span); err != nil {
			return err
		}
	}
	return nil
}

// clip cuts an expression to a length fit for a message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
