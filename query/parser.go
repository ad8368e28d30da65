package query

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// maxDepth bounds how deep an expression may be nested; a chain of n operators
// is n deep. The time it takes to lay an expression out grows with the third
// power of its depth: 0.4 s at 500, a minute at 4,000.
const maxDepth = 500

// bounded is PromQL's parser with that bound.
type bounded struct{ parser.Parser }

func newParser() parser.Parser {
	return bounded{parser.NewParser(parser.Options{EnableExtendedRangeSelectors: true})}
}

// ParseExpr parses an expression.
func (b bounded) ParseExpr(input string) (parser.Expr, error) {
	if len(input) > maxQuery {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(input), maxQuery)
	}
	expr, err := b.Parser.ParseExpr(input)
	if err == nil && deeper(expr, maxDepth) {
		return nil, fmt.Errorf("it is nested deeper than the limit of %d: brackets or operators in a row", maxDepth)
	}
	return expr, err
}

// deeper reports whether the tree has more than limit levels.
func deeper(n parser.Node, limit int) bool {
	if limit == 0 {
		return true
	}
	for child := range parser.ChildrenIter(n) {
		if deeper(child, limit-1) {
			return true
		}
	}
	return false
}
